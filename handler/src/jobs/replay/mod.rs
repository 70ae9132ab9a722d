//! The job that sends events of the log once more, for one subscription.
//! Never without a plan first, and never to anybody else: a message says whom it is for, and each subscription of ours lets in
//! what is for everybody or for itself.
//!
//! Killed at any moment it goes on where it was; what it had sent and not written down goes out again under the same
//! MessageId, which the topic drops when it has seen it within ten minutes. One that comes twice all the same changes
//! nothing in a document.

pub(super) mod scan;
mod send;

use std::num::NonZeroU32;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{
    scan::{LogScan, Pace},
    send::Sender,
};
use super::{
    engine::{Job, JobError, JobState, StepContext, StepOutcome, Violation},
    resources::Resources,
    rules::{self, default_rate},
};
use crate::{bus::SubscriptionName, log::EventSelection};

/// Events of the log as messages for one subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// The subscription that gets the messages; no other does.
    #[arg(long)]
    pub subscription: SubscriptionName,
    /// The events that are meant; all of them need `"all": true`.
    #[command(flatten)]
    pub events: EventSelection,
    /// Most messages a second.
    #[serde(default = "default_rate")]
    #[arg(long, default_value_t = default_rate())]
    pub rate: NonZeroU32,
    /// Send even where others may get them, too.
    #[serde(default)]
    #[arg(long)]
    pub force: bool,
}

/// The progress of a replay.
#[derive(Default, Serialize, Deserialize)]
pub struct ReplayCursor {
    #[serde(flatten)]
    scan: LogScan,
    /// Opened anew each turn: the subscription's rules may be others by now.
    #[serde(skip)]
    sender: Option<Sender>,
}

impl Job<Resources> for Replay {
    const KIND: &'static str = "replay";
    const SUMMARY: &'static str = "Plan to send events of the log once more to one subscription";
    const DETAIL: &'static str = "Counts first, and sends nothing until the job is brought into the state `running`. All of them need `all: true`.";
    const FIRST_STATE: JobState = JobState::Planning;
    type Cursor = ReplayCursor;

    fn example() -> Value {
        json!({ "subscription": "read-model", "events": { "types": ["orders.OrderPaid.v1"] }, "rate": 200, "force": false })
    }

    fn needs(resources: &Resources) -> Result<(), JobError> {
        resources.topic().map(drop)
    }

    fn validate(&self) -> Vec<Violation> {
        rules::of_events(&self.events)
    }

    async fn may_start(&self, resources: &Resources) -> Result<(), JobError> {
        let subscription = resources.subscription(&self.subscription)?;
        Ok(subscription.admits_replays(self.force).await?)
    }

    async fn step(
        &self,
        resources: &Resources,
        context: &StepContext<'_>,
        cursor: &mut ReplayCursor,
    ) -> Result<StepOutcome, JobError> {
        let pace = Pace {
            events: &self.events,
            rate: self.rate,
        };
        if context.is_planning() {
            return cursor.scan.plan(resources.log(), pace, context).await;
        }
        let sender = match &cursor.sender {
            Some(sender) => sender,
            None => {
                let subscription = resources.subscription(&self.subscription)?;
                subscription.admits_replays(self.force).await?;
                cursor.sender.insert(Sender::new(subscription, context.row))
            }
        };
        cursor.scan.deliver(resources.log(), pace, sender, context).await
    }
}
