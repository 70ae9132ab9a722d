//! What a verification finds: documents that are not what the log says, and counts of the others.
//! Never changes anything, and never names more differences than a row of a table can keep.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    domain::{timestamp::Timestamp, value::Sku},
    error_chain::chain,
    jobs::engine::{JobError, storable, storable_json},
    log::LogEntry,
    read::{document::Generation, store::FoundDocument},
};

/// Most differences that are named one by one, and most text of them: the report is kept in a row of a table.
const MOST_NAMED: usize = 100;
const MOST_NAMED_BYTES: usize = 200 * 1024;
/// In the place of a document's id: the log itself differs, and `found` says how.
pub(crate) const LOG: &str = "log";

/// The events that a document must show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::jobs) enum DueEvents {
    /// Those up to this position of the log: a rebuild has put them in.
    Position(i64),
    /// Those that had happened by then.
    Time(Timestamp),
}

impl DueEvents {
    pub(super) fn includes(self, row: &LogEntry) -> bool {
        match self {
            Self::Position(until) => row.position <= until,
            Self::Time(until) => row.event.occurred_at <= until,
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
    /// The document as it must be; null when it must not be there.
    pub expected: Value,
    /// The document as it is; null when it is not there.
    pub found: Value,
}

/// The result of a verification.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VerificationReport {
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
pub(super) struct LateStock {
    pub(super) sku: Sku,
    /// The movement that it must show.
    pub(super) seq: i64,
    pub(super) since: Timestamp,
}

/// The result of comparing a few documents.
#[derive(Debug, Default)]
pub(super) struct PartialReport {
    pub(super) documents: i64,
    pub(super) behind: i64,
    pub(super) moving: i64,
    pub(super) late: Vec<LateStock>,
    pub(super) different: Vec<Difference>,
}

impl PartialReport {
    /// Counts a document, and what it differs by.
    pub(super) fn document<D: Serialize + PartialEq>(
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
    pub(super) fn broken(&mut self, stream: &str, why: &JobError) {
        self.different.push(Difference {
            pk: stream.to_owned(),
            id: LOG.to_owned(),
            expected: Value::Null,
            found: Value::String(storable(&chain(why).to_string())),
        });
    }
}

impl VerificationReport {
    /// Something differs.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.different > 0
    }

    pub(super) fn add(&mut self, compared: PartialReport) {
        self.documents += compared.documents;
        self.behind += compared.behind;
        self.moving += compared.moving;
        self.different += i64::try_from(compared.different.len()).unwrap_or(i64::MAX);
        for difference in compared.different {
            if self.differences.len() < MOST_NAMED && self.named_bytes() < MOST_NAMED_BYTES {
                self.differences.push(difference);
            }
        }
    }

    fn named_bytes(&self) -> usize {
        let bytes = |it: &Difference| it.expected.to_string().len() + it.found.to_string().len();
        self.differences.iter().map(bytes).sum()
    }
}

/// The same aggregates each time.
pub(super) fn is_chosen(stream: &str, percent: u32) -> bool {
    let sum = stream
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum % 100 < percent
}
