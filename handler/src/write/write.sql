-- S2: the one guarded write. Either all of it happens, or a guard that fails raises OM001 and nothing does.
-- write/statement.rs takes from it the parts that a change set has rows for: a part begins at a line `-- @part` and ends at
-- the next one, and `-- @` is always there. Each {name} is an array, one element a row (write/change.rs).
--
-- Locks are taken in one order, or two statements could wait for each other: keys, orders, customers, products, stock. A CASE
-- looks at its WHENs one after the other, a CTE runs when it is first looked at, and `(select ok from ok)` is looked at
-- before the rows that it stands beside. Rows of one table go by key: a sorted subquery on the outside, and the lock in a
-- LATERAL one, for each of its rows in turn. New customers and products, two of which may be the same, come in key order
-- and before the events, which come in the order of the decisions.
-- @
with
-- @patience
-- Where others would have to wait too, a statement gives way soon when somebody holds its rows.
patience as materialized (select set_config('lock_timeout', '100ms', true)),
-- @keys
-- A concurrent twin waits here until the first has committed or not; then its guard fails, and its S1 finds the answer.
keys as (
    insert into write_model.idempotency_keys (caller, key, fingerprint, event_id)
    select k.caller, k.key, k.fingerprint, k.event_id
    from unnest({keyCaller}::text[], {key}::text[], {keyFingerprint}::text[], {keyEvent}::uuid[])
        as k(caller, key, fingerprint, event_id)
    order by k.caller, k.key
    on conflict (caller, key) do nothing returning 1),
-- @movedOrders
locked_orders as materialized (
    select 1 from (
        select * from unnest({movedOrder}::uuid[], {movedOrderFrom}::bigint[]) as m(id, version) order by m.id) m
    cross join lateral (
        select 1 from write_model.orders o where o.id = m.id and o.version = m.version for no key update) o),
-- @movedCustomers
locked_customers as materialized (
    select 1 from (
        select * from unnest({movedCustomer}::uuid[], {movedCustomerFrom}::bigint[]) as m(id, version) order by m.id) m
    cross join lateral (
        select 1 from write_model.customers c where c.id = m.id and c.version = m.version for no key update) c),
-- @movedProducts
locked_products as materialized (
    select 1 from (
        select * from unnest({movedProduct}::text[], {movedProductFrom}::bigint[]) as m(sku, version) order by m.sku) m
    cross join lateral (
        select 1 from write_model.products p where p.sku = m.sku and p.version = m.version for no key update) p),
-- @stock
-- `lowest` is how far the moves of this statement, one after the other, take the level down at worst. The new level is
-- reckoned from the locked row: an UPDATE first tries the row as its snapshot has it, and the table's CHECK would judge a
-- level that others have raised since (docs/adr/0009).
locked_stock as materialized (
    select m.sku, s.available + m.delta as available, s.seq + m.moves as seq from (
        select * from unnest({stock}::text[], {stockDelta}::bigint[], {stockLowest}::bigint[], {stockMoves}::bigint[])
            as m(sku, delta, lowest, moves) order by m.sku) m
    cross join lateral (
        select s.available, s.seq from write_model.stock s where s.sku = m.sku for no key update) s
    where s.available + m.lowest >= 0),
-- @
ok as materialized (select case when false then write_model.refuse()
-- @patience
    when (select count(*) from patience) <> 1 then write_model.refuse()
-- @keys
    when (select count(*) from keys) <> cardinality({key}::text[]) then write_model.refuse()
-- @movedOrders
    when (select count(*) from locked_orders) <> cardinality({movedOrder}::uuid[]) then write_model.refuse()
-- @movedCustomers
    when (select count(*) from locked_customers) <> cardinality({movedCustomer}::uuid[]) then write_model.refuse()
-- @movedProducts
    when (select count(*) from locked_products) <> cardinality({movedProduct}::text[]) then write_model.refuse()
-- @stock
    when (select count(*) from locked_stock) <> cardinality({stock}::text[]) then write_model.refuse()
-- @seenCustomers
    when (select count(*) from unnest({seenCustomer}::uuid[], {seenCustomerVersion}::bigint[]) as seen(id, version)
        join write_model.customers using (id, version)) <> cardinality({seenCustomer}::uuid[]) then write_model.refuse()
-- @seenProducts
    when (select count(*) from unnest({seenProduct}::text[], {seenProductVersion}::bigint[]) as seen(sku, version)
        join write_model.products using (sku, version)) <> cardinality({seenProduct}::text[]) then write_model.refuse()
-- @
    else true end as ok),
-- @stock
moved_stock as (
    update write_model.stock s set available = l.available, seq = l.seq
    from locked_stock l where s.sku = l.sku and (select ok from ok)
    returning s.sku, s.available, s.seq),
-- What was left right after each event: the level now, less what later events of this statement moved.
levels as (
    select m.event_id, jsonb_agg(jsonb_build_object('sku', s.sku, 'available', s.available - m.later,
        'seq', s.seq - m.behind) order by s.sku) as stock
    from unnest({moveEvent}::uuid[], {moveSku}::text[], {moveLater}::bigint[], {moveBehind}::bigint[])
        as m(event_id, sku, later, behind)
    join moved_stock s using (sku) group by m.event_id),
