//! A scan through selected events of the log: the plan first, and then the events, page by page, at a limited rate.
//! Never counts what comes later: the log's end is fixed at the first look.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{
    jobs::engine::{JobError, StepContext, StepOutcome, patiently, storable},
    log::{EventSelection, LogEntry, LogStore, PositionRange, SelectedPage, SelectionCount},
};

/// Most refused events that are named one by one.
const MOST_NAMED: usize = 100;

/// The events that are meant, and the most of them a second.
#[derive(Clone, Copy)]
pub(in crate::jobs) struct Pace<'a> {
    pub(in crate::jobs) events: &'a EventSelection,
    pub(in crate::jobs) rate: NonZeroU32,
}

/// Takes the selected events.
pub(in crate::jobs) trait Destination {
    /// Most events of one step.
    fn most(&self) -> u32;

    /// Delivers a page of the log, and notes in the cursor what has arrived; all of it up to position `upto` if nothing is in the
    /// way.
    ///
    /// # Errors
    /// What is in the way.
    fn deliver(
        &self,
        cursor: &mut LogScan,
        page: Vec<LogEntry>,
        upto: i64,
    ) -> impl Future<Output = Result<(), JobError>> + Send;
}

/// The progress of a scan.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogScan {
    /// The log's part that is meant; unknown before the first look.
    range: Option<ScanRange>,
    /// The plan, as far as it is counted.
    found: SelectionCount,
    /// The time for more.
    #[serde(skip)]
    not_before: Option<Instant>,
    /// Everything up to this position is done.
    position: i64,
    /// Events that have arrived.
    done: i64,
    /// Events that were refused for what they are.
    refused: i64,
    /// The first hundred of these.
    refusals: Vec<Refusal>,
}

/// Positions after one and until another.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ScanRange {
    after: i64,
    until: i64,
    /// Everything up to this position is counted.
    counted: i64,
}

/// An event that was refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    event_id: Uuid,
    why: String,
}

/// The result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScanReport<'a> {
    #[serde(flatten)]
    plan: ScanPlan<'a>,
    /// Events that have arrived.
    done: i64,
    /// Events that were refused.
    refused: i64,
    /// The first hundred of these.
    refusals: &'a [Refusal],
}

/// The plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScanPlan<'a> {
    #[serde(flatten)]
    found: &'a SelectionCount,
    /// The least number of seconds that it will take, at the rate that was asked for.
    seconds: i64,
}

impl<'a> ScanPlan<'a> {
    fn new(found: &'a SelectionCount, rate: NonZeroU32) -> Self {
        Self {
            found,
            seconds: (found.events + i64::from(rate.get()) - 1) / i64::from(rate.get()),
        }
    }
}

impl LogScan {
    /// Counts some more.
    pub(in crate::jobs) async fn plan(
        &mut self,
        log: &impl LogStore,
        pace: Pace<'_>,
        context: &StepContext<'_>,
    ) -> Result<StepOutcome, JobError> {
        let Pace { events, rate } = pace;
        let range = match &mut self.range {
            Some(range) => range,
            unknown => {
                let PositionRange { after, until } =
                    patiently(|| async { Ok(log.bounds(events).await?) }).await?;
                let counted = after;
                self.position = after;
                unknown.insert(ScanRange {
                    after,
                    until,
                    counted,
                })
            }
        };
        if range.counted < range.until {
            let rest = PositionRange {
                after: range.counted,
                until: range.until,
            };
            range.counted = log.count(events, rest, &mut self.found).await?;
            context.progress(
                "events looked through",
                range.counted - range.after,
                range.until - range.after,
            );
            return Ok(StepOutcome::More);
        }
        Ok(StepOutcome::Planned(json!(ScanPlan::new(&self.found, rate))))
    }

    /// Takes the next events when it is time for them, and has them delivered. What was delivered is noted even when the rest fails.
    pub(in crate::jobs) async fn deliver(
        &mut self,
        log: &impl LogStore,
        pace: Pace<'_>,
        to: &(impl Destination + Sync),
        context: &StepContext<'_>,
    ) -> Result<StepOutcome, JobError> {
        let Pace { events, rate } = pace;
        let Some(range) = self.range else {
            return Err(JobError::refused("it has no plan"));
        };
        if self.position >= range.until {
            return Ok(StepOutcome::Completed(json!(ScanReport {
                plan: ScanPlan::new(&self.found, rate),
                done: self.done,
                refused: self.refused,
                refusals: &self.refusals,
            })));
        }
        if let Some(not_before) = self.not_before.take() {
            sleep_until(not_before).await;
        }
        let begun = Instant::now();
        // About a second's worth, so that a pause or a limit is felt at once.
        let most = i64::from(rate.get().min(to.most()));
        let rest = PositionRange {
            after: self.position,
            until: range.until,
        };
        let SelectedPage { entries, until: upto } = log.select(events, rest, most).await?;
        let before = self.done + self.refused;
        let (mut readable, mut unreadable) = (Vec::with_capacity(entries.len()), Vec::new());
        for row in entries {
            match row {
                Ok(row) => readable.push(row),
                Err(row) => unreadable.push(row),
            }
        }
        let delivered = if readable.is_empty() {
            self.position = upto;
            Ok(())
        } else {
            to.deliver(self, readable, upto).await
        };
        // What lies behind what was delivered comes again.
        unreadable.retain(|row| row.position <= self.position);
        for row in unreadable {
            self.refuse(row.event_id, row.why);
        }
        let now = self.done + self.refused;
        context.progress("events replayed", now, self.found.events.max(now));
        delivered?;
        let pace = Duration::from_secs_f64((now - before) as f64 / f64::from(rate.get()));
        self.not_before = Some(begun + pace);
        Ok(StepOutcome::More)
    }

    /// Notes events that have arrived.
    pub(in crate::jobs) fn arrived(&mut self, events: usize) {
        self.done += i64::try_from(events).unwrap_or(i64::MAX);
    }

    /// Everything up to this position is done.
    pub(in crate::jobs) fn reached(&mut self, position: i64) {
        self.position = position;
    }

    /// Notes an event that was refused for what it is.
    pub(in crate::jobs) fn refuse(&mut self, event_id: Uuid, why: String) {
        tracing::error!(%event_id, %why, "replay_refused");
        self.refused += 1;
        if self.refusals.len() < MOST_NAMED {
            let why = storable(&why);
            self.refusals.push(Refusal { event_id, why });
        }
    }
}
