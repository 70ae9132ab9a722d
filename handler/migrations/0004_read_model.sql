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

-- An order that was paid counts on that UTC day; when it is cancelled after all, that counts on the day of the cancellation.
-- Sums are numeric: they may be larger than any amount.
create table read_model.sales (
    day date not null,
    currency text collate "C" not null,
    paid_orders bigint not null,
    paid numeric not null,
    cancelled_orders bigint not null,
    cancelled numeric not null,
    primary key (day, currency)
);

-- What is not in the sums yet, a row for each order paid or cancelled: payments of a day do not wait for one another's row.
-- Whoever reads sales adds them.
create table read_model.sales_unsummed (like read_model.sales);
create index sales_unsummed_day on read_model.sales_unsummed (day);

-- One row as long as order_summary and sales are whole: the trigger is on, and what was there before it has been filled in.
create table read_model.filled (
    at timestamptz not null default now(),
    one boolean primary key default true check (one)
);

-- What an event adds to the sales, if it does.
create function read_model.sale(e write_model.events) returns setof read_model.sales language sql immutable
set search_path = pg_catalog, pg_temp as $$
    select (e.occurred_at at time zone 'UTC')::date, e.state#>>'{total,currency}',
        (not cancels)::int, case when cancels then 0 else amount end, cancels::int, case when cancels then amount else 0 end
    from (select e.type = 'orders.OrderCancelled.v1' as cancels, (e.state#>>'{total,amount}')::numeric as amount) s
    where e.type = 'orders.OrderPaid.v1' or (cancels and e.state ? 'paidAt')
$$;
revoke execute on function read_model.sale(write_model.events) from public;

-- With the owner's rights, so that the app's role needs none on the tables.
create function read_model.keep_orders() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
    insert into read_model.order_summary as kept (order_id, version, state, changed_at)
    values (new.stream::uuid, new.version, new.state, new.occurred_at)
    on conflict (order_id) do update
        set version = excluded.version, state = excluded.state, changed_at = excluded.changed_at
        where kept.version < excluded.version;
    if new.type in ('orders.OrderPaid.v1', 'orders.OrderCancelled.v1') then
        insert into read_model.sales_unsummed select * from read_model.sale(new);
    end if;
    return null;
end
$$;
revoke execute on function read_model.keep_orders() from public;

-- For each row, not each statement: what is off must cost nothing, and a transition table is filled even for a trigger that is.
create trigger keep_orders after insert on write_model.events
    for each row when (starts_with(new.type, 'orders.Order')) execute function read_model.keep_orders();
alter table write_model.events disable trigger keep_orders;

-- Adds up to so many rows to the sums, and returns how many. Two at a time take different rows, and the sums in one order.
create function read_model.sum_up_sales(most bigint) returns bigint language sql security definer
set search_path = pg_catalog, pg_temp as $$
    with taken as (
        delete from read_model.sales_unsummed where ctid = any (array(
            select ctid from read_model.sales_unsummed limit most for update skip locked))
        returning *),
    summed as (
        insert into read_model.sales as kept
        select day, currency, sum(paid_orders), sum(paid), sum(cancelled_orders), sum(cancelled)
        from taken group by day, currency order by day, currency
        on conflict (day, currency) do update
            set paid_orders = kept.paid_orders + excluded.paid_orders, paid = kept.paid + excluded.paid,
                cancelled_orders = kept.cancelled_orders + excluded.cancelled_orders,
                cancelled = kept.cancelled + excluded.cancelled)
    select count(*) from taken
$$;
revoke execute on function read_model.sum_up_sales(bigint) from public;

create view read_model.customers as
    select c.id, c.version, c.name, c.email, e.occurred_at as changed_at
    from write_model.customers c
    join write_model.events e on e.stream = c.id::text and e.version = c.version;
