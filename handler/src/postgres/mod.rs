//! PostgreSQL as both halves use it: a few lazy connections, how statements run on them, and why there was no answer.
//! Never knows a table but `schema_version`, never asks twice by itself, and keeps no session state.

mod connection;
mod fault;
mod idle;
mod pool;

pub use connection::{Connection, Parameters, Pooler, Prepared, types};
pub use fault::Fault;
pub use pool::{Lease, Pool};
