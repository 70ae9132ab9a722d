//! What an answer of the service in memory lacks.
//! It never changes items.

use serde_json::Value;

use super::account;
use super::query::Parts;

/// What is done to the body of an answer before it goes out.
#[derive(Debug)]
pub(super) enum Afterwards {
    Nothing,
    /// The account's description is completed.
    Account,
    /// The plan of a query says this about it.
    Plan(Value),
    /// The rows become parts of what the client puts together.
    Parts(Parts),
}

impl Afterwards {
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
            Self::Account => account::complete(&mut json),
            Self::Plan(said) => json["queryInfo"] = said.clone(),
            Self::Parts(parts) => {
                for row in json["Documents"].as_array_mut().into_iter().flatten() {
                    *row = parts.part(row);
                }
            }
        }
        json.to_string().into_bytes()
    }
}
