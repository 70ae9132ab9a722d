-- The read model for deployments without Cosmos DB (READ_MODEL=postgres): the schema read_model. Widens only, and costs nothing
-- where it is not used: the trigger stays off until `handler migrate --read-model postgres` (migrate/read_model.rs).
-- Waits for the writers of write_model.products and write_model.events for a moment, and they for it.

create schema read_model;

-- By SKU in the order of its bytes, whatever the database's collation is. First, because commands lock products before events.
create index products_sku_bytes on write_model.products (sku collate "C");

create view read_model.products as
    select p.sku collate "C" as sku, p.version, p.name, p.price, p.currency, s.available, s.seq
    from write_model.products p join write_model.stock s on s.sku = p.sku;

-- Every order as its newest event left it. What lists select by is taken out of the state by PostgreSQL itself.
create table read_model.order_summary (
    order_id uuid primary key,
    version bigint not null,
    status text not null generated always as (state->>'status') stored,
    customer_id uuid not null generated always as ((state#>>'{customer,id}')::uuid) stored,
    state jsonb not null,
    changed_at timestamptz not null
);

create index order_summary_customer on read_model.order_summary (customer_id, order_id);
create index order_summary_status on read_model.order_summary (status, order_id);

-- One row as long as order_summary is whole: the trigger is on, and what was there before it has been filled in.
create table read_model.filled (
    at timestamptz not null default now(),
    one boolean primary key default true check (one)
);

-- With the owner's rights, so that the app's role needs none on the table.
create function read_model.keep_order_summary() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    insert into read_model.order_summary as kept (order_id, version, state, changed_at)
    values (new.stream::uuid, new.version, new.state, new.occurred_at)
    on conflict (order_id) do update
        set version = excluded.version, state = excluded.state, changed_at = excluded.changed_at
        where kept.version < excluded.version;
    return null;
end
$$;
revoke execute on function read_model.keep_order_summary() from public;

-- For each row, not each statement: what is off must cost nothing, and a transition table is filled even for a trigger that is.
create trigger keep_order_summary after insert on write_model.events
    for each row when (starts_with(new.type, 'orders.Order')) execute function read_model.keep_order_summary();
alter table write_model.events disable trigger keep_order_summary;

-- Shows nothing while order_summary is not whole: nobody may take a part for all.
create view read_model.orders as
    select order_id, version, status, customer_id, state, changed_at
    from read_model.order_summary where exists (select from read_model.filled);

create view read_model.customers as
    select c.id, c.version, c.name, c.email, e.occurred_at as changed_at
    from write_model.customers c
    join write_model.events e on e.stream = c.id::text and e.version = c.version;

-- An order that was paid counts on that UTC day; when it is cancelled after all, that counts on the day of the cancellation.
-- Sums are numeric: they may be larger than any amount.
create materialized view read_model.sales as
    select (e.occurred_at at time zone 'UTC')::date as day,
        (e.state#>>'{total,currency}') collate "C" as currency,
        count(*) filter (where e.type = 'orders.OrderPaid.v1') as paid_orders,
        coalesce(sum((e.state#>>'{total,amount}')::numeric) filter (where e.type = 'orders.OrderPaid.v1'), 0) as paid,
        count(*) filter (where e.type = 'orders.OrderCancelled.v1') as cancelled_orders,
        coalesce(sum((e.state#>>'{total,amount}')::numeric) filter (where e.type = 'orders.OrderCancelled.v1'), 0)
            as cancelled
    from write_model.events e
    where e.type = 'orders.OrderPaid.v1' or (e.type = 'orders.OrderCancelled.v1' and e.state ? 'paidAt')
    group by 1, 2
    with no data;

create unique index sales_day on read_model.sales (day, currency);

-- Only an owner can refresh, so the app's role does it through this. Concurrently: readers see the old sums meanwhile.
create function read_model.refresh_sales() returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    if (select relispopulated from pg_class where oid = 'read_model.sales'::regclass) then
        refresh materialized view concurrently read_model.sales;
    else
        refresh materialized view read_model.sales;
    end if;
end
$$;
revoke execute on function read_model.refresh_sales() from public;
