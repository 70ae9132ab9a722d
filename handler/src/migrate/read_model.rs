//! Turns the upkeep of orders and sales in `read_model` on or off: the trigger, and the orders from before it.
//! Never stops commands for longer than a moment, and never says that the tables are whole before they are.

use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Most orders of one step: commands on them wait as long as it takes, a few milliseconds.
const STEP: i64 = 200;

const IS_ON: &str = "
    select tgenabled <> 'D' from pg_trigger
    where tgrelid = 'write_model.events'::regclass and tgname = 'keep_orders'";
const LAST: &str = "select coalesce(max(position), 0) from write_model.events";
/// All sales up to a position, in one look through the log.
const SUM_UP: &str = "
    insert into read_model.sales
    select s.day, s.currency, sum(s.paid_orders), sum(s.paid), sum(s.cancelled_orders), sum(s.cancelled)
    from write_model.events e cross join lateral read_model.sale(e) s
    where e.position <= $1 and e.type in ('orders.OrderPaid.v1', 'orders.OrderCancelled.v1') group by 1, 2
    order by 1, 2
    on conflict (day, currency) do update
        set paid_orders = sales.paid_orders + excluded.paid_orders, paid = sales.paid + excluded.paid,
            cancelled_orders = sales.cancelled_orders + excluded.cancelled_orders, cancelled = sales.cancelled + excluded.cancelled";
const IS_FILLED: &str = "select exists (select from read_model.filled)";

/// Turns the trigger on and fills in what was there before it. Nothing is done where that has been done.
pub(super) async fn keep(client: &mut Client) -> Result<(), Error> {
    let whole = client.query_one(IS_FILLED, &[]).await?.try_get(0)? && is_on(client).await?;
    if whole {
        return Ok(());
    }
    // From its commit on every new event comes through the trigger, and all older ones are visible to this session.
    let before = switch(client, "enable").await?;
    let orders = fill(client).await?;
    let step = client.transaction().await?;
    step.execute(SUM_UP, &[&before]).await?;
    step.execute("insert into read_model.filled default values", &[])
        .await?;
    step.commit().await?;
    tracing::info!(orders, "read_model_filled");
    Ok(())
}

/// Turns the trigger off, where it is on; reads say so from then on.
pub(super) async fn leave(client: &mut Client) -> Result<(), Error> {
    if is_on(client).await? {
        switch(client, "disable").await?;
        tracing::info!("read_model_left");
    }
    Ok(())
}

async fn is_on(client: &Client) -> Result<bool, Error> {
    client.query_one(IS_ON, &[]).await?.try_get(0)
}

/// Turns the trigger on or off, and returns the last position of the log that no trigger has seen; the tables are not whole
/// afterwards.
async fn switch(client: &mut Client, how: &str) -> Result<i64, Error> {
    let step = client.transaction().await?;
    // The log first, as writers lock it: their trigger locks the other tables after it. The lock waits for those who are writing,
    // and those who write after it get a higher position.
    step.batch_execute(&format!(
        "set local lock_timeout = '5s';
         lock table write_model.events in share row exclusive mode;
         delete from read_model.filled;
         truncate read_model.sales, read_model.sales_unsummed;
         alter table write_model.events {how} trigger keep_orders"
    ))
    .await?;
    let last = step.query_one(LAST, &[]).await?.try_get(0)?;
    step.commit().await?;
    Ok(last)
}

/// Fills in all orders step by step, and returns their number.
async fn fill(client: &Client) -> Result<i64, Error> {
    let step = client.prepare(include_str!("fill.sql")).await?;
    let (mut after, mut orders) = (Uuid::nil(), 0);
    loop {
        let row = client.query_one(&step, &[&after, &STEP]).await?;
        let Some(last) = row.try_get("last")? else {
            return Ok(orders);
        };
        after = last;
        orders += row.try_get::<_, i64>("orders")?;
    }
}
