//! The Service Bus triggers: one listener per function, which connects again for as long as it runs.
//! It never settles what it did not receive on the same connection, and never receives without a free slot.

mod backoff;
mod links;
mod message;
mod receive;
mod renew;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{backoff::Backoff, links::Links, receive::Listener};

use super::{
    error::Error,
    function::{Function, Trigger},
    host_json::ServiceBusJson,
    invoke::Invoker,
    settings::Settings,
};
use crate::bus_address::Address;

/// What one function listens to.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) function: String,
    pub(crate) binding: String,
    pub(crate) binary: bool,
    pub(crate) entity: String,
    pub(crate) address: Address,
}

/// The sources of all functions that have such a trigger.
pub(crate) fn sources(functions: &[Function], settings: &Settings) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for function in functions {
        let Trigger::ServiceBus {
            entity,
            connection,
            binary,
        } = &function.trigger
        else {
            continue;
        };
        let prefixed = format!("AzureWebJobs{connection}");
        let text = settings.get(connection).or_else(|| settings.get(&prefixed));
        let problem = |problem: String| Error::Setting {
            name: connection.clone(),
            problem,
        };
        let text = text.ok_or_else(|| problem(format!("is not set, and {} needs it", function.name)))?;
        sources.push(Source {
            function: function.name.clone(),
            binding: function.binding.clone(),
            binary: *binary,
            entity: entity.clone(),
            address: Address::parse(text).map_err(problem)?,
        });
    }
    Ok(sources)
}

/// Receives until the host stops, over as many connections as that takes.
pub(crate) async fn listen(source: Source, json: ServiceBusJson, invoker: Invoker, stop: CancellationToken) {
    let logger = invoker.logger.clone();
    let mut listener = Listener::new(source.clone(), json, invoker, stop.clone());
    let mut running = JoinSet::new();
    let mut backoff = Backoff::new();
    let mut said = String::new();
    for generation in 0.. {
        let links = tokio::select! {
            () = stop.cancelled() => break,
            links = Links::open(&source.address, &source.entity) => links,
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
