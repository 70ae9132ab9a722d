//! The HTTP edge: requests become commands, answers and errors become responses.
//! Never holds a rule of the shop, and no status of an error is chosen outside `problem_kind`.

pub mod access;
mod answer;
pub mod api;
pub mod body;
mod call;
mod commands;
mod consistency;
mod content;
pub mod endpoint;
mod fields;
pub mod health;
pub mod openapi;
mod operations;
pub mod preconditions;
mod principal;
pub mod problem;
mod problem_kind;
mod queries;
mod query;

use std::sync::Arc;

use crate::{config::Auth, health::Health, operations::Operations, read::ReadModel, write::Writer};

/// What every HTTP function can reach.
#[derive(Clone)]
pub struct Reach {
    /// The write side; `None` when this deployment has no PG settings.
    pub writer: Option<Arc<Writer>>,
    /// The read side; `None` when this deployment has no read model.
    pub read_model: Option<Arc<ReadModel>>,
    /// How the stores are.
    pub health: Arc<Health>,
    /// What operators ask for; `None` when this deployment has no PG settings.
    pub operations: Option<Arc<Operations>>,
    /// Where callers come from.
    pub auth: Auth,
}
