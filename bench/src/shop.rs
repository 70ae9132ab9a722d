//! What the measured shop holds: 1 000 products, one customer, and ids that both systems can work out from a number.
//! Never random itself: what varies is chosen by the load client and by pgbench.

/// The one customer that orders.
pub(crate) const CUSTOMER: &str = "01890000-0000-7000-8000-000000000001";
/// Pieces of every product at the start of a run: more than any run can sell.
pub(crate) const PIECES: i64 = 1_000_000_000;
/// The one product that all clients want in the hot workloads.
pub(crate) const HOT: u64 = 1001;
/// Products from which the three lines of an order take theirs, first and last. They do not overlap, so that no SKU
/// comes twice, and all have four digits, so that every request has the same length.
pub(crate) const SHELVES: [(u64, u64); 3] = [(1001, 1333), (1334, 1666), (1667, 2000)];
/// The beginning of a SKU.
pub(crate) const SKU_PREFIX: &str = "SKU-";
/// The beginning of a prepared order's id; its number follows in 12 hexadecimal digits.
pub(crate) const ORDER_PREFIX: &str = "01890000-0000-7000-9000-";

/// SKU of this product.
pub(crate) fn sku(product: u64) -> String {
    format!("{SKU_PREFIX}{product}")
}

/// Id of this prepared order.
pub(crate) fn order_id(number: u64) -> String {
    format!("{ORDER_PREFIX}{number:012x}")
}

/// Fills the shop.
pub(crate) fn stock_up() -> String {
    let (first, last) = (SHELVES[0].0, SHELVES[2].1);
    format!(
        "insert into write_model.customers (id, version, name, email)
         values ('{CUSTOMER}', 1, 'Ada Lovelace', 'ada@example.org');
         insert into write_model.products (sku, version, name, price, currency)
         select '{SKU_PREFIX}' || n, 1, 'Product ' || n, 500, 'EUR' from generate_series({first}, {last}) n;
         insert into write_model.stock (sku, available, seq)
         select sku, {PIECES}, 0 from write_model.products"
    )
}

/// Paid orders 0 to `count` - 1, as payment leaves them: the order, its lines, its last event, and a used key.
pub(crate) fn paid_orders(count: u64) -> String {
    let [(a, _), (b, _), (c, _)] = SHELVES;
    format!(
        "insert into write_model.orders (id, version, status, customer_id, customer_name, total, currency, placed_at, paid_at)
         select ('{ORDER_PREFIX}' || lpad(to_hex(n), 12, '0'))::uuid, 2, 'paid', '{CUSTOMER}', 'Ada Lovelace', 1500, 'EUR',
             now(), now()
         from generate_series(0::bigint, {count}::bigint - 1) n;
         insert into write_model.order_lines (order_id, line, sku, name, quantity, unit_price)
         select o.id, l.line, '{SKU_PREFIX}' || l.product, 'Product ' || l.product, 1, 500
         from write_model.orders o, (values (1, {a}), (2, {b}), (3, {c})) l(line, product);
         insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
         select gen_random_uuid(), id::text, 2, 'orders.OrderPaid.v1', '{{}}', '{{}}', '{{}}', now()
         from write_model.orders;
         insert into write_model.idempotency_keys (caller, key, fingerprint, event_id)
         select 'bench', event_id::text, '', event_id from write_model.events"
    )
}
