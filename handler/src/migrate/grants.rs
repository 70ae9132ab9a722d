//! The rights of the app's role, and the planning of its statements.
//! Never gives it a right that no statement of the app needs.

/// The statements that give `role` its rights and settings in `database`. The log is append-only for the app: it may read
/// and add events, never change or delete them; and the read model it may only read. Its statements are short and always
/// the same, so they are planned once, for an index in memory, and never compiled.
pub(super) fn grants(role: &str, database: &str) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let role = quoted(role);
    // For this database only: a role that several databases share would be altered by several migrations at once.
    let alter = format!("alter role {role} in database {}", quoted(database));
    format!(
        "grant usage on schema write_model, read_model to {role};
         grant select on all tables in schema write_model, read_model to {role};
         grant insert, update on write_model.customers, write_model.products, write_model.stock, write_model.orders to {role};
         grant insert, update, delete on write_model.order_lines to {role};
         grant insert on write_model.events to {role};
         grant insert, delete on write_model.idempotency_keys to {role};
         grant insert, update, delete on write_model.outbox to {role};
         grant insert, update on write_model.jobs to {role};
         grant execute on function write_model.refuse(), read_model.sum_up_sales(bigint) to {role};
         {alter} set statement_timeout = '2s';
         {alter} set lock_timeout = '2s';
         {alter} set jit = off;
         {alter} set plan_cache_mode = force_generic_plan;
         {alter} set random_page_cost = 1.1;"
    )
}
