//! What an answer of the service in memory lacks.
//! It never changes items.

use serde_json::Value;
use url::Url;

use super::account;
use super::query::{AggregateParts, GATHERED};

/// A change to the body of an answer before it goes out.
#[derive(Debug)]
pub(super) enum AnswerChange {
    Nothing,
    /// The account's description is completed, and says that clients come by this address.
    Account(Url),
    /// The plan of a query says this about it.
    Plan(Value),
    /// Each row is the value that it holds, or no row.
    Values,
    /// The rows become parts of what the client puts together.
    AggregateParts(AggregateParts),
}

impl AnswerChange {
    /// The number of rows in the body as it goes out, where that can be fewer than came.
    pub(super) fn rows(&self, body: &[u8]) -> Option<usize> {
        let changes = matches!(self, Self::Values);
        let json: Value = changes.then(|| serde_json::from_slice(body).ok())??;
        json["Documents"].as_array().map(Vec::len)
    }

    /// The body as it goes out. What is no JSON stays as it is.
    pub(super) fn apply(&self, body: Vec<u8>) -> Vec<u8> {
        if matches!(self, Self::Nothing) {
            return body;
        }
        let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
            return body;
        };
        match self {
            Self::Nothing => {}
            Self::Account(endpoint) => account::complete(&mut json, endpoint),
            Self::Plan(said) => json["queryInfo"] = said.clone(),
            Self::Values => {
                if let Some(rows) = json["Documents"].as_array_mut() {
                    rows.retain_mut(|row| take(row, GATHERED));
                    json["_count"] = rows.len().into();
                }
            }
            Self::AggregateParts(parts) => {
                for row in json["Documents"].as_array_mut().into_iter().flatten() {
                    *row = parts.part(row);
                }
            }
        }
        json.to_string().into_bytes()
    }
}

/// Puts what a row has under a name in its place, if it has it.
fn take(row: &mut Value, name: &str) -> bool {
    let value = row.as_object_mut().and_then(|row| row.remove(name));
    value.map(|value| *row = value).is_some()
}
