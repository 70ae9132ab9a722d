//! Dead letters dealt with as an operation: some seconds' worth at a time.
//! Never holds a lock between two pieces.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{DeadLetters, Error, Fate, Letter, Selection, Tally, Told, sweep::Swept};
use crate::{
    domain::value::Reason,
    operations::{Failed, Tell, runner::Came, storable},
};

/// How long one piece lasts.
const PIECE: Duration = Duration::from_secs(4);
/// How many pieces may find nothing while there is something: locks of somebody who has died end within a minute, and a piece
/// waits for five seconds.
const IDLE_PIECES: u32 = 15;
/// Most letters that are told one by one as kept.
const TOLD: usize = 100;

/// Dead letters sent once more to their own subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resubmission {
    /// The subscription's name.
    #[schemars(length(min = 1, max = 50), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub subscription: String,
    /// Which of its dead letters; all of them need `"all": true`.
    pub letters: Selection,
    /// Send even where others may get them, too.
    #[serde(default)]
    pub force: bool,
}

/// Dead letters removed for good; each is written to the log first, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// The subscription's name.
    #[schemars(length(min = 1, max = 50), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub subscription: String,
    /// Which of its dead letters; all of them need `"all": true`.
    pub letters: Selection,
    /// Why, for the log.
    #[schemars(length(min = 1, max = 500))]
    #[schemars(with = "Reason")]
    pub because: String,
}

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::operations) struct Cursor {
    swept: Swept,
    /// Pieces that have found nothing, one after the other.
    idle: u32,
    /// The first of those that could not be dealt with.
    kept: Vec<Kept>,
}

/// A letter that is still there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    message_id: String,
    why: String,
}

impl Resubmission {
    /// Does some of it.
    pub(in crate::operations) async fn piece(
        &self,
        of: &DeadLetters,
        cursor: &mut Cursor,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let some = async |until, swept: &mut Swept, told: &mut Told<'_>| {
            of.resubmit_some((&self.letters, Some(until)), self.force, swept, told)
                .await
        };
        piece(cursor, tell, some).await
    }
}

impl Deletion {
    /// Does some of it.
    pub(in crate::operations) async fn piece(
        &self,
        of: &DeadLetters,
        cursor: &mut Cursor,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let some = async |until, swept: &mut Swept, told: &mut Told<'_>| {
            of.delete_some((&self.letters, Some(until)), &self.because, swept, told)
                .await
        };
        piece(cursor, tell, some).await
    }
}

async fn piece(
    cursor: &mut Cursor,
    tell: Tell<'_>,
    some: impl AsyncFnOnce(Instant, &mut Swept, &mut Told<'_>) -> Result<bool, Error>,
) -> Result<Came, Failed> {
    let Cursor { swept, kept, .. } = cursor;
    let before = swept.tally;
    let mut told = |letter: &Letter, fate: &Fate, tally| told(kept, (letter, fate), tally, tell);
    let over = some(Instant::now() + PIECE, swept, &mut told).await;
    came(over, before, cursor)
}

fn told(
    kept: &mut Vec<Kept>,
    (letter, fate): (&Letter, &Fate),
    tally: Tally,
    tell: Tell<'_>,
) -> std::io::Result<()> {
    if let (Fate::Kept(why), true) = (fate, kept.len() < TOLD) {
        kept.push(Kept {
            message_id: storable(&letter.received.message_id()),
            why: storable(why),
        });
    }
    let [done, of] = [tally.done, tally.selected].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    tell("dead letters dealt with", done, of);
    Ok(())
}

fn came(over: Result<bool, Error>, before: Tally, cursor: &mut Cursor) -> Result<Came, Failed> {
    let over = over?;
    let Tally { selected, done, kept } = cursor.swept.tally;
    cursor.idle = if before == cursor.swept.tally {
        cursor.idle + 1
    } else {
        0
    };
    let missing = done + kept < selected;
    if cursor.idle < IDLE_PIECES && (!over || missing) {
        return Ok(Came::More);
    }
    let result = json!({
        "selected": selected,
        "done": done,
        "kept": kept,
        // Somebody else has locked them, or has dealt with them meanwhile.
        "missed": selected - done - kept,
        "keptLetters": cursor.kept,
    });
    Ok(if missing || kept > 0 {
        let left = selected - done;
        Came::Bad(
            result,
            format!("{left} of {selected} dead letters could not be dealt with"),
        )
    } else {
        Came::Over(result)
    })
}
