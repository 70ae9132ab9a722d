//! The sums of sales, against the payments and cancellations of the log.
//! Never holds more sums than those of a few days: the log goes by days, but for clocks that differ a little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;
use tokio::time::sleep;

use super::{Compared, Difference, Report};
use crate::{
    operations::{Failed, Tell, incoming, model::Model, patiently},
    read::{
        connection::Container,
        document::{
            Generation,
            sales::{Sale, TOTALS, TotalsDocument},
        },
        incoming::State,
        store::Store,
    },
    write::outbox::Pending,
};

/// Positions of the log that one piece goes through.
const WINDOW: i64 = 2_000;
/// A day is compared when sales of so many days after it have been seen.
const OPEN_DAYS: Duration = Duration::days(2);
/// How often what differs is summed up again, and after how long.
const PASSES: u32 = 3;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(200);
/// Most sums that are looked at again: with more of them wrong, more is wrong than a moment's delay.
const MOST_AGAIN: usize = 1_000;

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Passes that are over.
    passes: u32,
    /// The log's end when this pass began.
    until: Option<i64>,
    /// Everything up to this position is summed up.
    position: i64,
    /// Sums that are not compared yet, by partition.
    open: BTreeMap<String, TotalsDocument>,
    /// Those that differed in the pass before, with what was found: only they are summed up again.
    again: Option<BTreeMap<String, Value>>,
    /// Those that differ in this pass.
    differences: Vec<Difference>,
    /// Sums that were held against the log.
    documents: i64,
}

impl Cursor {
    /// Does some of it; true when all is compared, and in the report.
    pub(super) async fn piece(
        &mut self,
        model: &Model,
        report: &mut Report,
        tell: Tell<'_>,
    ) -> Result<bool, Failed> {
        let until = match self.until {
            Some(until) => until,
            None => *self
                .until
                .insert(patiently(async || Ok(model.log.last().await?)).await?),
        };
        let store = Store::new(&model.connection, Container::Sales);
        if self.position < until {
            let upto = (self.position + WINDOW).min(until);
            let sales = patiently(async || Ok(model.log.sales(self.position, upto).await?)).await?;
            self.sum_up(report.generation, &sales)?;
            self.position = upto;
            let closed = self.closed_days();
            self.compare(&store, closed).await?;
            tell("sales summed up", upto, until);
            return Ok(false);
        }
        let rest = std::mem::take(&mut self.open);
        self.compare(&store, rest.into_values().collect()).await?;
        Ok(self.end_pass(report).await)
    }

    fn sum_up(&mut self, of: Generation, sales: &[Pending]) -> Result<(), Failed> {
        for row in sales {
            let event = incoming(&row.event)?;
            let State::Order(order) = &event.state else {
                continue;
            };
            let Some(sale) = Sale::of(of, event.event_id, order, event.at) else {
                continue;
            };
            let pk = sale.pk();
            if self.again.as_ref().is_none_or(|again| again.contains_key(&pk)) {
                let sum = sale.added_to(self.open.get(&pk));
                self.open.insert(pk, sum);
            }
        }
        Ok(())
    }

    /// Takes out the sums of days that are long over. A sale that comes after all makes its sum differ, and that is summed up
    /// again, then to the end.
    fn closed_days(&mut self) -> Vec<TotalsDocument> {
        let newest = self.open.values().map(TotalsDocument::day).max();
        let Some(newest) = newest.filter(|_| self.again.is_none()) else {
            return Vec::new();
        };
        let is_closed = |sum: &TotalsDocument| newest - sum.day() > OPEN_DAYS;
        let closed = self.open.extract_if(.., |_, sum| is_closed(sum));
        closed.map(|(_, sum)| sum).collect()
    }

    async fn compare(&mut self, store: &Store, sums: Vec<TotalsDocument>) -> Result<(), Failed> {
        for sum in sums {
            let pk = sum.pk().to_owned();
            let found: Option<TotalsDocument> = patiently(async || {
                let found = store.read(&pk, TOTALS).await?;
                Ok(found.map(|found| found.document))
            })
            .await?;
            let mut compared = Compared::default();
            compared.document((&pk, TOTALS), Some(sum), found, false);
            if self.again.is_none() {
                self.documents += compared.documents;
            }
            self.differences.extend(compared.different);
        }
        Ok(())
    }

    /// True when no other pass is needed: what differs, and stands still, is in the report then.
    async fn end_pass(&mut self, report: &mut Report) -> bool {
        self.passes += 1;
        let differences = std::mem::take(&mut self.differences);
        let found = |it: &Difference| (it.pk.clone(), it.found.clone());
        let last = self.passes == PASSES || differences.len() > MOST_AGAIN;
        if !differences.is_empty() && !last {
            self.again = Some(differences.iter().map(found).collect());
            (self.until, self.position) = (None, 0);
            sleep(BETWEEN).await;
            return false;
        }
        let before = self.again.take().unwrap_or_default();
        let moves = |it: &Difference| before.get(&it.pk).is_some_and(|found| *found != it.found);
        let (moving, different): (Vec<_>, Vec<_>) = differences.into_iter().partition(moves);
        report.add(Compared {
            documents: self.documents,
            behind: 0,
            moving: i64::try_from(moving.len()).unwrap_or(i64::MAX),
            different,
        });
        true
    }
}
