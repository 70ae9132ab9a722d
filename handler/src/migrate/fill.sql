-- One step of filling order_summary: the next orders by id, each with its newest event. Returns how far it came.
-- $1 uuid: orders after this one; $2 bigint: most of them.
-- Writers lock their orders by id before they write anything, and so does this: nobody can wait for each other in a circle.
-- What they write meanwhile is newer, and stays.
with step as materialized (
    select o.id from write_model.orders o where o.id > $1 order by o.id limit $2 for share),
filled as (
    insert into read_model.order_summary as kept (order_id, version, state, changed_at)
    select step.id, e.version, e.state, e.occurred_at from step
    cross join lateral (
        select e.version, e.state, e.occurred_at from write_model.events e
        where e.stream = step.id::text order by e.version desc limit 1) e
    order by step.id
    on conflict (order_id) do update
        set version = excluded.version, state = excluded.state, changed_at = excluded.changed_at
        where kept.version < excluded.version)
select (select count(*) from step) as orders, (select id from step order by id desc limit 1) as last
