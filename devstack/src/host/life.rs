//! A host from its start to its end, which is asked for or its own doing; the end has the order of the real one.
//! It never asks the handler to end: what that still has to do ends with SIGKILL.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    handler::{Handler, HandlerState},
    log::Logger,
    times::HostTimes,
};

/// Everything that ends with the host; dropping it ends all at once.
pub(super) struct HostLife {
    pub(super) handler: Handler,
    /// `None` where there is nothing to run.
    pub(super) supervisor: Option<AbortOnDropHandle<()>>,
    pub(super) server: AbortOnDropHandle<()>,
    /// Closes the port.
    pub(super) close: CancellationToken,
    /// Stops the triggers.
    pub(super) stop: CancellationToken,
    /// Ends the calls of triggers that are still under way then.
    pub(super) cut: CancellationToken,
    pub(super) listeners: JoinSet<()>,
    /// Reasons to end, other than the handler's.
    pub(super) faults: mpsc::UnboundedReceiver<String>,
    pub(super) times: HostTimes,
    pub(super) logger: Logger,
}

impl HostLife {
    /// Waits for a reason to end, ends, and returns it; `None` when the end was asked for.
    pub(super) async fn run(mut self, asked: CancellationToken) -> Option<String> {
        let mut state = self.handler.state();
        let reason = tokio::select! {
            () = asked.cancelled() => None,
            Some(fault) = self.faults.recv() => Some(fault),
            stopped = state.wait_for(|state| matches!(state, HandlerState::Stopped(_))) => match stopped.as_deref() {
                Ok(HandlerState::Stopped(reason)) => Some(reason.clone()),
                _ => None,
            },
        };
        if let Some(reason) = &reason {
            self.logger.error(format!("The host shuts itself down: {reason}"));
        }
        self.end().await;
        reason
    }

    async fn end(&mut self) {
        self.close.cancel();
        self.logger.info("The port is closed; triggers go on");
        let drained = timeout(self.times.drain, &mut self.server).await.is_ok();
        if !drained {
            self.logger.warning("HTTP requests are still under way");
        }
        self.stop.cancel();
        let ended = async { while self.listeners.join_next().await.is_some() {} };
        if timeout(self.times.listeners, ended).await.is_err() {
            self.logger.warning("Calls of triggers are still under way");
            // They must not see the handler's end: a message that nobody settles comes again only when its lock ends.
            self.cut.cancel();
            while self.listeners.join_next().await.is_some() {}
        }
        self.handler.end();
        if let Some(supervisor) = self.supervisor.take() {
            // It ends when the process has been reaped; a panic in it has dropped the process as well.
            let _ = supervisor.await;
        }
        if !drained {
            // With the handler gone no answer can hold it up for long.
            let _ = timeout(Duration::from_secs(1), &mut self.server).await;
        }
        self.logger.info("The host has stopped");
    }
}

impl Drop for HostLife {
    fn drop(&mut self) {
        self.close.cancel();
        self.stop.cancel();
        self.handler.kill();
    }
}
