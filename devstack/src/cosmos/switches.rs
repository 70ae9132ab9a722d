//! Faults of the account itself, at the turn of a switch: throttled, away, overtaken, slow.
//! It never touches the service: a refused request has had no effect, and requests about the account pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::refusal::Refusal;

/// The place of `docs` in a path about documents: `/dbs/…/colls/…/docs`.
const DOCS: usize = 5;

/// The switches of one account; clones turn the same ones.
///
/// Each counts the document requests that the ones before it in this list let through, from when it was turned on.
#[derive(Clone, Debug, Default)]
pub struct CosmosSwitches(Arc<SwitchState>);

#[derive(Debug, Default)]
struct SwitchState {
    throttled: EveryNth,
    retry_after_ms: AtomicU64,
    unavailable: EveryNth,
    overtaken: EveryNth,
    delay_ms: AtomicU64,
}

/// The number of requests that each switch has refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// With 429.
    pub throttled: u64,
    /// With 503.
    pub unavailable: u64,
    /// With 412.
    pub overtaken: u64,
}

impl CosmosSwitches {
    /// Answers every `nth` request with 429, to be sent again after `retry_after`; 0 is never.
    pub fn throttle(&self, nth: u64, retry_after: Duration) {
        self.0.retry_after_ms.store(milliseconds(retry_after), Relaxed);
        self.0.throttled.turn(nth);
    }

    /// Answers every `nth` request with 503; 0 is never.
    pub fn unavailable(&self, nth: u64) {
        self.0.unavailable.turn(nth);
    }

    /// Answers every `nth` request under an etag with 412, as if another writer had been faster; 0 is never.
    ///
    /// A batch has its etags inside, so it is not counted.
    pub fn overtake(&self, nth: u64) {
        self.0.overtaken.turn(nth);
    }

    /// Holds each request that is not refused for so long before it is carried.
    pub fn delay(&self, by: Duration) {
        self.0.delay_ms.store(milliseconds(by), Relaxed);
    }

    /// Turns every switch off; what was refused stays counted.
    pub fn off(&self) {
        self.throttle(0, Duration::ZERO);
        self.unavailable(0);
        self.overtake(0);
        self.delay(Duration::ZERO);
    }

    /// The number of requests refused so far.
    pub fn refused(&self) -> Refused {
        let count = |switch: &EveryNth| switch.met.load(Relaxed);
        Refused {
            throttled: count(&self.0.throttled),
            unavailable: count(&self.0.unavailable),
            overtaken: count(&self.0.overtaken),
        }
    }

    /// Holds a request that may be carried; gives the answer to one that may not.
    pub(super) async fn meet(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        if path.split('/').nth(DOCS) != Some("docs") {
            return None;
        }
        let refused = self.refuse(headers);
        if refused.is_some() {
            return refused;
        }
        let delay = Duration::from_millis(self.0.delay_ms.load(Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        None
    }

    fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        let state = &self.0;
        if state.throttled.is_due() {
            let message = "Request rate is large, so no changes were made. Please retry this request later.";
            let refused = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "429", message);
            let mut refused = refused.with_substatus(3200).into_response();
            let retry_after = state.retry_after_ms.load(Relaxed);
            let headers = refused.headers_mut();
            headers.insert("x-ms-retry-after-ms", HeaderValue::from(retry_after));
            return Some(refused);
        }
        if state.unavailable.is_due() {
            let message = "Service is currently unavailable.";
            let refused = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
            return Some(refused.into_response());
        }
        let conditional =
            headers.contains_key("if-match") && !headers.contains_key("x-ms-cosmos-is-batch-request");
        if conditional && state.overtaken.is_due() {
            return Some(Refusal::overtaken().into_response());
        }
        None
    }
}

/// Counts requests, so that which ones are meant is no chance.
#[derive(Debug, Default)]
struct EveryNth {
    nth: AtomicU64,
    seen: AtomicU64,
    met: AtomicU64,
}

impl EveryNth {
    fn turn(&self, nth: u64) {
        self.seen.store(0, Relaxed);
        self.nth.store(nth, Relaxed);
    }

    fn is_due(&self) -> bool {
        let nth = self.nth.load(Relaxed);
        let due = nth != 0 && (self.seen.fetch_add(1, Relaxed) + 1).is_multiple_of(nth);
        if due {
            self.met.fetch_add(1, Relaxed);
        }
        due
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
