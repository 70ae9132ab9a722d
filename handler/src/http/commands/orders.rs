//! Commands about orders: place, change lines, pay, ship, deliver, cancel.
//! Never takes a price from a caller: at most the total that the caller expects.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::id;
use crate::{
    domain::{
        command::Command,
        order::{OrderCommand, Shipment},
        value::{MAX_LINES, Money, Name, Quantity, Reason, Sku, fresh},
    },
    http::{
        answer::{CommandResult, OrderAnswer, changed, created},
        call::{CommandRequest, PathId},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct Placement {
    /// The customer who orders; for a customer, their own id when it is left out.
    #[schemars(extend("x-required-of-staff" = SAY_WHOSE))]
    customer_id: Option<Uuid>,
    /// The lines, each SKU once.
    #[schemars(length(min = 1, max = MAX_LINES), extend("x-unique-by" = "sku"))]
    lines: Vec<WantedLine>,
    /// The total that the caller expects; when it is another one nothing is ordered.
    expected_total: Option<Money>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct NewLines {
    /// All lines as they are to be, each SKU once.
    #[schemars(length(min = 1, max = MAX_LINES), extend("x-unique-by" = "sku"))]
    lines: Vec<WantedLine>,
    /// The total that the caller expects then; when it is another one nothing is changed.
    expected_total: Option<Money>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedLine {
    /// The product.
    sku: Sku,
    /// Pieces.
    quantity: Quantity,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Payment {
    /// The amount that was paid: the order's total.
    amount: Money,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct Parcel {
    /// Name of the carrier.
    #[serde(deserialize_with = "fresh")]
    carrier: Name,
    /// The carrier's number for it.
    #[serde(deserialize_with = "fresh")]
    tracking_number: Name,
}

/// `{}`: a delivery needs no details.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Delivery {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Cancellation {
    /// The reason, in a person's words.
    #[serde(deserialize_with = "fresh")]
    reason: Reason,
}

/// Fault of a placement by staff that names no customer.
const SAY_WHOSE: &str = "say whose order it is";

/// Problems with the lines of an order.
const ABOUT_LINES: [ProblemKind; 5] = [
    ProblemKind::UnlistedProduct,
    ProblemKind::NotEnoughStock,
    ProblemKind::MixedCurrencies,
    ProblemKind::AmountTooLarge,
    ProblemKind::PriceChanged,
];

fn example(version: i64, status: &str) -> Value {
    json!({ "id": "0198c9c1-0000-7000-8000-000000000002", "version": version, "status": status, "total": total() })
}

fn total() -> Value {
    json!({ "amount": 2598, "currency": "EUR" })
}

fn lines() -> Value {
    json!([{ "sku": "MUG-BLUE", "quantity": 2 }])
}

pub(in crate::http) fn place_doc() -> EndpointDoc {
    let id = "0198c9c1-0000-7000-8000-000000000001";
    EndpointDoc::new::<OrderAnswer<'_>>("Place an order", example(1, "placed"))
        .body::<Placement>(json!({ "customerId": id, "lines": lines(), "expectedTotal": total() }))
        .status(201)
        .detail("Prices are the products' own, at the time of the order. The pieces are taken from stock at once.")
        .errors(&[ProblemKind::UnregisteredCustomer])
        .errors(&ABOUT_LINES)
}

pub(in crate::http) async fn place(
    CommandRequest { call, body }: CommandRequest<Placement>,
) -> CommandResult {
    let customer = body.customer_id.or(call.caller.scope.only());
    let place = OrderCommand::Place {
        customer: customer.ok_or_else(|| Problem::content("/customerId", SAY_WHOSE))?,
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    let command = Command::Order(Uuid::now_v7(), place);
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn change_lines_doc() -> EndpointDoc {
    EndpointDoc::new::<OrderAnswer<'_>>("Give an order other lines", example(2, "placed"))
        .body::<NewLines>(json!({ "lines": lines() }))
        .detail("While it is placed. What stays keeps its price; what is new takes today's.")
        .errors(&[ProblemKind::UnknownOrder, ProblemKind::WrongStatus])
        .errors(&ABOUT_LINES)
}

pub(in crate::http) async fn change_lines(
    PathId(order): PathId,
    CommandRequest { call, body }: CommandRequest<NewLines>,
) -> CommandResult {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let change = OrderCommand::ChangeLines {
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    Ok(changed(&call.execute(Command::Order(id, change)).await?))
}

pub(in crate::http) fn pay_doc() -> EndpointDoc {
    EndpointDoc::new::<OrderAnswer<'_>>("Take the payment for an order", example(2, "paid"))
        .body::<Payment>(json!({ "amount": total() }))
        .detail("While it is placed; exactly its total.")
        .errors(&[
            ProblemKind::UnknownOrder,
            ProblemKind::WrongStatus,
            ProblemKind::WrongAmount,
        ])
}

pub(in crate::http) async fn pay(
    PathId(order): PathId,
    CommandRequest {
        call,
        body: Payment { amount },
    }: CommandRequest<Payment>,
) -> CommandResult {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let command = Command::Order(id, OrderCommand::Pay { amount });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn ship_doc() -> EndpointDoc {
    EndpointDoc::new::<OrderAnswer<'_>>("Ship an order", example(3, "shipped"))
        .body::<Parcel>(json!({ "carrier": "Post", "trackingNumber": "1Z999" }))
        .detail("Once it is paid.")
        .errors(&[ProblemKind::UnknownOrder, ProblemKind::WrongStatus])
}

pub(in crate::http) async fn ship(
    PathId(order): PathId,
    CommandRequest { call, body }: CommandRequest<Parcel>,
) -> CommandResult {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let shipment = Shipment {
        carrier: body.carrier,
        tracking_number: body.tracking_number,
    };
    let command = Command::Order(id, OrderCommand::Ship { shipment });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn deliver_doc() -> EndpointDoc {
    EndpointDoc::new::<OrderAnswer<'_>>("Note that an order has arrived", example(4, "delivered"))
        .body::<Delivery>(json!({}))
        .detail("Once it is shipped.")
        .errors(&[ProblemKind::UnknownOrder, ProblemKind::WrongStatus])
}

pub(in crate::http) async fn deliver(
    PathId(order): PathId,
    CommandRequest {
        call,
        body: Delivery {},
    }: CommandRequest<Delivery>,
) -> CommandResult {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let command = Command::Order(id, OrderCommand::Deliver);
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn cancel_doc() -> EndpointDoc {
    EndpointDoc::new::<OrderAnswer<'_>>("Cancel an order", example(2, "cancelled"))
        .body::<Cancellation>(json!({ "reason": "Changed my mind." }))
        .detail("While it is placed or paid; its pieces go back into stock.")
        .errors(&[ProblemKind::UnknownOrder, ProblemKind::WrongStatus])
}

pub(in crate::http) async fn cancel(
    PathId(order): PathId,
    CommandRequest {
        call,
        body: Cancellation { reason },
    }: CommandRequest<Cancellation>,
) -> CommandResult {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let command = Command::Order(id, OrderCommand::Cancel { reason });
    Ok(changed(&call.execute(command).await?))
}

/// The lines of a command; the schema has made sure that each SKU is there once.
fn wanted(lines: Vec<WantedLine>) -> Vec<(Sku, Quantity)> {
    lines.into_iter().map(|line| (line.sku, line.quantity)).collect()
}
