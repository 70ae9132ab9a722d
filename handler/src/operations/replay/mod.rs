//! Events of the log once more: over the bus for one subscription, or in process into the documents of the read model.
//! Never without a plan first, and never to anybody else: a message says whom it is for, and each subscription of ours lets in
//! what is for everybody or for itself.
//!
//! Killed at any moment it goes on where it was; what it had sent and not written down goes out again under the same
//! MessageId, which the topic drops when it has seen it within ten minutes. One that comes twice all the same changes
//! nothing in a document.

mod plan;
mod project;
mod send;

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

pub use plan::Plan;
pub(super) use project::project;
pub(super) use send::Sender;

use super::storable;
use crate::log::{EventSelection, SelectionCount};

/// Events a second where nobody says: what a small account and a careful consumer can take.
pub const USUAL_RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);
/// Most events of one piece of work: batches to the bus are cheap, and an event into documents costs some four requests.
pub(super) const MOST_SENT: u32 = 500;
pub(super) const MOST_PROJECTED: u32 = 100;
/// Most events that are told one by one as refused.
const TOLD: usize = 100;

/// Messages for one subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replay {
    /// The subscription's name.
    #[schemars(length(min = 1, max = 50), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub subscription: String,
    /// Which events; all of them need `"all": true`.
    pub events: EventSelection,
    /// Most messages a second.
    #[serde(default = "usual_rate")]
    pub rate: NonZeroU32,
    /// Send even where others may get them, too.
    #[serde(default)]
    pub force: bool,
}

/// Events into the documents, without the bus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Projection {
    /// Which events; all of them need `"all": true`.
    pub events: EventSelection,
    /// Most events a second.
    #[serde(default = "usual_rate")]
    pub rate: NonZeroU32,
}

fn usual_rate() -> NonZeroU32 {
    USUAL_RATE
}

/// How far a replay is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Cursor {
    /// The log's part that is meant; unknown before the first look.
    range: Option<Range>,
    /// What there is to do, as far as it is counted.
    found: SelectionCount,
    /// When it is time for more.
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
struct Range {
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

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(flatten)]
    plan: Plan<'a>,
    /// Events that have arrived.
    done: i64,
    /// Events that were refused.
    refused: i64,
    /// The first hundred of these.
    refusals: &'a [Refusal],
}

impl Cursor {
    fn refuse(&mut self, event_id: Uuid, why: String) {
        tracing::error!(%event_id, %why, "replay_refused");
        self.refused += 1;
        if self.refusals.len() < TOLD {
            let why = storable(&why);
            self.refusals.push(Refusal { event_id, why });
        }
    }
}
