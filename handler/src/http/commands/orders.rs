//! Orders: placed, changed, paid, shipped, delivered, called off.
//! Never takes a price from a caller, only what is wanted and how many.

use std::collections::BTreeSet;

use axum::{
    Router,
    extract::Path,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Call, Problem, Reach, created, id, ok};
use crate::{
    domain::{
        order::Shipment,
        value::{MAX_LINES, Money, Name, Quantity, Reason, Sku},
    },
    http::body::Strict,
    write::{Accepted, Command},
};

pub(super) fn routes() -> Router<Reach> {
    Router::new()
        .route("/api/orders", post(place_order))
        .route("/api/orders/{id}/lines", put(change_order_lines))
        .route("/api/orders/{id}/payment", post(pay_order))
        .route("/api/orders/{id}/shipment", post(ship_order))
        .route("/api/orders/{id}/delivery", post(deliver_order))
        .route("/api/orders/{id}/cancellation", post(cancel_order))
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
struct Parcel {
    carrier: Name,
    tracking_number: Name,
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

async fn place_order(call: Call, Strict(body, sent): Strict<Placement>) -> Answer {
    let command = Command::PlaceOrder {
        id: Uuid::now_v7(),
        customer: body.customer_id,
        lines: distinct(body.lines)?,
    };
    let done = call.execute(sent, command).await?;
    Ok(created(&done, "orders", summary(&done)))
}

async fn change_order_lines(
    call: Call,
    Path(order): Path<String>,
    Strict(NewLines { lines }, sent): Strict<NewLines>,
) -> Answer {
    let (id, lines) = (id(&order, "order")?, distinct(lines)?);
    let done = call
        .execute(sent, Command::ChangeOrderLines { id, lines })
        .await?;
    Ok(ok(&done, summary(&done)))
}

async fn pay_order(
    call: Call,
    Path(order): Path<String>,
    Strict(Payment { amount }, sent): Strict<Payment>,
) -> Answer {
    let id = id(&order, "order")?;
    let done = call.execute(sent, Command::PayOrder { id, amount }).await?;
    Ok(ok(&done, summary(&done)))
}

async fn ship_order(call: Call, Path(order): Path<String>, Strict(body, sent): Strict<Parcel>) -> Answer {
    let id = id(&order, "order")?;
    let shipment = Shipment {
        carrier: body.carrier,
        tracking_number: body.tracking_number,
    };
    let done = call.execute(sent, Command::ShipOrder { id, shipment }).await?;
    Ok(ok(&done, summary(&done)))
}

async fn deliver_order(
    call: Call,
    Path(order): Path<String>,
    Strict(Delivery {}, sent): Strict<Delivery>,
) -> Answer {
    let id = id(&order, "order")?;
    let done = call.execute(sent, Command::DeliverOrder { id }).await?;
    Ok(ok(&done, summary(&done)))
}

async fn cancel_order(
    call: Call,
    Path(order): Path<String>,
    Strict(Cancellation { reason }, sent): Strict<Cancellation>,
) -> Answer {
    let id = id(&order, "order")?;
    let done = call.execute(sent, Command::CancelOrder { id, reason }).await?;
    Ok(ok(&done, summary(&done)))
}

/// 1 to 100 lines, each SKU once.
fn distinct(lines: Vec<WantedLine>) -> Result<Vec<(Sku, Quantity)>, Problem> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        return Err(Problem::content("/lines", "an order has 1 to 100 lines"));
    }
    let mut seen = BTreeSet::new();
    for (position, line) in lines.iter().enumerate() {
        if !seen.insert(line.sku.as_str()) {
            let pointer = format!("/lines/{position}/sku");
            return Err(Problem::content(pointer, "this SKU is in the order already"));
        }
    }
    Ok(lines.into_iter().map(|line| (line.sku, line.quantity)).collect())
}

fn summary(done: &Accepted) -> Value {
    json!({ "id": done.subject, "version": done.version, "status": done.state["status"], "total": done.state["total"] })
}
