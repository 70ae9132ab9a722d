//! PostgreSQL as both halves use it: a few lazy connections, statements on them, and the errors that they end in.
//! Never knows a table but `schema_version`, never asks twice by itself, and keeps no session state.

mod connect;
mod connection;
mod error;
mod idle;
mod pool;
mod sqlstate;
mod target;
mod timestamp;
mod tls;

pub use connection::{PoolerMode, PostgresConnection, PreparedStatement, SqlParameters, types};
pub use error::PostgresError;
pub use pool::{ConnectionPool, PooledConnection};
pub use target::PostgresTarget;
