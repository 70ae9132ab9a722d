-- The rights of the groups in this database: what the statements of their parts need, and no more. What an earlier release gave is
-- taken back. The log is append-only for everybody but its owner.
revoke all on schema write_model, read_model from orders_command, orders_query, orders_operator;
revoke all on all tables in schema write_model, read_model from orders_command, orders_query, orders_operator;
revoke all on all functions in schema write_model, read_model from public, orders_command, orders_query, orders_operator;

-- Commands, the relay, and what the timer tidies.
grant usage on schema write_model, read_model to orders_command;
grant select on write_model.schema_version, read_model.schema_version to orders_command;
grant select, insert, update on write_model.customers, write_model.products, write_model.stock, write_model.orders to orders_command;
grant select, insert, update, delete on write_model.order_lines, write_model.outbox to orders_command;
grant select, insert on write_model.events to orders_command;
grant select, insert, delete on write_model.idempotency_keys to orders_command;
grant execute on function write_model.refuse(), read_model.sum_up_sales(bigint) to orders_command;

-- Queries, where the read model is in this database.
grant usage on schema read_model to orders_query;
grant select on all tables in schema read_model to orders_query;

-- Jobs, explanations, the status, and events that the bus has refused.
grant usage on schema write_model, read_model to orders_operator;
grant select on write_model.schema_version, write_model.events, write_model.stock, write_model.outbox,
    read_model.schema_version, read_model.filled to orders_operator;
grant select (key, event_id, at) on write_model.idempotency_keys to orders_operator;
grant update (parked_at, reason) on write_model.outbox to orders_operator;
grant select, insert, update on write_model.jobs to orders_operator;

-- Nobody needs tables of his own here; where the database is not ours this is for its owner to say.
do $$
begin
    if exists (select from pg_database where datname = current_database() and datdba = current_user::regrole) then
        execute format('revoke temporary on database %I from public', current_database());
    end if;
end $$;
