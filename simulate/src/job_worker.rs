//! A process's work on jobs: the product's, step by step by the product's worker, over the simulated log, table and documents.
//! Never does a step itself.

use std::time::Duration;

use handler::{
    jobs::{ReadModelAdmin, Rebuild, Reprojection, Resources, Retirement, Rollback, Verification, work},
    postgres::PostgresError,
    read::jitter::Jitter,
};
use tokio::time::Instant;

use crate::{
    environment::Environment,
    job_plan::{REBUILD, REPROJECTION, RETIREMENT, ROLLBACK, Reach},
    job_table::JobTable,
    log::SimulatedLog,
};

/// How long a process works on jobs, as the timer has it, and longest pause between two calls.
const WORKING: Duration = Duration::from_secs(15);
const PAUSE_MS: u64 = 5_000;

/// Works on whichever job waits, again and again.
pub(crate) async fn work_on_jobs(outside: Environment) {
    let log = SimulatedLog(outside.database.clone());
    let jitter = Jitter::seeded(outside.plan.between(0..=u64::MAX));
    let open = |container| outside.documents.shelf(container);
    let reach = Resources::of_read_model(ReadModelAdmin::with_parts(log.into(), open, jitter));
    loop {
        outside.plan.wait(1..=PAUSE_MS).await;
        if let Err(error) = turn(&outside.jobs, &reach).await {
            // Whoever comes next goes on with it.
            outside.plan.say(format_args!("no work on a job: {error}"));
        }
    }
}

async fn turn(table: &JobTable, reach: &Reach) -> Result<(), PostgresError> {
    let Some(claim) = table.claim().await? else {
        return Ok(());
    };
    let until = Instant::now() + WORKING;
    let sink = &|_: &str, _, _| {};
    match claim.row.kind.as_str() {
        REBUILD => work::<_, Rebuild>(table, &claim, reach, until, sink).await,
        ROLLBACK => work::<_, Rollback>(table, &claim, reach, until, sink).await,
        RETIREMENT => work::<_, Retirement>(table, &claim, reach, until, sink).await,
        REPROJECTION => work::<_, Reprojection>(table, &claim, reach, until, sink).await,
        _ => work::<_, Verification>(table, &claim, reach, until, sink).await,
    }
    .map(drop)
}
