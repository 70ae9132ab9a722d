//! Turns the upkeep of `read_model.order_summary` on or off: the trigger, and what was there before it.
//! Never stops commands for longer than a moment, and never says that the table is whole before it is.

use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Most orders of one step: commands on them wait as long as it takes, which is a few milliseconds.
const STEP: i64 = 200;

const IS_ON: &str = "
    select tgenabled <> 'D' from pg_trigger
    where tgrelid = 'write_model.events'::regclass and tgname = 'keep_order_summary'";
const IS_FILLED: &str = "select exists (select from read_model.filled)";

/// Turns the trigger on and fills in what was there before it. Nothing is done where that has been done.
pub(super) async fn keep(client: &mut Client) -> Result<(), Error> {
    let whole = client.query_one(IS_FILLED, &[]).await?.try_get(0)? && is_on(client).await?;
    if whole {
        return Ok(());
    }
    // From its commit on every new event comes through the trigger, and all older ones can be seen.
    switch(client, "enable").await?;
    let orders = fill(client).await?;
    client
        .batch_execute(
            "select read_model.refresh_sales();
             insert into read_model.filled default values on conflict do nothing",
        )
        .await?;
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

/// Either way the table is not whole afterwards.
async fn switch(client: &mut Client, how: &str) -> Result<(), Error> {
    let step = client.transaction().await?;
    step.batch_execute(&format!(
        "set local lock_timeout = '5s';
         delete from read_model.filled;
         alter table write_model.events {how} trigger keep_order_summary"
    ))
    .await?;
    step.commit().await
}

/// Step by step through all orders; how many there were.
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
