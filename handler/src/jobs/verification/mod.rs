//! The job that holds the documents of a generation against the log: each one must be what the events say up to its own version,
//! folded anew by the rules of the domain. Projections store the state that came with an event; the fold makes it out of what
//! happened. That they agree is the proof. Never changes anything.
//!
//! While the shop goes on, a document may not have its newest event yet: that is counted as behind, and only as different
//! when the event should have been there by then.

mod aggregate;
mod cursor;
mod fold;
mod pages;
mod report;
mod strays;
mod sums;

use std::time::Duration;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    engine::{Job, JobError, StepContext, StepOutcome, Violation},
    read_model::ReadModelAdmin,
    resources::Resources,
};
use crate::{
    domain::timestamp::Timestamp,
    log::LogStore,
    read::{document::Generation, store::Collection},
};

pub use cursor::VerificationCursor;
pub(super) use report::DueEvents;
pub(crate) use report::LOG;
pub use report::{Difference, VerificationReport};

/// Seconds that an event may be under way before a document that lacks it is wrong.
pub(super) const DEFAULT_GRACE: u32 = 300;

/// The documents compared with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Verification {
    /// The generation; the live one when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub generation: Option<u32>,
    /// Percent of the orders, customers and products; always the same ones.
    #[schemars(range(min = 1, max = 100))]
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub sample: u32,
    /// Seconds that an event may be under way before a document that lacks it differs.
    #[arg(long = "grace", value_name = "SECONDS", default_value_t = DEFAULT_GRACE)]
    pub grace_seconds: u32,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            generation: None,
            sample: 100,
            grace_seconds: DEFAULT_GRACE,
        }
    }
}

impl<L: LogStore, S: Collection> Job<Resources<L, S>> for Verification {
    const KIND: &'static str = "verification";
    const SUMMARY: &'static str = "Compare the documents with the log";
    const DETAIL: &'static str =
        "`result.different` is 0 when all is well; the first hundred differences are named.";
    type Cursor = Option<VerificationCursor>;

    fn example() -> Value {
        json!({ "sample": 5, "graceSeconds": 300 })
    }

    fn needs(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model().map(drop)
    }

    fn validate(&self) -> Vec<Violation> {
        let sound = (1..=100).contains(&self.sample);
        let broken = (!sound).then_some(Violation {
            pointer: "/sample",
            rule: "a sample is 1 to 100 percent",
        });
        broken.into_iter().collect()
    }

    async fn step(
        &self,
        resources: &Resources<L, S>,
        context: &StepContext<'_>,
        cursor: &mut Option<VerificationCursor>,
    ) -> Result<StepOutcome, JobError> {
        let admin = resources.read_model()?;
        let cursor = match cursor {
            Some(cursor) => cursor,
            none => {
                let of = match self.generation {
                    Some(generation) => Generation(generation),
                    None => admin.pointer().await?.live,
                };
                let grace = Duration::from_secs(self.grace_seconds.into());
                // A grace of a century is none that anything could be late by.
                let due = Timestamp::try_from(OffsetDateTime::now_utc() - grace);
                let due = DueEvents::Time(due.unwrap_or(Timestamp::UNIX_EPOCH));
                none.insert(VerificationCursor::new(of, due, self.sample, self.grace_seconds))
            }
        };
        Ok(if cursor.advance(admin, context).await? {
            StepOutcome::Completed(json!(cursor.report()))
        } else {
            StepOutcome::More
        })
    }
}

/// Finds the documents of one aggregate in a generation that are not what all of its log says.
///
/// # Errors
/// When the log or the store cannot be read.
pub(crate) async fn of_stream(
    admin: &ReadModelAdmin,
    of: Generation,
    stream: &str,
) -> Result<Vec<Difference>, JobError> {
    let aggregates = aggregate::Aggregates::new(admin, of, DueEvents::Position(i64::MAX));
    Ok(aggregates.named(stream).await?.different)
}
