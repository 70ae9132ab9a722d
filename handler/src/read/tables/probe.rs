//! Probes whether a query could be answered from the tables now.
//! Never asks for more than a part's role is to have.

use super::statements::FILLED;
use crate::{
    condition::{StoreReason, StoreTrouble},
    postgres::{PooledConnection, PostgresError},
};

/// Rights that `handler migrate --app-role` gives and that are missing, on tables that exist.
const RIGHTS: &str = "
    select t.name
    from unnest(array['read_model.order_summary', 'read_model.sales', 'read_model.sales_unsummed', 'read_model.filled',
        'read_model.products', 'read_model.history', 'read_model.customers']) t (name)
    where not has_table_privilege(to_regclass(t.name)::oid, 'select')";

/// Finds what keeps queries from being answered, if anything does; the rights on the tables are looked at for those who answer
/// `queries`.
///
/// # Errors
/// See [`PostgresError`].
pub async fn probe(
    connection: &mut PooledConnection<'_, ()>,
    queries: bool,
) -> Result<Option<StoreTrouble>, PostgresError> {
    let missing = if queries {
        connection.query(RIGHTS, &[]).await?
    } else {
        Vec::new()
    };
    let missing: Result<Vec<String>, PostgresError> = missing.iter().map(|row| Ok(row.try_get(0)?)).collect();
    let missing = missing?;
    if !missing.is_empty() {
        let why = format!("missing: select on {}", missing.join(", "));
        return Ok(Some(StoreTrouble::new(StoreReason::Rights, why)));
    }
    let kept = !connection.query(FILLED, &[]).await?.is_empty();
    let why = "nobody keeps the read model: run `handler migrate --read-model postgres`";
    Ok((!kept).then(|| StoreTrouble::new(StoreReason::Schema, why)))
}
