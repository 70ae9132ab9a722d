-- Requests that were accepted under an Idempotency-Key: their answer is rendered again from the event. Widens only.

set local search_path = write_model;

create table idempotency_keys (
    caller text not null,
    key text not null,
    fingerprint text not null,
    event_id uuid not null,
    at timestamptz not null default now(),
    primary key (caller, key)
);

create index idempotency_keys_at on idempotency_keys (at);
