//! The settings of every session of the app: its statements are short and always the same, so they end soon, and are planned once, for
//! an index in memory, and never compiled. Never overrides a login role that has settings of its own.

use tokio_postgres::Error;

use super::connection::{PoolerMode, PostgresConnection};

/// What `handler migrate --app-role` sets on the login role, as membership in a group does not pass settings on.
pub const SESSION_SETTINGS: [(&str, &str); 5] = [
    ("statement_timeout", "2s"),
    ("lock_timeout", "2s"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("random_page_cost", "1.1"),
];

/// True in a session whose login role has no settings: nobody was allowed to make them.
pub(super) const IS_BARE: &str = "current_setting('statement_timeout') = '0'";

/// Makes the settings for this session.
pub(super) async fn complete(connection: &PostgresConnection, pooler: PoolerMode) -> Result<(), Error> {
    if pooler == PoolerMode::Transaction {
        // The session is somebody else's after each transaction.
        tracing::warn!(
            "session_settings_missing: the login role has none; run `handler migrate --app-role` as one who may"
        );
        return Ok(());
    }
    let set = SESSION_SETTINGS.map(|(name, value)| format!("set {name} = '{value}'"));
    connection.batch_execute(&set.join("; ")).await
}
