//! Sales: what was paid and what was given back, for each UTC day and in sum.
//! Never mixes currencies.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use time::Date;

use super::{
    fresh,
    listing::{Parameters, invalid},
    model,
};
use crate::{
    domain::value::{Currency, MAX_AMOUNT},
    http::{
        Reach,
        call::Caller,
        consistency::{Token, Wish},
        endpoint::Doc,
        problem::{Kind, Problem},
    },
    read::view::{DaySales, day},
};

/// Most days of one answer.
const LONGEST: i64 = 366;

/// What was sold from one day to another.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Sales {
    /// The first UTC day.
    from: String,
    /// The last UTC day.
    to: String,
    /// All days together, one entry for each currency.
    totals: Vec<Sums>,
    /// The days with sales, oldest first.
    days: Vec<Day>,
}

/// What was sold on one day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SalesDay")]
struct Day {
    /// The UTC day.
    day: String,
    /// One entry for each currency.
    totals: Vec<Sums>,
}

/// Sums in one currency, in minor units. Cancelling a paid order counts on the day of the cancellation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SalesSums")]
struct Sums {
    currency: Currency,
    /// Orders that were paid.
    paid_orders: i64,
    /// What was paid for them.
    paid: i64,
    /// Paid orders that were cancelled.
    cancelled_orders: i64,
    /// What had been paid for those.
    cancelled: i64,
    /// What is left: `paid` less `cancelled`.
    net: i64,
}

pub(in crate::http) fn get_doc() -> Doc {
    let sums = json!({
        "currency": "EUR", "paidOrders": 12, "paid": 31176, "cancelledOrders": 1, "cancelled": 2598, "net": 28578
    });
    let day = json!({ "day": "2026-11-25", "totals": [sums] });
    let example = json!({ "from": "2026-11-01", "to": "2026-11-30", "totals": [sums], "days": [day] });
    Doc::new::<Sales>("Read what was sold", example)
        .detail("`from` and `to` are UTC days, both included, at most 366 days.")
        .days()
        .refuses(&[Kind::InvalidQuery, Kind::AmountTooLarge, Kind::ReadModelBehind])
}

/// `GET /api/sales?from=&to=`.
pub(in crate::http) async fn get(
    State(reach): State<Reach>,
    _staff: Caller,
    wish: Wish,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let (from, to) = (date(&parameters, "from")?, date(&parameters, "to")?);
    if !(0..LONGEST).contains(&(to - from).whole_days()) {
        return Err(invalid(format!(
            "from is not after to, and there are at most {LONGEST} days"
        )));
    }
    let model = model(&reach)?;
    let source = wish.insist(model, &wish.mark(Token::sale)).await?;
    let rows = model.sales(from, to).await?;
    let mut totals: BTreeMap<Currency, DaySales> = BTreeMap::new();
    let mut days: BTreeMap<Date, Vec<Sums>> = BTreeMap::new();
    for row in rows {
        days.entry(row.day).or_default().push(sums(&row)?);
        match totals.get_mut(&row.currency) {
            Some(total) => add(total, &row),
            None => drop(totals.insert(row.currency.clone(), row)),
        }
    }
    let day = |(day, totals): (Date, Vec<Sums>)| Day {
        day: day.to_string(),
        totals,
    };
    let sales = Sales {
        from: from.to_string(),
        to: to.to_string(),
        totals: totals.values().map(sums).collect::<Result<_, _>>()?,
        days: days.into_iter().map(day).collect(),
    };
    Ok(wish.told(source, fresh::list(&sales)?))
}

fn date(parameters: &Parameters, name: &str) -> Result<Date, Problem> {
    let found = parameters.get(name).and_then(day::parse);
    found.ok_or_else(|| invalid(format!("{name} is a UTC day, YYYY-MM-DD")))
}

fn add(total: &mut DaySales, row: &DaySales) {
    total.paid_orders = total.paid_orders.saturating_add(row.paid_orders);
    total.paid = total.paid.saturating_add(row.paid);
    total.cancelled_orders = total.cancelled_orders.saturating_add(row.cancelled_orders);
    total.cancelled = total.cancelled.saturating_add(row.cancelled);
}

/// Sums may be larger than any one amount, and than what JSON's readers hold exactly (RFC 8259, section 6).
fn sums(row: &DaySales) -> Result<Sums, Problem> {
    let amount = |sum: i128| {
        let fits = i64::try_from(sum)
            .ok()
            .filter(|sum| sum.unsigned_abs() <= MAX_AMOUNT.unsigned_abs());
        fits.ok_or_else(|| Problem::new(Kind::AmountTooLarge, "ask for fewer days"))
    };
    Ok(Sums {
        currency: row.currency.clone(),
        paid_orders: row.paid_orders,
        paid: amount(row.paid)?,
        cancelled_orders: row.cancelled_orders,
        cancelled: amount(row.cancelled)?,
        net: amount(row.paid.saturating_sub(row.cancelled))?,
    })
}
