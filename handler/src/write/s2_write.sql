-- S2: the one guarded write. $1 jsonb is a ChangeSet (write/change.rs). Either all of it happens or OM001 is raised.
-- Every lock on several rows is taken in key order by a CTE of its own, and each CTE that locks or writes
-- depends on the one before it by data, because the order of CTEs is otherwise unspecified.
with
-- A concurrent twin waits here until the first has committed or not; then its guard fails, and its S1 finds the answer.
keys as (
    insert into write_model.idempotency_keys (caller, key, fingerprint, event_id)
    select k.caller, k.key, k.fingerprint, k.event_id
    from jsonb_to_recordset($1::jsonb->'keys') as k(caller text, key text, fingerprint text, event_id uuid)
    order by k.caller, k.key
    on conflict (caller, key) do nothing returning 1),
order_moves as materialized (
    select * from jsonb_to_recordset($1::jsonb->'orderMoves') as m(id uuid, expected bigint, version bigint, status text,
        total bigint, currency text, lines integer, paid_at timestamptz, shipped_at timestamptz, carrier text,
        tracking_number text, delivered_at timestamptz, cancelled_at timestamptz, reason text)),
customer_moves as materialized (
    select * from jsonb_to_recordset($1::jsonb->'customerMoves') as m(id uuid, expected bigint, version bigint, name text,
        email text)),
product_moves as materialized (
    select * from jsonb_to_recordset($1::jsonb->'productMoves') as m(sku text, expected bigint, version bigint, name text,
        price bigint, currency text)),
priced as materialized (
    select * from jsonb_to_recordset($1::jsonb->'priced') as m(sku text, version bigint)),
locked_orders as materialized (
    select o.id, o.version = m.expected as current
    from write_model.orders o join order_moves m using (id), (select count(*) from keys) after
    order by o.id for no key update of o),
locked_customers as materialized (
    select c.id, c.version = m.expected as current
    from write_model.customers c join customer_moves m using (id), (select count(*) from locked_orders) after
    order by c.id for no key update of c),
locked_products as materialized (
    select p.sku, p.version = m.expected as current
    from write_model.products p join product_moves m using (sku), (select count(*) from locked_customers) after
    order by p.sku for no key update of p),
need as materialized (
    select m.sku, sum(m.delta)::bigint as delta
    from jsonb_to_recordset($1::jsonb->'stockMoves') as m(sku text, delta bigint), (select count(*) from locked_products) after
    group by m.sku),
locked as materialized (
    select s.sku, s.available, n.delta
    from write_model.stock s join need n using (sku)
    order by s.sku for no key update of s),
ok as materialized (
    select case when
        (select count(*) from keys) = jsonb_array_length($1::jsonb->'keys')
        and (select count(*) from locked_orders where current) = (select count(*) from order_moves)
        and (select count(*) from locked_customers where current) = (select count(*) from customer_moves)
        and (select count(*) from locked_products where current) = (select count(*) from product_moves)
        and (select count(*) from write_model.products p join priced using (sku, version)) = (select count(*) from priced)
        and (select count(*) from locked where available + delta >= 0) = (select count(*) from need)
    then true else write_model.refuse() end as ok),
moved_stock as (
    update write_model.stock s set available = s.available + l.delta, seq = s.seq + 1
    from locked l, ok where s.sku = l.sku and ok.ok
    returning s.sku, s.available, s.seq),
moved_orders as (
    update write_model.orders o set version = m.version, status = m.status, total = m.total, currency = m.currency,
        paid_at = coalesce(m.paid_at, o.paid_at), shipped_at = coalesce(m.shipped_at, o.shipped_at),
        carrier = coalesce(m.carrier, o.carrier), tracking_number = coalesce(m.tracking_number, o.tracking_number),
        delivered_at = coalesce(m.delivered_at, o.delivered_at), cancelled_at = coalesce(m.cancelled_at, o.cancelled_at),
        reason = coalesce(m.reason, o.reason)
    from order_moves m, ok where o.id = m.id and ok.ok),
dropped_lines as (
    delete from write_model.order_lines l using order_moves m, ok where l.order_id = m.id and l.line > m.lines and ok.ok),
moved_customers as (
    update write_model.customers c set version = m.version, name = m.name, email = m.email
    from customer_moves m, ok where c.id = m.id and ok.ok),
moved_products as (
    update write_model.products p set version = m.version, name = m.name, price = m.price, currency = m.currency
    from product_moves m, ok where p.sku = m.sku and ok.ok),
new_customers as (
    insert into write_model.customers (id, version, name, email)
    select c.id, c.version, c.name, c.email
    from jsonb_to_recordset($1::jsonb->'newCustomers') as c(id uuid, version bigint, name text, email text), ok where ok.ok),
new_products as (
    insert into write_model.products (sku, version, name, price, currency)
    select p.sku, p.version, p.name, p.price, p.currency
    from jsonb_to_recordset($1::jsonb->'newProducts') as p(sku text, version bigint, name text, price bigint, currency text), ok
    where ok.ok),
new_stock as (
    insert into write_model.stock (sku, available, seq)
    select p.sku, 0, 0 from jsonb_to_recordset($1::jsonb->'newProducts') as p(sku text), ok where ok.ok),
new_orders as (
    insert into write_model.orders (id, version, status, customer_id, customer_name, total, currency, placed_at)
    select o.id, o.version, o.status, o.customer_id, o.customer_name, o.total, o.currency, o.placed_at
    from jsonb_to_recordset($1::jsonb->'newOrders') as o(id uuid, version bigint, status text, customer_id uuid,
        customer_name text, total bigint, currency text, placed_at timestamptz), ok where ok.ok),
written_lines as (
    insert into write_model.order_lines (order_id, line, sku, name, quantity, unit_price)
    select l.order_id, l.line, l.sku, l.name, l.quantity, l.unit_price
    from jsonb_to_recordset($1::jsonb->'lines') as l(order_id uuid, line integer, sku text, name text, quantity bigint,
        unit_price bigint), ok where ok.ok
    on conflict (order_id, line) do update set sku = excluded.sku, name = excluded.name, quantity = excluded.quantity,
        unit_price = excluded.unit_price),
new_events as (
    insert into write_model.events (event_id, stream, version, type, data, state, stock, metadata, occurred_at)
    select e.event_id, e.stream, e.version, e.type, e.data, e.state,
        (select jsonb_agg(jsonb_build_object('sku', s.sku, 'available', s.available, 'seq', s.seq) order by s.sku)
         from moved_stock s where e.moves ? s.sku),
        e.metadata, e.occurred_at
    from jsonb_to_recordset($1::jsonb->'events') as e(event_id uuid, stream text, version bigint, type text, data jsonb,
        state jsonb, moves jsonb, metadata jsonb, occurred_at timestamptz), ok
    where ok.ok
    returning position, event_id, stock),
new_outbox as (
    insert into write_model.outbox (position) select position from new_events)
select coalesce(jsonb_object_agg(event_id, coalesce(stock, '[]')), '{}') as stock_after from new_events
