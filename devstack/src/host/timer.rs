//! The loop that runs a timer function.
//! It never overlaps two runs of one function, never runs it without the timer's lock, and never makes up for a missed tick.

use std::time::Duration;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    function::{Function, Trigger},
    invoke::Invoker,
    payload,
    schedule::Schedule,
    timer_lock::TimerLock,
};

/// The real host keeps no status of a schedule with shorter intervals.
const SHORTEST_WATCHED: Duration = Duration::from_secs(60);

/// A timer function and when it runs.
pub(crate) struct TimerPlan {
    pub(crate) function: Function,
    pub(crate) schedule: Schedule,
    /// `runOnStartup`.
    pub(crate) at_once: bool,
    /// `useMonitor`, which only decides whether the call carries the status of the schedule.
    pub(crate) monitor: bool,
}

impl TimerPlan {
    /// `None` for a function that no timer runs.
    pub(crate) fn of(function: &Function) -> Option<Self> {
        let Trigger::Timer {
            schedule,
            run_on_startup,
            use_monitor,
        } = &function.trigger
        else {
            return None;
        };
        Some(Self {
            function: function.clone(),
            schedule: schedule.clone(),
            at_once: *run_on_startup,
            monitor: *use_monitor,
        })
    }
}

/// Runs the function whenever it is due while this host has the timer's lock, until the host stops, and `cut` ends a call that
/// is still under way. What ends the lock is a fault of the host, which goes on until that has stopped it.
pub(crate) async fn run(
    plan: TimerPlan,
    invoker: Invoker,
    lock: TimerLock,
    faults: mpsc::UnboundedSender<String>,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    tokio::select! {
        () = stop.cancelled() => return,
        () = lock.acquire() => {}
    }
    let ticks = cut.run_until_cancelled(ticks(plan, invoker, stop));
    tokio::pin!(ticks);
    tokio::select! {
        _ = &mut ticks => return lock.release().await,
        fault = lock.keep() => {
            // Nobody listens any more when the host is ending anyway.
            let _ = faults.send(fault);
        }
    }
    ticks.await;
}

async fn ticks(plan: TimerPlan, invoker: Invoker, stop: CancellationToken) {
    let TimerPlan {
        function,
        schedule,
        at_once,
        monitor,
    } = plan;
    let mut last = None;
    let mut due = if at_once {
        Some(OffsetDateTime::now_utc())
    } else {
        schedule.next(OffsetDateTime::now_utc())
    };
    while let Some(at) = due {
        let wait = Duration::try_from(at - OffsetDateTime::now_utc()).unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        let next = schedule.next(at);
        let watched = monitor && next.is_none_or(|next| next - at >= SHORTEST_WATCHED);
        let status = if watched { status(last, next) } else { Value::Null };
        match payload::timer(&function.name, &function.binding, &status) {
            // The invoker has logged a failure; the next tick is tried as usual.
            Ok(body) => drop(invoker.invoke(&function.name, body).await),
            Err(problem) => invoker
                .logger
                .error(format!("Functions.{} is not called: {problem}", function.name)),
        }
        last = Some(at);
        // A clock that fires a little early must not make the same tick due again.
        due = schedule.next(at.max(OffsetDateTime::now_utc()));
    }
    stop.cancelled().await;
}

fn status(last: Option<OffsetDateTime>, next: Option<OffsetDateTime>) -> Value {
    let text = |at: Option<OffsetDateTime>| {
        at.and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_else(|| "0001-01-01T00:00:00".to_owned())
    };
    json!({ "Last": text(last), "Next": text(next), "LastUpdated": text(last) })
}
