//! A handler process with the Functions host before it: the relay, the timer's calls, and invocations of the projector.
//! Never keeps anything over a crash.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use handler::{
    read::{PointerCache, Projector, apply, incoming, jitter::Jitter},
    relay::Relay,
};
use serde_json::Value;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::Instant,
};

use crate::{
    database::SimulatedOutbox, documents::SimulatedContainer, environment::Environment,
    fault_plan::FaultPlan, job_worker::work_on_jobs, subscription::Delivery, topic::Bus, trouble::Trouble,
};

/// The longest that a sweep may send, as the timer has it.
const SWEEP: Duration = Duration::from_secs(20);

/// A process that lives.
pub(crate) struct Process {
    relay: Arc<Relay<SimulatedOutbox, Bus>>,
    committed: Arc<Notify>,
    tasks: JoinSet<()>,
}

impl Process {
    /// Starts one with no memory.
    pub(crate) fn start(outside: &Environment) -> Self {
        let plan = &outside.plan;
        let committed = Arc::new(Notify::new());
        let outbox = Arc::new(SimulatedOutbox::new(&outside.database));
        let bus = Arc::new(Bus::new(&outside.topic));
        let relay = Arc::new(Relay::new(outbox, bus, Arc::clone(&committed)));
        let shelf = |container| outside.documents.shelf(container);
        let control = shelf(handler::read::connection::CosmosContainer::Control);
        let jitter = Jitter::seeded(plan.between(0..=u64::MAX));
        let projector = Projector::with_parts(
            &Arc::new(PointerCache::with_store(control)),
            apply::DocumentWriter::with_stores(shelf),
            jitter,
        );
        let mut tasks = JoinSet::new();
        let running = Arc::clone(&relay);
        tasks.spawn(async move { running.run().await });
        tasks.spawn(pump(outside.clone(), Arc::new(projector)));
        tasks.spawn(work_on_jobs(outside.clone()));
        Self {
            relay,
            committed,
            tasks,
        }
    }

    /// One of its commands has been committed.
    pub(crate) fn committed(&self) {
        self.committed.notify_one();
    }

    /// The timer calls.
    pub(crate) fn tick(&mut self) {
        let relay = Arc::clone(&self.relay);
        self.tasks.spawn(async move {
            // Said to the host, which calls again in any case.
            let _ = relay.sweep(Instant::now() + SWEEP).await;
        });
    }

    /// Killed: whatever it was at ends where it waits.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

/// The host: hands messages over, several at a time.
async fn pump(outside: Environment, projector: Arc<Projector<SimulatedContainer>>) {
    let places = Arc::new(Semaphore::new(outside.together));
    let mut invocations = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let delivery = outside.topic.subscription.receive().await;
        while invocations.try_join_next().is_some() {}
        let (plan, projector) = (Arc::clone(&outside.plan), Arc::clone(&projector));
        invocations.spawn(async move {
            invoke(&plan, &projector, delivery).await;
            drop(place);
        });
    }
}

/// One invocation, as `triggers` answers it: whatever is no success makes the host abandon the message.
async fn invoke(plan: &FaultPlan, projector: &Projector<SimulatedContainer>, delivery: Delivery) {
    let number = delivery.number;
    plan.say(format_args!("delivery {number} of message {}", delivery.message));
    plan.wait(0..=5).await;
    // As the host hands a binary body over.
    let body = Value::String(STANDARD.encode(&delivery.body));
    let outcome = match incoming::decode(body) {
        Ok(event) => projector.project(event).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    plan.wait(0..=5).await;
    match outcome {
        Err(why) => {
            plan.say(format_args!("delivery {number} failed: {why}"));
            plan.wait(0..=1_000).await;
            delivery.abandon();
        }
        // Its lock runs out.
        Ok(()) if plan.strikes(Trouble::CompletionLost) => drop(delivery),
        Ok(()) => {
            let done = delivery.complete();
            plan.say(format_args!(
                "delivery {number} {}",
                if done { "done" } else { "done, its lock lost" }
            ));
        }
    }
}
