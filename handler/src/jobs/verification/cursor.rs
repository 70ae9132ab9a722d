//! One pass over all documents of a generation: aggregate by aggregate, then documents of none, sums of sales, and what was late.
//! Never takes what is under way for wrong: it is counted as behind, and looked at again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    aggregate,
    report::{Difference, DueEvents, LateStock, PartialReport, VerificationReport},
    strays::StrayCursor,
    sums::SumCursor,
};
use crate::{
    jobs::{
        engine::{JobError, StepContext, patiently},
        read_model::ReadModelAdmin,
    },
    log::LogStore,
    read::{
        document::{Generation, product::PRODUCT},
        store::Collection,
    },
};

/// Most stock levels that are remembered as late; with more of them, projections are behind as a whole.
const MOST_LATE: usize = 1_000;
/// Between two looks at what is late.
const LOOK: Duration = Duration::from_secs(1);

/// The progress of a verification.
#[derive(Debug, Serialize, Deserialize)]
pub struct VerificationCursor {
    due: DueEvents,
    percent: u32,
    grace_seconds: u32,
    /// The last position that is compared; later aggregates are for the next time: a busy shop would never end.
    until: Option<i64>,
    /// Aggregates up to this one are compared, in the database's order of text.
    after: String,
    /// The documents that are of no aggregate of the log, once all of its aggregates are compared.
    #[serde(default)]
    strays: StrayCursor,
    /// The sales, once those are looked for.
    sums: Option<SumCursor>,
    /// The sales are compared as well.
    summed: bool,
    /// Stock levels that were behind.
    late: Vec<LateStock>,
    report: VerificationReport,
}

impl VerificationCursor {
    pub(in crate::jobs) fn new(of: Generation, due: DueEvents, percent: u32, grace_seconds: u32) -> Self {
        Self {
            due,
            grace_seconds,
            percent,
            until: None,
            after: String::new(),
            strays: StrayCursor::default(),
            sums: None,
            summed: false,
            late: Vec::new(),
            report: VerificationReport {
                generation: of,
                ..VerificationReport::default()
            },
        }
    }

    pub(in crate::jobs) fn report(&self) -> &VerificationReport {
        &self.report
    }

    /// Compares some more; true when all is compared.
    pub(in crate::jobs) async fn advance(
        &mut self,
        admin: &ReadModelAdmin<impl LogStore, impl Collection>,
        context: &StepContext<'_>,
    ) -> Result<bool, JobError> {
        let of = self.report.generation;
        if !admin.pointer().await?.written().contains(&of) {
            return Err(JobError::refused(format!(
                "there is no generation {of}, or no more"
            )));
        }
        if self.summed {
            return self.wait_for_late(admin, context).await;
        }
        let until = match self.until {
            Some(until) => until,
            None => *self
                .until
                .insert(patiently(|| async { Ok(admin.log.last().await?) }).await?),
        };
        if let Some(sums) = &mut self.sums {
            self.summed = sums.advance(admin, self.due, &mut self.report, context).await?;
            return Ok(false);
        }
        let aggregates = aggregate::Aggregates::new(admin, of, self.due);
        let next = aggregates.next(&self.after, until, self.percent).await?;
        let Some((last, compared)) = next else {
            let percent = self.percent;
            if self
                .strays
                .advance(admin, percent, &mut self.report, context)
                .await?
            {
                self.sums = Some(SumCursor::default());
            }
            return Ok(false);
        };
        self.after = last;
        for mut of_one in compared {
            self.report.aggregates += 1;
            for late in std::mem::take(&mut of_one.late) {
                if self.late.len() < MOST_LATE {
                    self.late.push(late);
                } else {
                    self.report.moving += 1;
                }
            }
            self.report.add(of_one);
        }
        context.progress("aggregates compared", self.report.aggregates, 0);
        Ok(false)
    }

    /// Looks again at stock levels that were behind, until none is or they have had their time; true when that is so.
    async fn wait_for_late(
        &mut self,
        admin: &ReadModelAdmin<impl LogStore, impl Collection>,
        context: &StepContext<'_>,
    ) -> Result<bool, JobError> {
        let of = self.report.generation;
        let still = aggregate::still_late(admin, of, &self.late).await?;
        let arrived = self.late.len() - still.len();
        // They are as far as they had to be; what they are now has moved on.
        self.report.moving += i64::try_from(arrived).unwrap_or(i64::MAX);
        self.late = still;
        let grace = time::Duration::seconds(self.grace_seconds.into());
        let now = OffsetDateTime::now_utc();
        if self.late.iter().any(|late| now - late.since.utc() <= grace) {
            context.progress(
                "stock levels that are still behind",
                i64::try_from(self.late.len()).unwrap_or(0),
                0,
            );
            tokio::time::sleep(LOOK).await;
            return Ok(false);
        }
        let different = std::mem::take(&mut self.late).into_iter().map(|late| Difference {
            pk: of.partition(late.sku.as_str()),
            id: PRODUCT.to_owned(),
            expected: json!({ "stock": { "seq": late.seq } }),
            found: Value::Null,
        });
        self.report.add(PartialReport {
            different: different.collect(),
            ..PartialReport::default()
        });
        Ok(true)
    }
}
