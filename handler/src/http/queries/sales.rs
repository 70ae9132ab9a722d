//! Sales: what was paid and what was given back, for each UTC day and in sum.
//! Never mixes currencies.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use time::Date;

use super::{
    conditional,
    listing::{QueryParameters, invalid},
    read_model,
};
use crate::{
    domain::value::{Currency, MAX_AMOUNT},
    http::{
        AppState,
        call::Caller,
        consistency::{ConsistencyToken, ReadConsistency},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
    read::view::{DaySales, day},
};

/// Most days of one answer.
const LONGEST: i64 = 366;

/// Sales from one day to another.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Sales {
    /// The first UTC day.
    from: String,
    /// The last UTC day.
    to: String,
    /// All days together, one entry for each currency.
    totals: Vec<SalesSums>,
    /// The days with sales, oldest first.
    days: Vec<SalesDay>,
}

/// Sales of one day.
#[derive(Debug, Serialize, JsonSchema)]
struct SalesDay {
    /// The UTC day.
    day: String,
    /// One entry for each currency.
    totals: Vec<SalesSums>,
}

/// Sums in one currency, in minor units. Cancelling a paid order counts on the day of the cancellation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SalesSums {
    currency: Currency,
    /// Orders that were paid.
    paid_orders: i64,
    /// Sum of the payments.
    paid: i64,
    /// Paid orders that were cancelled.
    cancelled_orders: i64,
    /// Sum of the payments for those.
    cancelled: i64,
    /// `paid` less `cancelled`.
    net: i64,
    /// The sums that are larger than 9007199254740991, either side of zero: they stand at that border. Absent when all are exact.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    capped: Vec<SalesSumName>,
}

/// A sum that is larger than what every reader of JSON holds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SalesSumName {
    /// `paid`
    Paid,
    /// `cancelled`
    Cancelled,
    /// `net`
    Net,
}

pub(in crate::http) fn get_doc() -> EndpointDoc {
    let sums = json!({
        "currency": "EUR", "paidOrders": 12, "paid": 31176, "cancelledOrders": 1, "cancelled": 2598, "net": 28578
    });
    let day = json!({ "day": "2026-11-25", "totals": [sums] });
    let example = json!({ "from": "2026-11-01", "to": "2026-11-30", "totals": [sums], "days": [day] });
    EndpointDoc::new::<Sales>("Read what was sold", example)
        .detail(
            "`from` and `to` are UTC days, both included, at most 366 days. A sum beyond 9007199254740991 stands at that border, \
             and `capped` names it.",
        )
        .day_range()
        .errors(&[ProblemKind::InvalidQuery, ProblemKind::ReadModelBehind])
}

/// `GET /api/sales?from=&to=`.
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    _staff: Caller,
    consistency: ReadConsistency,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let (from, to) = (date(&parameters, "from")?, date(&parameters, "to")?);
    if !(0..LONGEST).contains(&(to - from).whole_days()) {
        return Err(invalid(format!(
            "from is not after to, and there are at most {LONGEST} days"
        )));
    }
    let model = read_model(&state)?;
    let source = consistency
        .require(model, &consistency.positions(ConsistencyToken::sale))
        .await?;
    let rows = model.sales(from, to).await?;
    let mut totals: BTreeMap<Currency, DaySales> = BTreeMap::new();
    let mut days: BTreeMap<Date, Vec<SalesSums>> = BTreeMap::new();
    for row in rows {
        days.entry(row.day).or_default().push(sums(&row));
        match totals.get_mut(&row.currency) {
            Some(total) => add(total, &row),
            None => drop(totals.insert(row.currency.clone(), row)),
        }
    }
    let day = |(day, totals): (Date, Vec<SalesSums>)| SalesDay {
        day: day.to_string(),
        totals,
    };
    let sales = Sales {
        from: from.to_string(),
        to: to.to_string(),
        totals: totals.values().map(sums).collect(),
        days: days.into_iter().map(day).collect(),
    };
    Ok(consistency.annotate(source, conditional::list(&sales)?))
}

fn date(parameters: &QueryParameters, name: &str) -> Result<Date, Problem> {
    let found = parameters.get(name).and_then(day::parse);
    found.ok_or_else(|| invalid(format!("{name} is a UTC day, YYYY-MM-DD")))
}

fn add(total: &mut DaySales, row: &DaySales) {
    total.paid_orders = total.paid_orders.saturating_add(row.paid_orders);
    total.paid = total.paid.saturating_add(row.paid);
    total.cancelled_orders = total.cancelled_orders.saturating_add(row.cancelled_orders);
    total.cancelled = total.cancelled.saturating_add(row.cancelled);
}

/// The sums as they are answered: one that is larger than JSON's readers hold exactly (RFC 8259, section 6) is cut to what they do
/// hold, and named. The range of days is answered all the same: one sum must not hide the others.
fn sums(row: &DaySales) -> SalesSums {
    let mut capped = Vec::new();
    let mut cap = |name, sum: i128| match i64::try_from(sum) {
        Ok(sum) if (-MAX_AMOUNT..=MAX_AMOUNT).contains(&sum) => sum,
        _ => {
            capped.push(name);
            if sum < 0 { -MAX_AMOUNT } else { MAX_AMOUNT }
        }
    };
    SalesSums {
        currency: row.currency.clone(),
        paid_orders: row.paid_orders,
        paid: cap(SalesSumName::Paid, row.paid),
        cancelled_orders: row.cancelled_orders,
        cancelled: cap(SalesSumName::Cancelled, row.cancelled),
        net: cap(SalesSumName::Net, row.paid.saturating_sub(row.cancelled)),
        capped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::text;

    fn answered(paid: i128, cancelled: i128) -> (i64, i64, i64, Vec<SalesSumName>) {
        let sums = sums(&DaySales {
            day: Date::MIN,
            currency: text("EUR"),
            paid_orders: 2,
            paid,
            cancelled_orders: 0,
            cancelled,
        });
        (sums.paid, sums.cancelled, sums.net, sums.capped)
    }

    #[test]
    fn a_sum_beyond_the_border_stands_at_it_and_is_named() {
        use SalesSumName::{Cancelled, Net, Paid};
        let (most, beyond) = (i128::from(MAX_AMOUNT), i128::from(MAX_AMOUNT) + 1);
        assert_eq!(answered(most, most), (MAX_AMOUNT, MAX_AMOUNT, 0, vec![]));
        assert_eq!(answered(beyond, 0), (MAX_AMOUNT, 0, MAX_AMOUNT, vec![Paid, Net]));
        assert_eq!(
            answered(beyond, beyond),
            (MAX_AMOUNT, MAX_AMOUNT, 0, vec![Paid, Cancelled])
        );
        assert_eq!(
            answered(0, i128::MAX),
            (0, MAX_AMOUNT, -MAX_AMOUNT, vec![Cancelled, Net])
        );
        assert_eq!(answered(i128::MAX, i128::MIN).3, [Paid, Cancelled, Net]);
    }
}
