//! PostgreSQL as both halves use it: a few lazy connections, statements on them, and the errors that they end in.
//! Never knows a table but `schema_version`, never asks twice by itself, and keeps no session state but the settings of `session`.

mod connect;
mod connection;
mod error;
mod idle;
mod pool;
mod session;
mod sqlstate;
mod target;
mod timestamp;
mod tls;

pub use connect::NeededSchema;
pub use connection::{PoolerMode, PostgresConnection, PreparedStatement, SqlParameters, types};
pub use error::PostgresError;
pub use pool::{ConnectionPool, PooledConnection};
pub use session::SESSION_SETTINGS;
pub use target::PostgresTarget;
