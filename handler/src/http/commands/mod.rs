//! The commands over HTTP, a file for each aggregate: the body that is sent, and the command that it means.
//! Never decides whether a command is allowed by the shop's rules.

pub(super) mod customers;
pub(super) mod orders;
pub(super) mod products;

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Problem, ProblemKind};
use crate::domain::value::{Name, fresh};

/// Another name for a customer or a product.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    /// The new name.
    #[serde(deserialize_with = "fresh")]
    name: Name,
}

/// The id in a path; a text that is no id names nothing that exists.
pub(super) fn id(text: &str, absent: ProblemKind) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::new(absent, absent.meaning()))
}
