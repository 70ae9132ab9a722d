//! Container `sales`: what was sold on each UTC day, spread over 16 shards, and a marker for each event that counted.
//! Never counts a thing twice: the marker is made in one batch with the sum, and making it again fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;
use uuid::Uuid;

use super::Generation;
use crate::{
    domain::{
        order::{Order, OrderProgress},
        timestamp::Timestamp,
        value::{Currency, Money},
    },
    read::view::{DaySales, day},
};

/// Partitions that share a day, so that its writes go to as many places at once.
const SHARDS: u128 = 16;
/// The sums of a shard have this id in its partition.
pub const TOTALS: &str = "totals";

/// An order was paid, or a paid one cancelled: a fact that never changes, and counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    generation: Generation,
    event: Uuid,
    order: Uuid,
    day: Date,
    amount: Money,
    cancelled: bool,
}

/// The sums of one shard of a day; partition key `"1|<day>|<shard>"`, id `"totals"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TotalsDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    #[serde(with = "day")]
    day: Date,
    currencies: BTreeMap<String, CurrencySums>,
}

/// Sums of one currency. Amounts are decimal text: a number in Cosmos DB is a double, and exact only up to 2^53.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CurrencySums {
    paid_orders: i64,
    #[serde(with = "text")]
    paid: i128,
    cancelled_orders: i64,
    #[serde(with = "text")]
    cancelled: i128,
}

/// The sign that an event was counted; partition key `"1|<day>|<shard>"`, id the event's. It stays for ever: a replay of
/// any age must find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkerDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    order_id: Uuid,
}

/// Partition key of the shard in which this order's sales of a day are counted.
#[must_use]
pub fn shard(generation: Generation, day: Date, order: Uuid) -> String {
    generation.partition(&format!("{day}|{}", order.as_u128() % SHARDS))
}

impl Sale {
    /// The sale in which this event results: it is the event that has made the order paid, or cancelled a paid one.
    #[must_use]
    pub fn from_event(generation: Generation, event: Uuid, order: &Order, at: Timestamp) -> Option<Self> {
        let cancelled = match &order.progress {
            OrderProgress::Paid { .. } => false,
            OrderProgress::Cancelled { paid_at: Some(_), .. } => true,
            _ => return None,
        };
        Some(Self {
            generation,
            event,
            order: order.id,
            day: at.utc().date(),
            amount: order.total.clone(),
            cancelled,
        })
    }

    /// Partition key of the shard that counts it.
    #[must_use]
    pub fn pk(&self) -> String {
        shard(self.generation, self.day, self.order)
    }

    /// The sign that it was counted.
    #[must_use]
    pub fn marker(&self) -> MarkerDocument {
        MarkerDocument {
            id: self.event.to_string(),
            pk: self.pk(),
            r#gen: self.generation,
            kind: "marker".to_owned(),
            order_id: self.order,
        }
    }

    /// The sums with this sale in them.
    #[must_use]
    pub fn added_to(&self, existing: Option<&TotalsDocument>) -> TotalsDocument {
        let mut totals = existing.cloned().unwrap_or_else(|| TotalsDocument {
            id: TOTALS.to_owned(),
            pk: self.pk(),
            r#gen: self.generation,
            kind: TOTALS.to_owned(),
            day: self.day,
            currencies: BTreeMap::new(),
        });
        let currency = self.amount.currency.as_str().to_owned();
        let sums = totals.currencies.entry(currency).or_default();
        let amount = i128::from(self.amount.amount);
        if self.cancelled {
            sums.cancelled_orders = sums.cancelled_orders.saturating_add(1);
            sums.cancelled = sums.cancelled.saturating_add(amount);
        } else {
            sums.paid_orders = sums.paid_orders.saturating_add(1);
            sums.paid = sums.paid.saturating_add(amount);
        }
        totals
    }
}

impl TotalsDocument {
    /// The UTC day.
    #[must_use]
    pub fn day(&self) -> Date {
        self.day
    }

    /// Its partition key.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }
}

impl MarkerDocument {
    /// Its id in the partition.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The sales of each day and currency, out of all shards, by day and currency.
#[must_use]
pub fn by_day(shards: impl IntoIterator<Item = TotalsDocument>) -> Vec<DaySales> {
    let mut days: BTreeMap<(Date, Currency), CurrencySums> = BTreeMap::new();
    for TotalsDocument { day, currencies, .. } in shards {
        for (currency, sums) in currencies {
            // We wrote it, so it is one.
            let Ok(currency) = Currency::try_from(currency) else {
                continue;
            };
            let all = days.entry((day, currency)).or_default();
            all.paid_orders = all.paid_orders.saturating_add(sums.paid_orders);
            all.paid = all.paid.saturating_add(sums.paid);
            all.cancelled_orders = all.cancelled_orders.saturating_add(sums.cancelled_orders);
            all.cancelled = all.cancelled.saturating_add(sums.cancelled);
        }
    }
    let row = |((day, currency), sums): ((Date, Currency), CurrencySums)| DaySales {
        day,
        currency,
        paid_orders: sums.paid_orders,
        paid: sums.paid,
        cancelled_orders: sums.cancelled_orders,
        cancelled: sums.cancelled,
    };
    days.into_iter().map(row).collect()
}

/// Whole numbers as decimal text.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_that_are_as_large_as_can_be_stay_so_and_nothing_overflows() {
        let most = json!({
            "id": TOTALS, "pk": "1|2026-11-25|0", "gen": 1, "kind": "totals", "day": "2026-11-25",
            "currencies": { "EUR": { "paidOrders": i64::MAX, "paid": i128::MAX.to_string(),
                "cancelledOrders": 0, "cancelled": i128::MIN.to_string() } },
        });
        let most: TotalsDocument = serde_json::from_value(most).unwrap();
        let days = by_day(vec![most.clone(), most.clone()]);
        assert_eq!((days[0].paid_orders, days[0].paid), (i64::MAX, i128::MAX));
        assert_eq!(days[0].cancelled, i128::MIN);
    }
}
