-- The write model: current state, the event log, and the outbox, all in the schema write_model.
-- No foreign keys between hot rows: they would take share locks on rows that commands update, and S2 checks what matters.

create schema write_model;
set local search_path = write_model;

create table schema_version (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);

create table customers (
    id uuid primary key,
    version bigint not null check (version >= 1),
    name text not null,
    email text not null
);

create table products (
    sku text primary key,
    version bigint not null check (version >= 1),
    name text not null,
    price bigint not null check (price >= 0),
    currency text not null
);

-- Apart from products: it moves with every order, and equal seq means equal available.
create table stock (
    sku text primary key,
    available bigint not null check (available >= 0),
    seq bigint not null check (seq >= 0)
) with (fillfactor = 70);

create table orders (
    id uuid primary key,
    version bigint not null check (version >= 1),
    status text not null check (status in ('placed', 'paid', 'shipped')),
    customer_id uuid not null,
    customer_name text not null,
    total bigint not null check (total >= 0),
    currency text not null,
    placed_at timestamptz not null,
    paid_at timestamptz,
    shipped_at timestamptz,
    carrier text,
    tracking_number text
) with (fillfactor = 80);

create table order_lines (
    order_id uuid not null,
    line integer not null,
    sku text not null,
    name text not null,
    quantity bigint not null check (quantity > 0),
    unit_price bigint not null check (unit_price >= 0),
    primary key (order_id, line)
);

-- Append-only for ever: the audit trail, and the source of messages and replays.
create table events (
    position bigint generated always as identity primary key,
    event_id uuid not null unique,
    stream text not null,
    version bigint not null check (version >= 1),
    type text not null,
    data jsonb not null,
    state jsonb not null,
    stock jsonb,
    metadata jsonb not null,
    occurred_at timestamptz not null,
    unique (stream, version)
);

-- Small: a row is deleted as soon as the bus has its message.
create table outbox (
    position bigint primary key,
    parked_at timestamptz,
    reason text
);

-- Ends the statement when a guard fails. VOLATILE, because an IMMUTABLE one is folded, and so raised, at plan time.
create function refuse() returns boolean language plpgsql volatile as $$
begin
    raise exception 'a guard of the write failed' using errcode = 'OM001';
end
$$;
