-- S1: everything that the decisions of a batch need, in one round trip.
-- Times are written in UTC here: jsonb would write them in the session's time zone.
-- $1 uuid[]: orders; $2 uuid[]: customers; $3 text[]: SKUs; $4 text[] and $5 text[]: callers with their Idempotency-Keys;
-- $6 text[]: aggregates whose last change is asked for.
select
    (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'id', o.id, 'version', o.version, 'status', o.status,
        'customer', jsonb_build_object('id', o.customer_id, 'name', o.customer_name),
        'lines', (
            select jsonb_agg(jsonb_build_object('sku', l.sku, 'name', l.name, 'quantity', l.quantity,
                'unitPrice', jsonb_build_object('amount', l.unit_price, 'currency', o.currency)) order by l.line)
            from write_model.order_lines l where l.order_id = o.id),
        'total', jsonb_build_object('amount', o.total, 'currency', o.currency),
        'placedAt', to_char(o.placed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'paidAt', to_char(o.paid_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'shippedAt', to_char(o.shipped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'shipment', case when o.carrier is not null then
            jsonb_build_object('carrier', o.carrier, 'trackingNumber', o.tracking_number) end,
        'deliveredAt', to_char(o.delivered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'cancelledAt', to_char(o.cancelled_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'reason', o.reason))), '[]')
     from write_model.orders o where o.id = any($1::uuid[])) as orders,
    (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'version', c.version, 'name', c.name, 'email', c.email)), '[]')
     from write_model.customers c where c.id = any($2::uuid[])) as customers,
    (select coalesce(jsonb_agg(jsonb_build_object('sku', p.sku, 'version', p.version, 'name', p.name,
        'price', jsonb_build_object('amount', p.price, 'currency', p.currency), 'available', s.available, 'seq', s.seq)), '[]')
     from write_model.products p join write_model.stock s using (sku) where p.sku = any($3::text[])) as products,
    (select coalesce(jsonb_agg(jsonb_build_object('caller', k.caller, 'key', k.key, 'fingerprint', k.fingerprint,
        'eventId', e.event_id, 'type', e.type, 'occurredAt', to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'state', e.state, 'stock', coalesce(e.stock, '[]'))), '[]')
     from unnest($4::text[], $5::text[]) as asked(caller, key)
     join write_model.idempotency_keys k using (caller, key) join write_model.events e using (event_id)) as responses,
    (select coalesce(array_agg((
        select e.occurred_at from write_model.events e where e.stream = asked.stream order by e.version desc limit 1)
        order by asked.place), '{}')
     from unnest($6::text[]) with ordinality as asked(stream, place)) as changed
