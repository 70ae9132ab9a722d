//! Holds the documents of a generation against the log: each one must be what the events say up to its own version, folded
//! anew by the rules of the domain. Projections store the state that came with an event; the fold makes it out of what
//! happened. That they agree is the proof. Never changes anything.
//!
//! While the shop goes on, a document may not have its newest event yet: that is counted as behind, and only as different
//! when the event should have been there by then.

mod aggregate;
mod fold;
mod pages;
mod strays;
mod sums;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Failed, Tell, model::Model, patiently, runner::Came, storable, storable_json};
use crate::{
    domain::value::Sku,
    error_chain::chain,
    log::LogEntry,
    read::{
        document::{Generation, product::PRODUCT},
        store::FoundDocument,
    },
};

/// Most differences that are told one by one, and most text of them: the report is kept in a row of a table.
const TOLD: usize = 100;
const TOLD_BYTES: usize = 200 * 1024;
/// Most stock levels that are remembered as late; with more of them, projections are behind as a whole.
const MOST_LATE: usize = 1_000;
/// Between two looks at what is late.
const LOOK: Duration = Duration::from_secs(1);
/// In the place of a document's id: what differs is the log itself, and `found` says how.
pub(super) const LOG: &str = "log";
/// How long an event may be under way before a document that lacks it is wrong, in seconds.
pub const USUAL_GRACE: u32 = 300;

/// The documents compared with the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Verification")]
pub struct Comparison {
    /// Which generation; the live one when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// How many percent of the orders, customers and products; always the same ones.
    #[schemars(range(min = 1, max = 100))]
    pub sample: u32,
    /// How many seconds an event may be under way before a document that lacks it differs.
    pub grace_seconds: u32,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            generation: None,
            sample: 100,
            grace_seconds: USUAL_GRACE,
        }
    }
}

/// Which events a document must show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Due {
    /// Those up to this position of the log: a rebuild has put them in.
    Position(i64),
    /// Those that had happened by then.
    Time(#[serde(with = "crate::domain::utc")] OffsetDateTime),
}

impl Due {
    fn is_past(self, row: &LogEntry) -> bool {
        match self {
            Self::Position(until) => row.position <= until,
            Self::Time(until) => row.event.occurred_at.utc() <= until,
        }
    }
}

/// A document that is not what the log says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its partition key.
    pub pk: String,
    /// Its id.
    pub id: String,
    /// What it must be; null when it must not be there.
    pub expected: Value,
    /// What it is; null when it is not there.
    pub found: Value,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// The generation that was compared.
    pub generation: Generation,
    /// Orders, customers and products.
    pub aggregates: i64,
    /// Documents that were held against the log.
    pub documents: i64,
    /// Documents that are right, but for events that are still under way.
    pub behind: i64,
    /// Documents that kept moving and so could not be pinned down: stock levels of hot products, and today's sales.
    pub moving: i64,
    /// Documents that differ.
    pub different: i64,
    /// The first hundred of them.
    pub differences: Vec<Difference>,
}

/// A product whose stock level was behind when it was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Late {
    sku: Sku,
    /// What it must have come to.
    seq: i64,
    #[serde(with = "crate::domain::utc")]
    since: OffsetDateTime,
}

/// What the comparison of a few documents came to.
#[derive(Debug, Default)]
struct Compared {
    documents: i64,
    behind: i64,
    moving: i64,
    late: Vec<Late>,
    different: Vec<Difference>,
}

impl Compared {
    /// Counts a document, and what it differs by.
    fn document<D: Serialize + PartialEq>(
        &mut self,
        (pk, id): (&str, &str),
        expected: Option<D>,
        found: Option<FoundDocument<D>>,
        is_behind: bool,
    ) {
        self.documents += 1;
        let found = match found {
            Some(FoundDocument::Unreadable { why, json }) => {
                tracing::warn!(pk, id, %why, "document_unreadable");
                json
            }
            Some(FoundDocument::Document(found)) if expected.as_ref() == Some(&found) => {
                self.behind += i64::from(is_behind);
                return;
            }
            Some(FoundDocument::Document(found)) => json!(found),
            None if expected.is_none() => {
                self.behind += i64::from(is_behind);
                return;
            }
            None => Value::Null,
        };
        self.different.push(Difference {
            pk: pk.to_owned(),
            id: id.to_owned(),
            expected: json!(expected),
            found: storable_json(found),
        });
    }

    /// Counts an aggregate whose log is not what it should be: nothing can be held against it.
    fn broken(&mut self, stream: &str, why: &Failed) {
        self.different.push(Difference {
            pk: stream.to_owned(),
            id: LOG.to_owned(),
            expected: Value::Null,
            found: Value::String(storable(&chain(why).to_string())),
        });
    }
}

