//! The loop of one connection: gives credit for free slots, calls the function, settles by the outcome.
//! It never waits between an abandon and the next delivery: neither does the real host.

use std::time::Duration;

use fe2o3_amqp::{
    Receiver,
    link::{RecvError, delivery::DeliveryInfo},
    types::{
        messaging::{Body, Message, Modified},
        primitives::Value,
    },
};
use tokio::{task::JoinSet, time::sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{links::BusLinks, message, renew::Renewer, source::TriggerSource};
use crate::host::{
    error_chain::chain, handler::HandlerState, host_json::ServiceBusJson, invoke::Invoker, payload,
};

/// Nothing more is on its way when this long nothing has come.
const QUIET: Duration = Duration::from_millis(100);

/// A call that has ended.
pub(crate) struct FinishedCall {
    generation: u64,
    delivery: DeliveryInfo,
    succeeded: bool,
}

/// Receives for one function.
pub(crate) struct Listener {
    source: TriggerSource,
    json: ServiceBusJson,
    invoker: Invoker,
    stop: CancellationToken,
    /// The name that Microsoft's client gives itself: the namespace, and something of its own.
    client: String,
}

/// Waits for the next delivery, whose message may be one that cannot be decoded: the link is as good as before.
async fn next(
    receiver: &mut Receiver,
) -> Result<(DeliveryInfo, Result<Message<Body<Value>>, String>), String> {
    match receiver.recv::<Body<Value>>().await {
        Ok(delivery) => {
            let (delivery, message) = delivery.into_parts();
            Ok((delivery, Ok(message)))
        }
        Err(RecvError::MessageDecode(error)) => Ok((error.info, Err(chain(&error.source)))),
        Err(error) => Err(chain(&error)),
    }
}

/// Releases what is on its way for credit that was given: left unsettled it would stay locked for a minute.
async fn give_back(links: &mut BusLinks, granted: u32) {
    for _ in 0..granted {
        match tokio::time::timeout(QUIET, next(&mut links.receiver)).await {
            Ok(Ok((delivery, _))) => {
                // A link that fails now is closed in a moment anyway.
                let _ = links.receiver.release(delivery).await;
            }
            _ => return,
        }
    }
}

/// The lock token of a delivery: its tag, in the byte order of a .NET Guid.
fn lock_token(delivery: &DeliveryInfo) -> Uuid {
    let tag: Option<[u8; 16]> = delivery.delivery_tag().as_ref().try_into().ok();
    tag.map_or_else(Uuid::nil, Uuid::from_bytes_le)
}

impl Listener {
    pub(crate) fn new(
        source: TriggerSource,
        json: ServiceBusJson,
        invoker: Invoker,
        stop: CancellationToken,
    ) -> Self {
        let client = format!("{}-{}", source.namespace.host(), Uuid::new_v4());
        Self {
            source,
            json,
            invoker,
            stop,
            client,
        }
    }

    /// Receives until the host stops (`Ok`) or the connection breaks.
    ///
    /// `running` outlives the connection: a call of an earlier one still fills its slot.
    pub(crate) async fn receive(
        &mut self,
        mut links: BusLinks,
        generation: u64,
        running: &mut JoinSet<FinishedCall>,
    ) -> Result<(), String> {
        let mut state = self.invoker.handler.state();
        let mut granted = 0;
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping && running.is_empty() {
                give_back(&mut links, granted).await;
                links.close().await;
                return Ok(());
            }
            let ready = *state.borrow_and_update() == HandlerState::Ready;
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
                delivery = next(&mut links.receiver) => {
                    granted = granted.saturating_sub(1);
                    let (delivery, message) = delivery?;
                    if stopping {
                        links.receiver.release(delivery).await.map_err(|error| chain(&error))?;
                        continue;
                    }
                    match message {
                        Ok(message) => {
                            running.spawn(self.call(generation, delivery, message, links.renewer.clone()));
                        }
                        Err(problem) => self.leave(&delivery, &problem),
                    }
                }
                Some(done) = running.join_next(), if !running.is_empty() => {
                    let done = done.map_err(|error| chain(&error))?;
                    self.settle(&links, generation, done).await?;
                }
                changed = state.changed() => changed.map_err(|error| chain(&error))?,
                () = sleep_until(links.refresh_at) => {
                    if let Err(problem) = links.refresh().await {
                        let name = &self.source.function;
                        self.invoker.logger.warning(format!("{name} has no fresh token: {problem}"));
                    }
                }
                () = self.stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// Names a message that cannot be decoded, and leaves it to its lock as the real host does: its client throws while it
    /// reads the message, before anything could settle it. So the message comes again until it is a dead letter.
    fn leave(&self, delivery: &DeliveryInfo, problem: &str) {
        let (name, lock) = (&self.source.function, lock_token(delivery));
        self.invoker.logger.error(format!(
            "Functions.{name} is not called: the message under the lock {lock} cannot be decoded, and stays locked: {problem}"
        ));
    }

    async fn settle(&self, links: &BusLinks, generation: u64, done: FinishedCall) -> Result<(), String> {
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
    ) -> impl Future<Output = FinishedCall> + Send + 'static {
        let (source, invoker, limit, client) = (
            self.source.clone(),
            self.invoker.clone(),
            self.json.max_auto_lock_renewal,
            self.client.clone(),
        );
        async move {
            let lock = lock_token(&delivery);
            let _kept = message::locked_until_ms(&message)
                .map(|until| renewer.keep(lock, until, limit, invoker.logger.clone()));
            let body = message::bytes(&message.body).and_then(|bytes| {
                let metadata = message::metadata(&message, lock, source.namespace.host(), &client)?;
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
            FinishedCall {
                generation,
                delivery,
                succeeded: result.is_ok(),
            }
        }
    }
}
