//! Readiness for commands: whether the session may write, and the rights of the app's role.
//! Never writes, and so never finds everything: a full disk shows at the next command.

use crate::{
    condition::{StoreReason, StoreTrouble},
    postgres::{PooledConnection, PostgresError},
};

/// The session's mode; and the rights that `handler migrate --app-role` gives and that are missing, of tables that exist.
const PROBE: &str = "
    select current_setting('transaction_read_only')::boolean as read_only,
        array(select r.table_name || ': ' || missing
            from (values
                ('schema_version', 'select'), ('customers', 'select,insert,update'), ('products', 'select,insert,update'),
                ('stock', 'select,insert,update'), ('orders', 'select,insert,update'),
                ('order_lines', 'select,insert,update,delete'), ('events', 'select,insert'),
                ('idempotency_keys', 'select,insert,delete'), ('outbox', 'select,insert,update,delete'),
                ('jobs', 'select,insert,update')) r (table_name, rights),
                unnest(string_to_array(r.rights, ',')) missing
            where not has_table_privilege(to_regclass('write_model.' || r.table_name)::oid, missing)) as missing";

/// The trouble that commands would run into, if there is any.
///
/// # Errors
/// See [`PostgresError`].
pub async fn probe(connection: &mut PooledConnection<'_, ()>) -> Result<Option<StoreTrouble>, PostgresError> {
    let row = connection.query_one(PROBE, &[]).await?;
    let (read_only, missing): (bool, Vec<String>) = (row.try_get("read_only")?, row.try_get("missing")?);
    Ok(if read_only {
        Some(StoreTrouble::new(
            StoreReason::ReadOnly,
            "the session takes no writes",
        ))
    } else if missing.is_empty() {
        None
    } else {
        let why = format!("missing on write_model.{}", missing.join(", "));
        Some(StoreTrouble::new(StoreReason::Rights, why))
    })
}
