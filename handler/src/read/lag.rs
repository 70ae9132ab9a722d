//! The time from an event's command to its documents, in one log line for every ten seconds with events.
//! Never a line for each event: a shop has many.

use std::sync::{Arc, Mutex, PoisonError};

use time::Duration;

/// Time that one line covers.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(10);
/// Most events of one line whose times are kept; the line counts them all.
const MOST: usize = 10_000;

/// The events of the window that is open.
#[derive(Debug, Default, Clone)]
pub(super) struct ProjectionLag(Arc<Mutex<LagWindow>>);

#[derive(Debug, Default)]
struct LagWindow {
    events: usize,
    milliseconds: Vec<f64>,
}

impl ProjectionLag {
    /// An event has come into its last document so long after its command was decided. The first of a window opens it.
    pub(super) fn record(&self, after: Duration) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.events += 1;
        if window.milliseconds.len() < MOST {
            window.milliseconds.push(after.as_seconds_f64() * 1_000.0);
        }
        if window.events == 1 {
            let lag = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WINDOW).await;
                lag.log();
            });
        }
    }

    /// Says what was seen, and closes the window. Clocks of two machines are compared, so a little less than nothing may come out.
    fn log(&self) {
        let LagWindow {
            events,
            mut milliseconds,
        } = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        milliseconds.sort_by(f64::total_cmp);
        let at = |share: usize| {
            milliseconds.get((milliseconds.len() * share / 100).min(milliseconds.len().saturating_sub(1)))
        };
        let [p50, p99, most] =
            [at(50), at(99), milliseconds.last()].map(|found| found.copied().unwrap_or_default().round());
        tracing::info!(
            events,
            p50_ms = p50,
            p99_ms = p99,
            max_ms = most,
            "projection_lag"
        );
    }
}
