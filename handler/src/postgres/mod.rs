//! PostgreSQL as both halves use it: a few lazy connections, what is prepared on each, and why there was no answer.
//! Never knows a table but `schema_version`, never asks twice by itself, and keeps no session state.

mod fault;
mod pool;

pub use fault::{Fault, describe};
pub use pool::{Lease, Pool};
