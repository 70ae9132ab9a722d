//! What an operator has asked for, and how far it is: the row of the table `operations` as everybody sees it.
//! Never says how it is done: that is where each kind lives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{rebuild, replay, retire, verify};
use crate::domain::value::Time;

/// One operation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its identity.
    pub id: Uuid,
    /// What was asked for.
    pub request: Request,
    /// How things stand.
    pub state: State,
    /// Who asked for it: a caller's id, or the name of who sat at the terminal.
    pub requested_by: String,
    /// When (UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Time")]
    pub requested_at: OffsetDateTime,
    /// When the work began (UTC).
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<Time>")]
    pub started_at: Option<OffsetDateTime>,
    /// When it was over (UTC).
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<Time>")]
    pub ended_at: Option<OffsetDateTime>,
    /// How far it is.
    pub progress: Progress,
    /// What is planned, and when it is over what came of it; each kind says other things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it does not go on, or has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far an operation is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Progress {
    /// What is being done.
    pub doing: String,
    /// How much of it is done.
    pub done: i64,
    /// How much there is; 0 when nobody knows.
    pub of: i64,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Request {
    /// Events of the log once more, for one subscription.
    Replay(replay::Replay),
    /// Events of the log once more, into the documents.
    Projection(replay::Projection),
    /// The read model made anew.
    Rebuild(rebuild::Anew),
    /// The documents that nobody reads any more removed.
    Retire(retire::Removal),
    /// The documents held against the log.
    Verify(verify::Comparison),
}

impl Request {
    /// As in JSON and in the table.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Replay(_) => "replay",
            Self::Projection(_) => "projection",
            Self::Rebuild(_) => "rebuild",
            Self::Retire(_) => "retire",
            Self::Verify(_) => "verify",
        }
    }
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being found out what there is to do.
    Planning,
    /// It waits for somebody to look at the plan and start it.
    Planned,
    /// It goes on.
    Running,
    /// Somebody has stopped it, and may let it go on.
    Paused,
    /// Somebody has given it up.
    Cancelled,
    /// It is over.
    Completed,
    /// It ended early; `note` says why.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Planning,
        Self::Planned,
        Self::Running,
        Self::Paused,
        Self::Cancelled,
        Self::Completed,
        Self::Failed,
    ];

    /// As in JSON and in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Nothing will be done any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Completed | Self::Failed)
    }

    /// Somebody may work on it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planning | Self::Running)
    }
}

/// What somebody may want of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// That what is planned or paused goes on.
    Running,
    /// That it stops for now.
    Paused,
    /// That it stops for good.
    Cancelled,
}

impl Wanted {
    /// The state that is wanted.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::Running => State::Running,
            Self::Paused => State::Paused,
            Self::Cancelled => State::Cancelled,
        }
    }

    /// From which states it can be had.
    pub(super) fn from(self) -> &'static [State] {
        match self {
            Self::Running => &[State::Planned, State::Paused],
            Self::Paused => &[State::Running],
            Self::Cancelled => &[State::Planning, State::Planned, State::Running, State::Paused],
        }
    }
}
