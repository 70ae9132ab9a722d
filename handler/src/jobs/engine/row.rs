//! A job as everybody sees it: what was asked for, in which state it is, and how far.
//! Never says how it is done: that is where each kind lives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::timestamp::Timestamp;

/// One job.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Job")]
pub struct JobRow {
    /// Its identity.
    pub id: Uuid,
    /// Its kind, such as `replay` or `rebuild`.
    pub kind: String,
    /// The body of the request that started it.
    #[schemars(with = "Map<String, Value>")]
    pub request: Value,
    /// The state.
    pub state: JobState,
    /// The requester: a caller's id, or the name of who sat at the terminal.
    pub requested_by: String,
    /// Time of the request (UTC).
    pub requested_at: Timestamp,
    /// Time at which the work began (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Time at which it was over (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The progress.
    pub progress: JobProgress,
    /// The plan, and when it is over what came of it; each kind says other things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The reason why it does not go on, or has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A job's progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct JobProgress {
    /// The work that is being done.
    pub doing: String,
    /// The amount of it that is done.
    pub done: i64,
    /// The whole amount; 0 when that is not known.
    pub of: i64,
}

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// The plan is being made.
    Planning,
    /// The plan waits for a person to start it.
    Planned,
    /// It goes on.
    Running,
    /// A person has stopped it, and may let it go on.
    Paused,
    /// A person has given it up.
    Cancelled,
    /// It is over.
    Completed,
    /// It ended early; `note` says why.
    Failed,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Planning,
        Self::Planned,
        Self::Running,
        Self::Paused,
        Self::Cancelled,
        Self::Completed,
        Self::Failed,
    ];
    /// The states of a job that is not over.
    pub const OPEN: [Self; 4] = [Self::Planning, Self::Planned, Self::Running, Self::Paused];

    /// The name in JSON and in the table.
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

    /// Finds a state by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True when it can be worked on now.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Planning | Self::Running)
    }
}

/// The states into which a person can bring a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WantedState {
    /// A planned or paused job goes on.
    Running,
    /// It stops for now.
    Paused,
    /// It stops for good.
    Cancelled,
}

impl WantedState {
    /// The same as a job's state.
    #[must_use]
    pub fn state(self) -> JobState {
        match self {
            Self::Running => JobState::Running,
            Self::Paused => JobState::Paused,
            Self::Cancelled => JobState::Cancelled,
        }
    }

    /// The states from which it can be had.
    pub(super) fn reachable_from(self) -> &'static [JobState] {
        match self {
            Self::Running => &[JobState::Planned, JobState::Paused],
            Self::Paused => &[JobState::Running],
            Self::Cancelled => &JobState::OPEN,
        }
    }
}
