//! The HTTP edge: requests become commands, answers and errors become responses.
//! Never holds a rule of the shop, and no status code of an error is chosen outside `problem`.

mod body;
pub mod commands;
pub mod operations;
mod principal;
pub mod problem;

use std::sync::Arc;

use crate::{config::Auth, write::Writer};

/// What every HTTP function can reach.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The write side; `None` when this deployment has no PG settings.
    pub writer: Option<Arc<Writer>>,
    /// Where callers come from.
    pub auth: Auth,
}
