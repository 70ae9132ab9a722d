-- Long-running work is a job, under the names that the API and the command line have for it, and a request under an
-- Idempotency-Key leads to one job. What is open goes on as the job of the same id. Widens only: the table `operations` stays for
-- the binary before this one; what it is asked for while both run is not taken over.

set local search_path = write_model;

create table jobs (
    id uuid primary key,
    -- Such as 'replay'.
    kind text not null,
    -- The body of the request.
    request jsonb not null,
    state text not null check (state in ('planning', 'planned', 'running', 'paused', 'cancelled', 'completed', 'failed')),
    -- Of the jobs that have the same name here only one is open.
    exclusive text,
    requested_by text not null,
    requested_at timestamptz not null default now(),
    -- The Idempotency-Key, and a digest of the request that it came with.
    idempotency_key text,
    fingerprint text,
    started_at timestamptz,
    ended_at timestamptz,
    -- For whoever watches; todo is 0 where it is not known how far it goes.
    doing text not null default '',
    done bigint not null default 0,
    todo bigint not null default 0,
    -- Where the next step begins, and how often it has panicked there.
    cursor jsonb,
    panics integer not null default 0,
    -- The plan, and in the end what came of it.
    result jsonb,
    -- Why it does not go on, or has failed.
    note text,
    -- Who works on it, and until when no other process may.
    lease uuid,
    leased_until timestamptz
);

create index jobs_active on jobs (requested_at) where state in ('planning', 'running');

create unique index jobs_one_at_a_time on jobs (exclusive) where state in ('planning', 'planned', 'running', 'paused');

create unique index jobs_idempotency_key on jobs (requested_by, idempotency_key) where idempotency_key is not null;

insert into jobs (id, kind, request, state, exclusive, requested_by, requested_at, started_at, ended_at, doing, done, todo,
    cursor, panics, result, note)
select id, coalesce(k.name, o.request->>'kind', 'unknown'), coalesce(o.request->'with', 'null'), o.state,
    case when k.name in ('rebuild', 'retirement') then 'generations' end,
    o.requested_by, o.requested_at, o.started_at, o.ended_at, o.doing, o.done, o.todo, o.cursor, o.panics, o.result, o.note
from operations o
left join (values
    ('rebuild', 'rebuild'), ('retire', 'retirement'), ('verify', 'verification'), ('replay', 'replay'),
    ('projection', 'reprojection'), ('resubmit', 'resubmission'), ('delete', 'deletion')) k (before, name)
    on k.before = o.request->>'kind';

-- Whoever works on one of them is told so within three seconds, and stops.
update operations
set state = 'cancelled', ended_at = now(), lease = null, leased_until = null, note = 'goes on as the job of the same id'
where state in ('planning', 'planned', 'running', 'paused');
