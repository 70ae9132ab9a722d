//! Readiness for commands and jobs: whether the session may write, and the rights of the part's role.
//! Never writes, and so never finds everything: a full disk shows at the next command.

use crate::{
    condition::{StoreReason, StoreTrouble},
    postgres::{PooledConnection, PostgresError},
};

/// The session's mode; and the rights that `handler migrate --app-role` gives and that are missing, of tables that exist.
const PROBE: &str = "
    select current_setting('transaction_read_only')::boolean as read_only,
        array(select distinct r.table_name || ': ' || missing
            from (values
                ('command', 'schema_version', 'select'), ('command', 'customers', 'select,insert,update'),
                ('command', 'products', 'select,insert,update'), ('command', 'stock', 'select,insert,update'),
                ('command', 'orders', 'select,insert,update'), ('command', 'order_lines', 'select,insert,update,delete'),
                ('command', 'events', 'select,insert'), ('command', 'idempotency_keys', 'select,insert,delete'),
                ('command', 'outbox', 'select,insert,update,delete'),
                ('operator', 'schema_version', 'select'), ('operator', 'events', 'select'), ('operator', 'outbox', 'select'),
                ('operator', 'stock', 'select'), ('operator', 'jobs', 'select,insert,update')) r (part, table_name, rights),
                unnest(string_to_array(r.rights, ',')) missing
            where r.part = any($1::text[])
                and not has_table_privilege(to_regclass('write_model.' || r.table_name)::oid, missing)) as missing";

/// The trouble that these parts would run into, if there is any: `command`, `operator`.
///
/// # Errors
/// See [`PostgresError`].
pub async fn probe(
    connection: &mut PooledConnection<'_, ()>,
    parts: &[&str],
) -> Result<Option<StoreTrouble>, PostgresError> {
    let row = connection.query_one(PROBE, &[&parts]).await?;
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
