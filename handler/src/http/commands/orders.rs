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
        answer::{Answer, OrderAnswer, changed, created},
        call::{Given, Named},
        endpoint::Doc,
        problem::{Kind, Problem},
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::http) struct Placement {
    /// The customer who orders; for a customer, their own id when it is left out.
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

/// Problems with the lines of an order.
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
    let place = OrderCommand::Place {
        customer: customer.ok_or_else(|| Problem::content("/customerId", whose))?,
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    let command = Command::Order(Uuid::now_v7(), place);
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
    let id = id(&order, Kind::UnknownOrder)?;
    let change = OrderCommand::ChangeLines {
        lines: wanted(body.lines),
        expected_total: body.expected_total,
    };
    Ok(changed(&call.execute(Command::Order(id, change)).await?))
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
    let command = Command::Order(id, OrderCommand::Pay { amount });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn ship_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Ship an order", example(3, "shipped"))
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
    let command = Command::Order(id, OrderCommand::Ship { shipment });
    Ok(changed(&call.execute(command).await?))
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
    let command = Command::Order(id, OrderCommand::Deliver);
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn cancel_doc() -> Doc {
    Doc::new::<OrderAnswer<'_>>("Cancel an order", example(2, "cancelled"))
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
    let command = Command::Order(id, OrderCommand::Cancel { reason });
    Ok(changed(&call.execute(command).await?))
}

/// The lines of a command; the schema has made sure that each SKU is there once.
fn wanted(lines: Vec<WantedLine>) -> Vec<(Sku, Quantity)> {
    lines.into_iter().map(|line| (line.sku, line.quantity)).collect()
}
