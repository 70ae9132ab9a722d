//! What an operator has asked for, and how far it is: the row of the table `operations` as everybody sees it.
//! Never says how it is done: that is where each kind lives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Failed,
    dead_letters::{self, Deletion, Resubmission},
    rebuild::Anew,
    replay::{Projection, Replay},
    retire::Removal,
    verify::Comparison,
};
use crate::domain::value::{MAX_NAME, MAX_REASON, Time, is_words};

/// Most aggregates, types or messages that can be named at once.
const MOST_NAMED: usize = 100;

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
    #[serde(with = "crate::domain::utc")]
    #[schemars(with = "Time")]
    pub requested_at: OffsetDateTime,
    /// When the work began (UTC).
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub started_at: Option<OffsetDateTime>,
    /// When it was over (UTC).
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
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
#[schemars(rename = "OperationProgress")]
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
#[serde(tag = "kind", content = "with", rename_all = "kebab-case")]
#[schemars(rename = "OperationRequest")]
pub enum Request {
    /// Events of the log once more, for one subscription.
    Replay(Replay),
    /// Events of the log once more, into the documents.
    Projection(Projection),
    /// The read model made anew.
    Rebuild(Anew),
    /// The documents that nobody reads any more removed.
    Retire(Removal),
    /// The documents held against the log.
    Verify(Comparison),
    /// Dead letters sent once more to their subscription.
    Resubmit(Resubmission),
    /// Dead letters removed for good.
    Delete(Deletion),
}

impl Request {
    /// Holds what was asked for against the rules that its types do not say.
    ///
    /// # Errors
    /// [`Failed::Invalid`].
    pub(super) fn check(&self) -> Result<(), Failed> {
        match self {
            Self::Replay(Replay { events, .. }) | Self::Projection(Projection { events, .. }) => {
                deliberate("/events", events.all, events.says_which())?;
                short("/events/subjects", &events.subjects)?;
                short("/events/types", &events.types)
            }
            Self::Resubmit(Resubmission { letters, .. }) => letter_texts(letters),
            Self::Delete(Deletion { letters, because, .. }) => {
                if !is_words(because, MAX_REASON) {
                    let rule = "a reason has 1 to 500 characters and no control characters";
                    return Err(Failed::Invalid("/because", rule));
                }
                letter_texts(letters)
            }
            Self::Verify(Comparison { sample, .. }) if !(1..=100).contains(sample) => {
                Err(Failed::Invalid("/sample", "a sample is 1 to 100 percent"))
            }
            Self::Verify(_) | Self::Rebuild(_) | Self::Retire(_) => Ok(()),
        }
    }

    /// As in JSON and in the table.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Replay(_) => "replay",
            Self::Projection(_) => "projection",
            Self::Rebuild(_) => "rebuild",
            Self::Retire(_) => "retire",
            Self::Verify(_) => "verify",
            Self::Resubmit(_) => "resubmit",
            Self::Delete(_) => "delete",
        }
    }
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OperationState")]
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

fn short(pointer: &'static str, texts: &[String]) -> Result<(), Failed> {
    if texts.len() <= MOST_NAMED && texts.iter().all(|text| is_words(text, MAX_NAME)) {
        return Ok(());
    }
    let rule = "at most 100 are named, each with 1 to 200 characters and no control characters";
    Err(Failed::Invalid(pointer, rule))
}

/// Nothing said does not mean everything.
fn deliberate(pointer: &'static str, all: bool, says_which: bool) -> Result<(), Failed> {
    match (all, says_which) {
        (true, true) => {
            let rule = "`all` cannot be said together with which are meant";
            Err(Failed::Invalid(pointer, rule))
        }
        (false, false) => {
            let rule = "say which are meant, or `\"all\": true`";
            Err(Failed::Invalid(pointer, rule))
        }
        _ => Ok(()),
    }
}

fn letter_texts(letters: &dead_letters::Selection) -> Result<(), Failed> {
    deliberate("/letters", letters.all, letters.says_which())?;
    short("/letters/messageIds", &letters.message_ids)?;
    for (pointer, text) in [
        ("/letters/subject", &letters.subject),
        ("/letters/type", &letters.kind),
        ("/letters/reason", &letters.reason),
    ] {
        short(pointer, text.as_slice())?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_said_is_never_everything_and_everything_is_nothing_else() {
        for (kind, key, list) in [
            ("replay", "events", "subjects"),
            ("projection", "events", "types"),
            ("resubmit", "letters", "messageIds"),
            ("delete", "letters", "messageIds"),
        ] {
            let checked = |selection: Value| {
                let mut with = json!({ key: selection });
                if kind != "projection" {
                    with["subscription"] = json!("mail");
                }
                if kind == "delete" {
                    with["because"] = json!("a test");
                }
                let request: Request = serde_json::from_value(json!({ "kind": kind, "with": with })).ok()?;
                request.check().ok()
            };
            for refused in [
                json!({}),
                json!({ "all": false }),
                json!({ "before": null }),
                json!({ list: [] }),
                json!({ list: null }),
                json!({ "all": true, list: [] }),
                json!({ "all": true, list: ["x"] }),
                json!({ "all": true, "before": "2026-11-24T10:00:00Z" }),
                json!({ list: [], "before": "2026-11-24T10:00:00Z" }),
            ] {
                assert_eq!(checked(refused.clone()), None, "{kind} {refused}");
            }
            for taken in [json!({ "all": true }), json!({ list: ["x"] })] {
                assert_eq!(checked(taken.clone()), Some(()), "{kind} {taken}");
            }
        }
        let limited = json!({ "subscription": "mail", "letters": { "limit": 3 } });
        let limited: Request =
            serde_json::from_value(json!({ "kind": "resubmit", "with": limited })).unwrap();
        assert!(limited.check().is_err());
    }
}
