//! When the handler ends: with the process that started it, or on a second signal.
//! Never on the first: Ctrl-C reaches the Functions host as well, which calls us until its work is done.

use std::{io, os::unix::process::parent_id, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time,
};

/// The signals that ask for an end, watched from here on.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to watch; from now on neither signal ends the process by itself.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until it is time to end.
    pub async fn end(mut self) {
        tokio::select! {
            () = self.second() => tracing::warn!("stopped_by_signal"),
            () = orphaned() => tracing::warn!("orphaned"),
        }
    }

    async fn second(&mut self) {
        let signal = self.next().await;
        tracing::info!(
            signal,
            "signal_received: serving goes on until the host is gone; a second signal ends it"
        );
        self.next().await;
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Ends when the parent has died. The host SIGKILLed leaves us running; a parent id that changes is how we know.
async fn orphaned() {
    let parent = parent_id();
    let mut ticks = time::interval(Duration::from_millis(500));
    while parent_id() == parent {
        ticks.tick().await;
    }
}
