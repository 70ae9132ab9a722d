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
pub mod host_mode;
mod inspection;
mod jobs;
pub mod openapi;
pub mod preconditions;
mod principal;
pub mod problem;
mod problem_kind;
mod queries;
mod query;

use std::sync::{Arc, LazyLock};

use crate::{config::AuthMode, health::Health, jobs::Jobs, read::ReadModel, write::Writer};

/// The parts of the process that HTTP calls use.
#[derive(Clone)]
pub struct AppState {
    /// The write side; `None` when this deployment has no PG settings.
    pub writer: Option<Arc<Writer>>,
    /// The read side; `None` when this deployment has no read model.
    pub read_model: Option<Arc<ReadModel>>,
    /// Health of the stores.
    pub health: Arc<Health>,
    /// Jobs and what operators look at; `None` when this deployment has no PG settings.
    pub jobs: Option<Arc<Jobs>>,
    /// The source of callers' identities.
    pub auth: AuthMode,
    /// The OpenAPI document, made when it is first asked for.
    pub openapi: &'static LazyLock<String>,
}
