//! Orders: placed, changed, paid, shipped, delivered, called off.
//! Never takes a price from a caller: at most what the caller believes the whole costs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::id;
use crate::{
    domain::{
        order::Shipment,
        value::{MAX_LINES, Money, Name, Quantity, Reason, Sku, fresh},
    },
    http::{
        answer::{Answer, OrderAnswer, changed, created},
        call::{Given, Named},
        endpoint::Doc,
        problem::{Kind, Problem},
    },
    write::Command,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct Placement {
    /// Who orders; a customer may leave it out, and is meant then.
    customer_id: Option<Uuid>,
    /// What is wanted, each SKU once.
    #[schemars(length(min = 1, max = MAX_LINES), extend("x-unique-by" = "sku"))]
    lines: Vec<WantedLine>,
    /// What the caller believes it costs; when it costs something else nothing is ordered.
    expected_total: Option<Money>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct NewLines {
    /// All that is wanted now, each SKU once.
    #[schemars(length(min = 1, max = MAX_LINES), extend("x-unique-by" = "sku"))]
    lines: Vec<WantedLine>,
    /// What the caller believes it costs then; when it costs something else nothing is changed.
    expected_total: Option<Money>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedLine {
    /// Which product.
    sku: Sku,
    /// How many.
    quantity: Quantity,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Payment {
    /// What was paid: the order's total.
    amount: Money,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct Parcel {
    /// Who carries it.
    #[serde(deserialize_with = "fresh")]
    carrier: Name,
    /// The carrier's number for it.
    #[serde(deserialize_with = "fresh")]
    tracking_number: Name,
}

/// `{}`: nothing more is to be said of a delivery.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Delivery {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Cancellation {
    /// Why, in a person's words.
    #[serde(deserialize_with = "fresh")]
    reason: Reason,
}

/// What is refused about the lines of an order.
const ABOUT_LINES: [Kind; 5] = [
    Kind::UnlistedProduct,
    Kind::NotEnoughStock,
    Kind::MixedCurrencies,
    Kind::AmountTooLarge,
    Kind::PriceChanged,
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

pub(in crate::http) fn place_doc() -> Doc {
    let id = "0198c9c1-0000-7000-8000-000000000001";
    Doc::new::<OrderAnswer<'_>>("Place an order", example(1, "placed"))
        .takes::<Placement>(json!({ "customerId": id, "lines": lines(), "expectedTotal": total() }))
        .creates()
        .detail("Prices are the products' own, at the time of the order. The pieces are taken from stock at once.")
        .refuses(&[Kind::UnregisteredCustomer])
        .refuses(&ABOUT_LINES)
}

pub(in crate::http) async fn place(Given { call, body }: Given<Placement>) -> Answer {
    let whose = "say whose order it is";
    let customer = body.customer_id.or(call.caller.scope.only());
    let command = Command::PlaceOrder {
        id: Uuid::now_v7(),
        customer: customer.ok_or_else(|| Problem::content("/customerId", whose))?,
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn change_lines_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Give an order other lines", example(2, "placed"))
        .takes::<NewLines>(json!({ "lines": lines() }))
        .detail("While it is placed. What stays keeps its price; what is new takes today's.")
        .refuses(&[Kind::UnknownOrder, Kind::WrongStatus])
        .refuses(&ABOUT_LINES)
}

pub(in crate::http) async fn change_lines(
    Named(order): Named,
    Given { call, body }: Given<NewLines>,
) -> Answer {
    let command = Command::ChangeOrderLines {
        id: id(&order, Kind::UnknownOrder)?,
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn pay_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Take the payment for an order", example(2, "paid"))
        .takes::<Payment>(json!({ "amount": total() }))
        .detail("While it is placed; exactly its total.")
        .refuses(&[Kind::UnknownOrder, Kind::WrongStatus, Kind::WrongAmount])
}

pub(in crate::http) async fn pay(
    Named(order): Named,
    Given {
        call,
        body: Payment { amount },
    }: Given<Payment>,
) -> Answer {
    let id = id(&order, Kind::UnknownOrder)?;
    Ok(changed(&call.execute(Command::PayOrder { id, amount }).await?))
}

pub(in crate::http) fn ship_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Send an order off", example(3, "shipped"))
        .takes::<Parcel>(json!({ "carrier": "Post", "trackingNumber": "1Z999" }))
        .detail("Once it is paid.")
        .refuses(&[Kind::UnknownOrder, Kind::WrongStatus])
}

pub(in crate::http) async fn ship(Named(order): Named, Given { call, body }: Given<Parcel>) -> Answer {
    let id = id(&order, Kind::UnknownOrder)?;
    let shipment = Shipment {
        carrier: body.carrier,
        tracking_number: body.tracking_number,
    };
    Ok(changed(&call.execute(Command::ShipOrder { id, shipment }).await?))
}

pub(in crate::http) fn deliver_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Note that an order has arrived", example(4, "delivered"))
        .takes::<Delivery>(json!({}))
        .detail("Once it is shipped.")
        .refuses(&[Kind::UnknownOrder, Kind::WrongStatus])
}

pub(in crate::http) async fn deliver(
    Named(order): Named,
    Given {
        call,
        body: Delivery {},
    }: Given<Delivery>,
) -> Answer {
    let id = id(&order, Kind::UnknownOrder)?;
    Ok(changed(&call.execute(Command::DeliverOrder { id }).await?))
}

pub(in crate::http) fn cancel_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Call an order off", example(2, "cancelled"))
        .takes::<Cancellation>(json!({ "reason": "Changed my mind." }))
        .detail("While it is placed or paid; its pieces go back into stock.")
        .refuses(&[Kind::UnknownOrder, Kind::WrongStatus])
}

pub(in crate::http) async fn cancel(
    Named(order): Named,
    Given {
        call,
        body: Cancellation { reason },
    }: Given<Cancellation>,
) -> Answer {
    let id = id(&order, Kind::UnknownOrder)?;
    Ok(changed(&call.execute(Command::CancelOrder { id, reason }).await?))
}

/// As the command takes them: that each SKU is there once has been seen to, as the schema says it.
fn wanted(lines: Vec<WantedLine>) -> Vec<(Sku, Quantity)> {
    lines.into_iter().map(|line| (line.sku, line.quantity)).collect()
}
