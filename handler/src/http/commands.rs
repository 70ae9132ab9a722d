//! One function per command: read the request, make the ids and the time, execute, answer.
//! Never decides whether a command is allowed by the shop's rules.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Reach, body::Strict, principal::Principal, problem::Problem};
use crate::{
    domain::{
        order::Shipment,
        value::{Email, MAX_LINES, Money, Name, Price, Quantity, Reason, Sku},
    },
    write::{Accepted, Command, Context},
};

/// The routes of all commands, below the host's route prefix.
pub fn routes() -> Router<Reach> {
    Router::new()
        .route("/api/customers", post(register_customer))
        .route("/api/customers/{id}/name", put(rename_customer))
        .route("/api/customers/{id}/email", put(change_customer_email))
        .route("/api/products", post(add_product))
        .route("/api/products/{sku}/name", put(rename_product))
        .route("/api/products/{sku}/price", put(change_product_price))
        .route("/api/products/{sku}/stock", post(restock_product))
        .route("/api/orders", post(place_order))
        .route("/api/orders/{id}/lines", put(change_order_lines))
        .route("/api/orders/{id}/delivery", post(deliver_order))
        .route("/api/orders/{id}/cancellation", post(cancel_order))
        .route("/api/orders/{id}/payment", post(pay_order))
        .route("/api/orders/{id}/shipment", post(ship_order))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Customer {
    name: Name,
    email: Email,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    sku: Sku,
    name: Name,
    price: Price,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: Name,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    email: Email,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPrice {
    price: Price,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restock {
    quantity: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Placement {
    customer_id: Uuid,
    lines: Vec<WantedLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLines {
    lines: Vec<WantedLine>,
}

/// `{}`: nothing more is to be said of a delivery.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    reason: Reason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedLine {
    sku: Sku,
    quantity: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    amount: Money,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ShipmentBody {
    carrier: Name,
    tracking_number: Name,
}

type Answer = Result<Response, Problem>;

async fn register_customer(
    State(reach): State<Reach>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Customer>,
) -> Answer {
    let command = Command::RegisterCustomer {
        id: Uuid::now_v7(),
        name: body.name,
        email: body.email,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(created(
        &done,
        "customers",
        json!({ "id": done.subject, "version": done.version }),
    ))
}

async fn rename_customer(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<NewName>,
) -> Answer {
    let id = Uuid::try_parse(&id).map_err(|_| absent("customer"))?;
    let command = Command::RenameCustomer { id, name: body.name };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn change_customer_email(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<NewEmail>,
) -> Answer {
    let id = Uuid::try_parse(&id).map_err(|_| absent("customer"))?;
    let command = Command::ChangeCustomerEmail {
        id,
        email: body.email,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn rename_product(
    State(reach): State<Reach>,
    Path(sku): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<NewName>,
) -> Answer {
    let sku = Sku::try_from(sku).map_err(|_| absent("product"))?;
    let command = Command::RenameProduct { sku, name: body.name };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn change_product_price(
    State(reach): State<Reach>,
    Path(sku): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<NewPrice>,
) -> Answer {
    let sku = Sku::try_from(sku).map_err(|_| absent("product"))?;
    let command = Command::ChangeProductPrice {
        sku,
        price: body.price,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn add_product(
    State(reach): State<Reach>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Product>,
) -> Answer {
    let command = Command::AddProduct {
        sku: body.sku,
        name: body.name,
        price: body.price,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(created(
        &done,
        "products",
        json!({ "sku": done.subject, "version": done.version }),
    ))
}

async fn restock_product(
    State(reach): State<Reach>,
    Path(sku): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Restock>,
) -> Answer {
    let sku = Sku::try_from(sku).map_err(|_| absent("product"))?;
    let done = execute(
        &reach,
        caller,
        &headers,
        Command::RestockProduct {
            sku,
            quantity: body.quantity,
        },
    )
    .await?;
    let available = done.stock.first().map(|level| level.available);
    Ok(ok(
        &done,
        json!({ "sku": done.subject, "version": done.version, "available": available }),
    ))
}

async fn place_order(
    State(reach): State<Reach>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Placement>,
) -> Answer {
    let lines = distinct(body.lines)?;
    let command = Command::PlaceOrder {
        id: Uuid::now_v7(),
        customer: body.customer_id,
        lines,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    let answer = order(&done);
    Ok(created(&done, "orders", answer))
}

async fn change_order_lines(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<NewLines>,
) -> Answer {
    let command = Command::ChangeOrderLines {
        id: order_id(&id)?,
        lines: distinct(body.lines)?,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, order(&done)))
}

async fn deliver_order(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(Delivery {}): Strict<Delivery>,
) -> Answer {
    let command = Command::DeliverOrder { id: order_id(&id)? };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, order(&done)))
}

async fn cancel_order(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Cancellation>,
) -> Answer {
    let command = Command::CancelOrder {
        id: order_id(&id)?,
        reason: body.reason,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, order(&done)))
}

async fn pay_order(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<Payment>,
) -> Answer {
    let command = Command::PayOrder {
        id: order_id(&id)?,
        amount: body.amount,
    };
    let done = execute(&reach, caller, &headers, command).await?;
    Ok(ok(&done, order(&done)))
}

async fn ship_order(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    caller: Principal,
    headers: HeaderMap,
    Strict(body): Strict<ShipmentBody>,
) -> Answer {
    let shipment = Shipment {
        carrier: body.carrier,
        tracking_number: body.tracking_number,
    };
    let done = execute(
        &reach,
        caller,
        &headers,
        Command::ShipOrder {
            id: order_id(&id)?,
            shipment,
        },
    )
    .await?;
    Ok(ok(&done, order(&done)))
}

async fn execute(
    reach: &Reach,
    caller: Principal,
    headers: &HeaderMap,
    command: Command,
) -> Result<Accepted, Problem> {
    let writer = reach
        .writer
        .as_ref()
        .ok_or_else(|| Problem::not_configured("PostgreSQL"))?;
    let traceparent = headers
        .get("traceparent")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let context = Context {
        event_id: Uuid::now_v7(),
        at: now(),
        caller: caller.id,
        traceparent,
    };
    Ok(writer.execute(command, &context).await?)
}

/// In whole microseconds, which is what PostgreSQL keeps: state in the log and state in the tables stay equal.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

/// 1 to 100 lines, each SKU once.
fn distinct(lines: Vec<WantedLine>) -> Result<Vec<(Sku, Quantity)>, Problem> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(Problem::content("/lines", "an order has 1 to 100 lines"));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (position, line) in lines.iter().enumerate() {
        if !seen.insert(line.sku.as_str()) {
            return Err(Problem::content(
                format!("/lines/{position}/sku"),
                "this SKU is in the order already",
            ));
        }
    }
    Ok(lines.into_iter().map(|line| (line.sku, line.quantity)).collect())
}

fn order_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| absent("order"))
}

fn absent(what: &str) -> Problem {
    let kind = match what {
        "order" => "unknown-order",
        "customer" => "unknown-customer",
        _ => "unknown-product",
    };
    Problem::new(StatusCode::NOT_FOUND, kind, format!("there is no such {what}"))
}

fn order(done: &Accepted) -> Value {
    json!({ "id": done.subject, "version": done.version, "status": done.state["status"], "total": done.state["total"] })
}

fn created(done: &Accepted, collection: &str, body: Value) -> Response {
    let location = format!("/api/{collection}/{}", done.subject);
    (
        StatusCode::CREATED,
        [(header::LOCATION, location), (header::ETAG, etag(done))],
        Json(body),
    )
        .into_response()
}

fn ok(done: &Accepted, body: Value) -> Response {
    ([(header::ETAG, etag(done))], Json(body)).into_response()
}

fn etag(done: &Accepted) -> String {
    format!("\"{}\"", done.version)
}
