-- What operators have asked for - replays, rebuilds, checks, dead letters dealt with - and how far it is. Widens only.

set local search_path = write_model;

create table operations (
    id uuid primary key,
    -- What was asked for: {"kind": "replay", …}.
    request jsonb not null,
    state text not null check (state in ('planning', 'planned', 'running', 'paused', 'cancelled', 'completed', 'failed')),
    requested_by text not null,
    requested_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at timestamptz,
    -- For whoever watches; todo is 0 where nobody knows how far it goes.
    doing text not null default '',
    done bigint not null default 0,
    todo bigint not null default 0,
    -- Where the next step begins.
    cursor jsonb,
    -- What was planned, and in the end what came of it.
    result jsonb,
    -- Why it does not go on, or has failed.
    note text,
    -- Who works on it, and until when nobody else may.
    lease uuid,
    leased_until timestamptz
);

create index operations_open on operations (requested_at) where state in ('planning', 'running');

-- There is one read model to be made anew: a second rebuild, or the removal of what the first one fills, has to wait.
create unique index operations_one_rebuild on operations ((true))
    where request->>'kind' in ('rebuild', 'retire') and state in ('running', 'paused');