impl Report {
    /// Something differs.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.different > 0
    }

    fn add(&mut self, compared: Compared) {
        self.documents += compared.documents;
        self.behind += compared.behind;
        self.moving += compared.moving;
        self.different += i64::try_from(compared.different.len()).unwrap_or(i64::MAX);
        for difference in compared.different {
            if self.differences.len() < TOLD && self.told_bytes() < TOLD_BYTES {
                self.differences.push(difference);
            }
        }
    }

    fn told_bytes(&self) -> usize {
        let bytes = |it: &Difference| it.expected.to_string().len() + it.found.to_string().len();
        self.differences.iter().map(bytes).sum()
    }
}

/// How far a comparison is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    due: Due,
    percent: u32,
    grace_seconds: u32,
    /// What begins after this position is for the next time: a busy shop would never end.
    until: Option<i64>,
    /// Aggregates up to this one are compared, in the database's order of text.
    after: String,
    /// The documents that are of no aggregate of the log, once all of its aggregates are compared.
    #[serde(default)]
    strays: strays::Cursor,
    /// The sales, once those are looked for.
    sums: Option<sums::Cursor>,
    /// The sales are compared as well.
    summed: bool,
    /// Stock levels that were behind.
    late: Vec<Late>,
    report: Report,
}

impl Cursor {
    pub(super) fn new(of: Generation, due: Due, percent: u32, grace_seconds: u32) -> Self {
        Self {
            due,
            grace_seconds,
            percent,
            until: None,
            after: String::new(),
            strays: strays::Cursor::default(),
            sums: None,
            summed: false,
            late: Vec::new(),
            report: Report {
                generation: of,
                ..Report::default()
            },
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// Compares some more; true when all is compared.
    pub(super) async fn piece(&mut self, model: &Model, tell: Tell<'_>) -> Result<bool, Failed> {
        let of = self.report.generation;
        if !model.pointer().await?.written().contains(&of) {
            return Err(Failed::refused(format!(
                "there is no generation {of}, or no more"
            )));
        }
        if self.summed {
            return self.wait_for_late(model, tell).await;
        }
        let until = match self.until {
            Some(until) => until,
            None => *self
                .until
                .insert(patiently(async || Ok(model.log.last().await?)).await?),
        };
        if let Some(sums) = &mut self.sums {
            self.summed = sums.piece(model, self.due, &mut self.report, tell).await?;
            return Ok(false);
        }
        let aggregates = aggregate::Aggregates::new(model, of, self.due);
        let next = aggregates.next(&self.after, until, self.percent).await?;
        let Some((last, compared)) = next else {
            let percent = self.percent;
            if self.strays.piece(model, percent, &mut self.report, tell).await? {
                self.sums = Some(sums::Cursor::default());
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
        tell("aggregates compared", self.report.aggregates, 0);
        Ok(false)
    }

    /// Looks again at stock levels that were behind, until none is or they have had their time; true when that is so.
    async fn wait_for_late(&mut self, model: &Model, tell: Tell<'_>) -> Result<bool, Failed> {
        let of = self.report.generation;
        let still = aggregate::still_late(model, of, &self.late).await?;
        let arrived = self.late.len() - still.len();
        // They are as far as they had to be; what they are now has moved on.
        self.report.moving += i64::try_from(arrived).unwrap_or(i64::MAX);
        self.late = still;
        let grace = time::Duration::seconds(self.grace_seconds.into());
        let now = OffsetDateTime::now_utc();
        if self.late.iter().any(|late| now - late.since <= grace) {
            tell(
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
        self.report.add(Compared {
            different: different.collect(),
            ..Compared::default()
        });
        Ok(true)
    }
}

/// What of one aggregate's documents in a generation is not what all of its log says.
///
/// # Errors
/// When the log or the store cannot be read.
pub(super) async fn of_stream(
    model: &Model,
    of: Generation,
    stream: &str,
) -> Result<Vec<Difference>, Failed> {
    let aggregates = aggregate::Aggregates::new(model, of, Due::Position(i64::MAX));
    Ok(aggregates.named(stream).await?.different)
}

impl Comparison {
    /// Does some of it.
    pub(super) async fn piece(
        &self,
        model: &Model,
        cursor: &mut Option<Cursor>,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let cursor = match cursor {
            Some(cursor) => cursor,
            none => {
                let of = match self.generation {
                    Some(generation) => Generation(generation),
                    None => model.pointer().await?.live,
                };
                let grace = Duration::from_secs(self.grace_seconds.into());
                // A grace of a century is none that anything could be late by.
                let due = (OffsetDateTime::now_utc() - grace).max(OffsetDateTime::UNIX_EPOCH);
                let due = Due::Time(due);
                none.insert(Cursor::new(of, due, self.sample, self.grace_seconds))
            }
        };
        Ok(if cursor.piece(model, tell).await? {
            Came::Over(json!(cursor.report))
        } else {
            Came::More
        })
    }
}
