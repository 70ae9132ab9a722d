//! The sums of sales, against the payments and cancellations of the log.
//! Never holds more sums than those of a few days: the log goes by days, but for clocks that differ a little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;
use tokio::time::sleep;

use super::report::{Difference, DueEvents, PartialReport, VerificationReport};
use crate::{
    domain::aggregate::Aggregate,
    jobs::{
        engine::{JobError, StepContext, patiently},
        events::incoming,
        read_model::ReadModelAdmin,
    },
    log::{LogEntry, LogStore},
    read::{
        connection::CosmosContainer,
        document::{
            Generation,
            sales::{Sale, TOTALS, TotalsDocument},
        },
        store::{Collection, FoundDocument},
    },
};

/// Positions of the log that one step goes through.
const WINDOW: i64 = 2_000;
/// A day is compared when sales of so many days after it have been seen.
const OPEN_DAYS: Duration = Duration::days(2);
/// Most passes over sums that differ, and the pause between them.
const PASSES: u32 = 3;
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(200);
/// Most sums that are looked at again: with more of them wrong, more is wrong than a moment's delay.
const MOST_AGAIN: usize = 1_000;

/// The progress of this part.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SumCursor {
    /// Passes that are over.
    passes: u32,
    /// The log's end when this pass began.
    until: Option<i64>,
    /// Everything up to this position is summed up.
    position: i64,
    /// Sums that are not compared yet, by partition.
    open: BTreeMap<String, OpenSum>,
    /// Those that differed in the pass before, with what was found: only they are summed up again.
    again: Option<BTreeMap<String, Value>>,
    /// The first of those that differ in this pass, and whether a sale in them may be under way.
    differences: Vec<(Difference, bool)>,
    /// Sums that were held against the log.
    documents: i64,
}

/// A sum so far.
#[derive(Debug, Serialize, Deserialize)]
struct OpenSum {
    sum: TotalsDocument,
    /// It has a sale in it that may be under way.
    is_fresh: bool,
}

impl SumCursor {
    /// Does some of it; true when all is compared, and in the report.
    pub(super) async fn advance(
        &mut self,
        admin: &ReadModelAdmin<impl LogStore, impl Collection>,
        due: DueEvents,
        report: &mut VerificationReport,
        context: &StepContext<'_>,
    ) -> Result<bool, JobError> {
        let until = match self.until {
            Some(until) => until,
            None => *self
                .until
                .insert(patiently(|| async { Ok(admin.log.last().await?) }).await?),
        };
        let store = admin.container(CosmosContainer::Sales);
        if self.position < until {
            let position = self.position;
            let upto = (position + WINDOW).min(until);
            let sales = patiently(|| async { Ok(admin.log.sales(position, upto).await?) }).await?;
            // What is no event is named where its aggregate is compared.
            let sales: Vec<LogEntry> = sales.into_iter().flatten().collect();
            let broken = self.sum_up(report.generation, due, &sales);
            if self.passes == 0 {
                report.add(broken);
            }
            self.position = upto;
            self.compare(store, self.closed_days()).await?;
            context.progress("sales summed up", upto, until);
            return Ok(false);
        }
        self.compare(store, self.open.keys().cloned().collect()).await?;
        Ok(self.end_pass(report).await)
    }

    fn sum_up(&mut self, of: Generation, due: DueEvents, sales: &[LogEntry]) -> PartialReport {
        let mut broken = PartialReport::default();
        for row in sales {
            let event = match incoming(&row.event) {
                Ok(event) => event,
                Err(why) => {
                    broken.broken(&row.event.subject, &why);
                    continue;
                }
            };
            let Aggregate::Order(order) = &event.state else {
                continue;
            };
            let Some(sale) = Sale::from_event(of, event.event_id, order, event.at) else {
                continue;
            };
            let pk = sale.pk();
            if self.again.as_ref().is_none_or(|again| again.contains_key(&pk)) {
                let before = self.open.get(&pk);
                let is_fresh = before.is_some_and(|open| open.is_fresh) || !due.includes(row);
                let sum = sale.added_to(before.map(|open| &open.sum));
                self.open.insert(pk, OpenSum { sum, is_fresh });
            }
        }
        broken
    }

    /// The sums of days that are long over. A sale that comes after all makes its sum differ, and that is summed up again, then
    /// to the end.
    fn closed_days(&self) -> Vec<String> {
        let newest = self.open.values().map(|open| open.sum.day()).max();
        let Some(newest) = newest.filter(|_| self.again.is_none()) else {
            return Vec::new();
        };
        let closed = self
            .open
            .iter()
            .filter(|(_, open)| newest - open.sum.day() > OPEN_DAYS);
        closed.map(|(pk, _)| pk.clone()).collect()
    }

    /// Compares these sums; each is open until that is done.
    async fn compare(&mut self, store: &impl Collection, sums: Vec<String>) -> Result<(), JobError> {
        for pk in sums {
            let found: Option<FoundDocument<TotalsDocument>> = patiently(|| async {
                let found = store.read(&pk, TOTALS).await?;
                Ok(found.map(|found| found.document))
            })
            .await?;
            let Some(OpenSum { sum, is_fresh }) = self.open.remove(&pk) else {
                continue;
            };
            let mut compared = PartialReport::default();
            compared.document((&pk, TOTALS), Some(sum), found, false);
            if self.again.is_none() {
                self.documents += compared.documents;
            }
            // With so many there is no other pass.
            if self.differences.len() <= MOST_AGAIN {
                let different = compared.different.into_iter();
                self.differences.extend(different.map(|it| (it, is_fresh)));
            }
        }
        Ok(())
    }

    /// True when no other pass is needed: what differs, and stands still, is in the report then.
    async fn end_pass(&mut self, report: &mut VerificationReport) -> bool {
        self.passes += 1;
        let differences = std::mem::take(&mut self.differences);
        let last = self.passes == PASSES || differences.len() > MOST_AGAIN;
        if !differences.is_empty() && !last {
            let found = differences.into_iter().map(|(it, _)| (it.pk, it.found));
            self.again = Some(found.collect());
            (self.until, self.position) = (None, 0);
            sleep(BETWEEN).await;
            return false;
        }
        let before = self.again.take().unwrap_or_default();
        let mut compared = PartialReport {
            documents: std::mem::take(&mut self.documents),
            ..PartialReport::default()
        };
        for (it, is_fresh) in differences {
            if before.get(&it.pk).is_some_and(|found| *found != it.found) {
                compared.moving += 1;
            } else if is_fresh {
                compared.behind += 1;
            } else {
                compared.different.push(it);
            }
        }
        report.add(compared);
        true
    }
}
