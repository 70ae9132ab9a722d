//! Renews the lock of a message while its call runs, through the management node of the entity.
//! It never cancels a request half way: its answer would be taken for the next one.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fe2o3_amqp::types::{
    messaging::Message,
    primitives::{Array, OrderedMap, Value},
};
use fe2o3_amqp_management::{client::MgmtClient, error::Error, request::Request, response::Response};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::host::{error_chain::chain, log::Logger};

/// Renews locks over one connection; clones share the link.
#[derive(Clone)]
pub(crate) struct Renewer(Arc<Mutex<MgmtClient>>);

impl Renewer {
    pub(crate) fn new(client: Arc<Mutex<MgmtClient>>) -> Self {
        Self(client)
    }

    /// Keeps a lock until the guard is dropped or `limit` has passed.
    pub(crate) fn keep(
        &self,
        lock: Uuid,
        locked_until_ms: i64,
        limit: Duration,
        logger: Logger,
    ) -> DropGuard {
        let stop = CancellationToken::new();
        tokio::spawn(
            self.clone()
                .run(lock, locked_until_ms, limit, logger, stop.clone()),
        );
        stop.drop_guard()
    }

    async fn run(
        self,
        lock: Uuid,
        mut until_ms: i64,
        limit: Duration,
        logger: Logger,
        stop: CancellationToken,
    ) {
        let begun = Instant::now();
        loop {
            let wait = delay(until_ms);
            if begun.elapsed() + wait > limit {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            match self.renew(lock).await {
                Ok(expiry) => until_ms = expiry,
                // The call has ended meanwhile, and its message is settled.
                Err(_) if stop.is_cancelled() => return,
                Err(problem) => return logger.warning(format!("The lock {lock} is not renewed: {problem}")),
            }
        }
    }

    async fn renew(&self, lock: Uuid) -> Result<i64, String> {
        let renewed: Renewed = self
            .0
            .lock()
            .await
            .call(Renew(lock))
            .await
            .map_err(|error| chain(&error))?;
        renewed
            .0
            .ok_or_else(|| "the answer holds no expiration".to_owned())
    }
}

/// Some time before the end: half of what is left, but 10 s at most.
fn delay(until_ms: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(u64::try_from(until_ms).unwrap_or(0)).saturating_sub(now);
    left - (left / 2).min(Duration::from_secs(10))
}

struct Renew(Uuid);

impl Request for Renew {
    const OPERATION: &'static str = "com.microsoft:renew-lock";
    type Response = Renewed;
    type Body = Value;

    fn encode_body(self) -> Value {
        let mut body = OrderedMap::new();
        let lock = Value::Uuid(self.0.into_bytes().into());
        body.insert(
            Value::String("lock-tokens".to_owned()),
            Value::Array(Array(vec![lock])),
        );
        Value::Map(body)
    }
}

/// The new end of the lock in Unix milliseconds.
struct Renewed(Option<i64>);

impl Response for Renewed {
    const STATUS_CODE: u16 = 200;
    type Body = Value;
    type Error = Error;

    fn decode_message(message: Message<Value>) -> Result<Self, Error> {
        let Value::Map(body) = message.body else {
            return Ok(Self(None));
        };
        let key = Value::String("expirations".to_owned());
        let first = match body.get(&key) {
            Some(Value::Array(Array(items)) | Value::List(items)) => items.first(),
            _ => None,
        };
        Ok(Self(match first {
            Some(Value::Timestamp(at)) => Some(at.milliseconds()),
            _ => None,
        }))
    }
}
