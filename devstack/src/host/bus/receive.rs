//! The loop of one connection: gives credit for free slots, calls the function, settles by the outcome.
//! It never waits between an abandon and the next delivery: neither does the real host.

use std::time::Duration;

use fe2o3_amqp::{
    link::delivery::DeliveryInfo,
    types::{
        messaging::{Body, Message, Modified},
        primitives::Value,
    },
};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Source,
    links::{Links, TOKEN_REFRESH},
    message,
    renew::Renewer,
};
use crate::host::{
    handler::State,
    host_json::ServiceBusJson,
    invoke::{Invoker, chain},
    payload,
};

/// Nothing more is on its way when this long nothing has come.
const QUIET: Duration = Duration::from_millis(100);

/// A call that has ended.
pub(crate) struct Done {
    generation: u64,
    delivery: DeliveryInfo,
    succeeded: bool,
}

/// Receives for one function.
pub(crate) struct Listener {
    source: Source,
    json: ServiceBusJson,
    invoker: Invoker,
    stop: CancellationToken,
}

/// Releases what is on its way for credit that was given: left unsettled it would stay locked for a minute.
async fn give_back(links: &mut Links, granted: u32) {
    for _ in 0..granted {
        match tokio::time::timeout(QUIET, links.receiver.recv::<Body<Value>>()).await {
            Ok(Ok(delivery)) => {
                // A link that fails now is closed in a moment anyway.
                let _ = links.receiver.release(delivery.into_parts().0).await;
            }
            _ => return,
        }
    }
}

impl Listener {
    pub(crate) fn new(
        source: Source,
        json: ServiceBusJson,
        invoker: Invoker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            source,
            json,
            invoker,
            stop,
        }
    }

    /// Receives until the host stops (`Ok`) or the connection breaks.
    ///
    /// `running` outlives the connection: a call of an earlier one still fills its slot.
    pub(crate) async fn receive(
        &mut self,
        mut links: Links,
        generation: u64,
        running: &mut JoinSet<Done>,
    ) -> Result<(), String> {
        let mut state = self.invoker.handler.state();
        let mut refresh = tokio::time::interval(TOKEN_REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refresh.reset();
        let mut granted = 0;
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping && running.is_empty() {
                give_back(&mut links, granted).await;
                links.close().await;
                return Ok(());
            }
            let ready = *state.borrow_and_update() == State::Ready;
            let used = u32::try_from(running.len()).unwrap_or(u32::MAX);
            let wanted = self.json.max_concurrent_calls.saturating_sub(used);
            // Credit is never taken back: what is on its way already would break the link, and stay locked.
            if ready && !stopping && wanted > granted {
                links
                    .receiver
                    .set_credit(wanted)
                    .await
                    .map_err(|error| chain(&error))?;
                granted = wanted;
            }
            tokio::select! {
                delivery = links.receiver.recv::<Body<Value>>() => {
                    granted = granted.saturating_sub(1);
                    let (delivery, message) = delivery.map_err(|error| chain(&error))?.into_parts();
                    if stopping {
                        links.receiver.release(delivery).await.map_err(|error| chain(&error))?;
                        continue;
                    }
                    running.spawn(self.call(generation, delivery, message, links.renewer.clone()));
                }
                Some(done) = running.join_next(), if !running.is_empty() => {
                    let done = done.map_err(|error| chain(&error))?;
                    self.settle(&links, generation, done).await?;
                }
                changed = state.changed() => changed.map_err(|error| chain(&error))?,
                _ = refresh.tick() => links.refresh().await?,
                () = self.stop.cancelled(), if !stopping => {}
            }
        }
    }

    async fn settle(&self, links: &Links, generation: u64, done: Done) -> Result<(), String> {
        if done.generation != generation {
            let name = &self.source.function;
            let line = "a message was received on a connection that is gone, and comes again";
            self.invoker.logger.warning(format!("{name}: {line}"));
            return Ok(());
        }
        let settled = if done.succeeded {
            links.receiver.accept(done.delivery).await
        } else {
            let failed = Modified {
                delivery_failed: Some(true),
                undeliverable_here: None,
                message_annotations: None,
            };
            links.receiver.modify(done.delivery, failed).await
        };
        settled.map_err(|error| chain(&error))
    }

    fn call(
        &self,
        generation: u64,
        delivery: DeliveryInfo,
        message: Message<Body<Value>>,
        renewer: Renewer,
    ) -> impl Future<Output = Done> + Send + 'static {
        let (source, invoker, limit) = (
            self.source.clone(),
            self.invoker.clone(),
            self.json.max_auto_lock_renewal,
        );
        async move {
            // The tag is the lock token in the byte order of a .NET Guid.
            let tag: Option<[u8; 16]> = delivery.delivery_tag().as_ref().try_into().ok();
            let lock = tag.map_or_else(Uuid::nil, Uuid::from_bytes_le);
            let _kept = message::locked_until_ms(&message)
                .map(|until| renewer.keep(lock, until, limit, invoker.logger.clone()));
            let metadata = message::metadata(&message, lock, &source.address.host);
            let body = message::bytes(&message.body).and_then(|bytes| {
                payload::message(&source.function, &source.binding, &bytes, source.binary, metadata)
            });
            let result = match body {
                Ok(body) => invoker.invoke(&source.function, body).await,
                Err(problem) => {
                    invoker
                        .logger
                        .error(format!("Functions.{} is not called: {problem}", source.function));
                    Err(problem)
                }
            };
            Done {
                generation,
                delivery,
                succeeded: result.is_ok(),
            }
        }
    }
}
