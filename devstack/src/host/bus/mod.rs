//! The Service Bus triggers: one listener per function, which connects again for as long as it runs.
//! It never settles what it did not receive on the same connection, and never receives without a free slot.

mod backoff;
mod credential;
mod links;
mod message;
mod namespace;
mod receive;
mod renew;
mod source;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::source::{TriggerSource, sources};
use self::{backoff::Backoff, links::BusLinks, receive::Listener};
use super::{host_json::ServiceBusJson, invoke::Invoker};

/// Receives until the host stops, over as many connections as that takes.
pub(crate) async fn listen(
    source: TriggerSource,
    json: ServiceBusJson,
    invoker: Invoker,
    stop: CancellationToken,
) {
    let logger = invoker.logger.clone();
    let mut listener = Listener::new(source.clone(), json, invoker, stop.clone());
    let mut running = JoinSet::new();
    let mut backoff = Backoff::new();
    let mut said = String::new();
    for generation in 0.. {
        let links = tokio::select! {
            () = stop.cancelled() => break,
            links = BusLinks::open(&source.namespace, &source.entity) => links,
        };
        let mut lived = Duration::ZERO;
        let problem = match links {
            Ok(links) => {
                logger.info(format!("{} listens to {}", source.function, source.entity));
                said.clear();
                let opened = Instant::now();
                let received = listener.receive(links, generation, &mut running).await;
                lived = opened.elapsed();
                match received {
                    Ok(()) => break,
                    Err(problem) => problem,
                }
            }
            Err(problem) => problem,
        };
        // An outage is one line, not one line per attempt.
        if problem != said {
            logger.warning(format!(
                "{} does not hear {}: {problem}",
                source.function, source.entity
            ));
            said = problem;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(backoff.after(lived)) => {}
        }
    }
    // What is still running belongs to a connection that has gone; only its end is awaited.
    while running.join_next().await.is_some() {}
}
