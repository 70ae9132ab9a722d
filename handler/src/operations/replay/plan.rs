//! What a replay will do, found out before it does anything; and how its work is cut into pieces.
//! Never counts what comes later: the log's end is fixed at the first look.

use std::{num::NonZeroU32, time::Duration};

use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::{Cursor, Range, Report};
use crate::{
    log::{EventLog, EventSelection, LogEntry, PositionRange, SelectedPage, SelectionCount},
    operations::{Failed, Tell, patiently, runner::Came},
};

/// What there is to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan<'a> {
    #[serde(flatten)]
    found: &'a SelectionCount,
    /// How many seconds it will take at the least, at the rate that was asked for.
    seconds: i64,
}

impl<'a> Plan<'a> {
    fn new(found: &'a SelectionCount, rate: NonZeroU32) -> Self {
        Self {
            found,
            seconds: (found.events + i64::from(rate.get()) - 1) / i64::from(rate.get()),
        }
    }
}

impl Cursor {
    /// Counts some more.
    pub(in crate::operations) async fn plan(
        &mut self,
        log: &EventLog,
        events: &EventSelection,
        rate: NonZeroU32,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let range = match &mut self.range {
            Some(range) => range,
            unknown => {
                let PositionRange { after, until } =
                    patiently(async || Ok(log.bounds(events).await?)).await?;
                let counted = after;
                self.position = after;
                unknown.insert(Range {
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
            tell(
                "events looked through",
                range.counted - range.after,
                range.until - range.after,
            );
            return Ok(Came::More);
        }
        Ok(Came::Planned(json!(Plan::new(&self.found, rate))))
    }

    /// Takes the next events, at most so many, has them delivered, when it is time for them. What was delivered is noted even when the rest
    /// fails.
    pub(in crate::operations) async fn deliver(
        &mut self,
        log: &EventLog,
        (events, rate): (&EventSelection, NonZeroU32),
        most: u32,
        tell: Tell<'_>,
        deliver: impl AsyncFnOnce(&mut Self, Vec<LogEntry>, i64) -> Result<(), Failed>,
    ) -> Result<Came, Failed> {
        let Some(range) = self.range else {
            return Err(Failed::refused("it has no plan"));
        };
        if self.position >= range.until {
            return Ok(Came::Over(json!(Report {
                plan: Plan::new(&self.found, rate),
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
        let most = i64::from(rate.get().min(most));
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
            deliver(self, readable, upto).await
        };
        // What lies behind what was delivered comes again.
        unreadable.retain(|row| row.position <= self.position);
        for row in unreadable {
            self.refuse(row.event_id, row.why);
        }
        let now = self.done + self.refused;
        tell("events replayed", now, self.found.events.max(now));
        delivered?;
        let pace = Duration::from_secs_f64((now - before) as f64 / f64::from(rate.get()));
        self.not_before = Some(begun + pace);
        Ok(Came::More)
    }
}