-- @movedOrders
moved_orders as (
    update write_model.orders o set version = m.version, status = m.status, total = m.total, currency = m.currency,
        paid_at = m.paid_at, shipped_at = m.shipped_at, carrier = m.carrier, tracking_number = m.tracking_number,
        delivered_at = m.delivered_at, cancelled_at = m.cancelled_at, reason = m.reason
    from unnest({movedOrder}::uuid[], {movedOrderVersion}::bigint[], {movedOrderStatus}::text[],
        {movedOrderTotal}::bigint[], {movedOrderCurrency}::text[], {movedOrderPaidAt}::timestamptz[],
        {movedOrderShippedAt}::timestamptz[], {movedOrderCarrier}::text[], {movedOrderTrackingNumber}::text[],
        {movedOrderDeliveredAt}::timestamptz[], {movedOrderCancelledAt}::timestamptz[], {movedOrderReason}::text[])
        as m(id, version, status, total, currency, paid_at, shipped_at, carrier, tracking_number, delivered_at,
            cancelled_at, reason)
    where o.id = m.id and (select ok from ok)),
-- @droppedLines
dropped_lines as (
    delete from write_model.order_lines l
    using unnest({droppedOrder}::uuid[], {droppedAfter}::integer[]) as m(id, line)
    where l.order_id = m.id and l.line > m.line and (select ok from ok)),
-- @movedCustomers
moved_customers as (
    update write_model.customers c set version = m.version, name = m.name, email = m.email
    from unnest({movedCustomer}::uuid[], {movedCustomerVersion}::bigint[], {movedCustomerName}::text[],
        {movedCustomerEmail}::text[]) as m(id, version, name, email)
    where c.id = m.id and (select ok from ok)),
-- @movedProducts
moved_products as (
    update write_model.products p set version = m.version, name = m.name, price = m.price, currency = m.currency
    from unnest({movedProduct}::text[], {movedProductVersion}::bigint[], {movedProductName}::text[],
        {movedProductPrice}::bigint[], {movedProductCurrency}::text[]) as m(sku, version, name, price, currency)
    where p.sku = m.sku and (select ok from ok)),
-- @newCustomers
new_customers as (
    insert into write_model.customers (id, version, name, email)
    select c.* from unnest({newCustomer}::uuid[], {newCustomerVersion}::bigint[], {newCustomerName}::text[],
        {newCustomerEmail}::text[]) as c(id, version, name, email)
    where (select ok from ok) order by c.id returning 1),
-- @newProducts
new_products as (
    insert into write_model.products (sku, version, name, price, currency)
    select p.* from unnest({newProduct}::text[], {newProductVersion}::bigint[], {newProductName}::text[],
        {newProductPrice}::bigint[], {newProductCurrency}::text[]) as p(sku, version, name, price, currency)
    where (select ok from ok) order by p.sku returning 1),
new_stock as (
    insert into write_model.stock (sku, available, seq)
    select p.sku, 0, 0 from unnest({newProduct}::text[]) as p(sku) where (select ok from ok)),
-- @newOrders
new_orders as (
    insert into write_model.orders (id, version, status, customer_id, customer_name, total, currency, placed_at)
    select o.* from unnest({newOrder}::uuid[], {newOrderVersion}::bigint[], {newOrderStatus}::text[],
        {newOrderCustomer}::uuid[], {newOrderCustomerName}::text[], {newOrderTotal}::bigint[],
        {newOrderCurrency}::text[], {newOrderPlacedAt}::timestamptz[]) as o
    where (select ok from ok)),
-- @lines
written_lines as (
    insert into write_model.order_lines (order_id, line, sku, name, quantity, unit_price)
    select l.* from unnest({lineOrder}::uuid[], {line}::integer[], {lineSku}::text[], {lineName}::text[],
        {lineQuantity}::bigint[], {linePrice}::bigint[]) as l
    where (select ok from ok)
    on conflict (order_id, line) do update set sku = excluded.sku, name = excluded.name, quantity = excluded.quantity,
        unit_price = excluded.unit_price),
-- @
-- In the order in which they were decided: the log's positions follow it.
new_events as (
    insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at, stock)
    select e.event_id, e.stream, e.version, e.type, e.data, e.state, e.metadata, e.occurred_at,
-- @stock
        levels.stock
-- @noStock
        null
-- @
    from unnest({event}::uuid[], {eventStream}::text[], {eventVersion}::bigint[], {eventType}::text[],
        {eventData}::jsonb[], {eventState}::jsonb[], {eventMetadata}::jsonb[], {eventAt}::timestamptz[])
        with ordinality as e(event_id, stream, version, type, data, state, metadata, occurred_at, n)
-- @stock
    left join levels using (event_id)
-- @
    where (select ok from ok)
-- @newCustomers
        and (select count(*) from new_customers) >= 0
-- @newProducts
        and (select count(*) from new_products) >= 0
-- @
    order by e.n
    returning position),
new_outbox as (
    insert into write_model.outbox (position) select position from new_events)
-- @stock
select sku, available, seq from moved_stock
-- @noStock
select null::text as sku, null::bigint as available, null::bigint as seq where false
