//! Every statement over the schema `read_model`, as it is prepared.
//! Never names the schema `write_model`, on which queries have no right; never builds SQL from values, and none of them reads a table
//! from one end to the other: a test asks the planner.

/// One row with nulls when there is no such order, and none while no trigger keeps the table: the same for every statement that begins with `filled`.
pub(super) const ORDER: &str = "
    select o.state, o.version, o.changed_at
    from read_model.filled left join read_model.order_summary o on o.order_id = $1::uuid";

pub(super) const HISTORY: &str = "
    select version, type, occurred_at, data from read_model.history
    where stream = $1::text and version > $2::bigint order by version limit $3::bigint";

pub(super) const CUSTOMER: &str = "
    select jsonb_build_object('id', id, 'version', version, 'name', name, 'email', email) as customer, version, changed_at
    from read_model.customers where id = $1::uuid";

/// Without the lines, which no list shows.
pub(super) const CUSTOMER_ORDERS: &str = "
    select o.row from read_model.filled left join lateral (
        select state - 'lines' as row from read_model.order_summary
        where customer_id = $1::uuid and order_id < $2::uuid order by order_id desc limit $3::bigint) o on true";

pub(super) const CUSTOMER_ORDERS_BY_STATUS: &str = "
    select o.row from read_model.filled left join lateral (
        select state - 'lines' as row from read_model.order_summary
        where customer_id = $1::uuid and order_id < $2::uuid and status = $4::text
        order by order_id desc limit $3::bigint) o on true";

pub(super) const ORDERS: &str = "
    select o.row from read_model.filled left join lateral (
        select state - 'lines' as row from read_model.order_summary
        where order_id < $1::uuid order by order_id desc limit $2::bigint) o on true";

pub(super) const ORDERS_BY_STATUS: &str = "
    select o.row from read_model.filled left join lateral (
        select state - 'lines' as row from read_model.order_summary
        where status = $3::text and order_id < $1::uuid order by order_id desc limit $2::bigint) o on true";

pub(super) const PRODUCT: &str = "
    select jsonb_build_object('sku', sku, 'version', version, 'name', name,
        'price', jsonb_build_object('amount', price, 'currency', currency)) as product, available, seq
    from read_model.products where sku = $1::text";

pub(super) const PRODUCTS: &str = "
    select jsonb_build_object('sku', sku, 'version', version, 'name', name,
        'price', jsonb_build_object('amount', price, 'currency', currency)) as product, available, seq
    from read_model.products where sku > $1::text order by sku limit $2::bigint";

/// The sums as text: a numeric may be larger than any of Rust's whole numbers but the largest.
pub(super) const SALES: &str = "
    select s.day, s.currency, s.paid_orders, s.paid::text, s.cancelled_orders, s.cancelled::text
    from read_model.filled left join lateral (
        select day, currency, sum(paid_orders)::bigint as paid_orders, sum(paid) as paid,
            sum(cancelled_orders)::bigint as cancelled_orders, sum(cancelled) as cancelled
        from (
            select * from read_model.sales where day between $1::date and $2::date
            union all select * from read_model.sales_unsummed where day between $1::date and $2::date) sold
        group by day, currency order by day, currency) s on true";

/// Returns how many more sales the sums have in them.
pub(super) const SUM_UP: &str = "select read_model.sum_up_sales(5000)";

/// Finds something when the tables are whole.
pub(super) const FILLED: &str = "select from read_model.filled";

/// All that read.
pub const ALL: [&str; 10] = [
    ORDER,
    HISTORY,
    CUSTOMER,
    CUSTOMER_ORDERS,
    CUSTOMER_ORDERS_BY_STATUS,
    ORDERS,
    ORDERS_BY_STATUS,
    PRODUCT,
    PRODUCTS,
    SALES,
];

#[cfg(test)]
mod tests {
    use tokio_postgres::types::Type;

    use super::ALL;
    use crate::postgres::types;

    #[test]
    fn every_parameter_says_its_type() {
        for sql in ALL {
            let types = types(sql);
            assert!(!types.is_empty() && !types.contains(&Type::UNKNOWN), "{sql}");
        }
    }
}
