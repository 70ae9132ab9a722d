//! Read your own writes: the `Consistency-Token` that a command answers with, and reads that wait for it.
//! Never keeps anything for a client: the token holds all that is needed.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    AppState,
    fields::{self, Backslash},
    problem::{Problem, ProblemKind},
};
use crate::{
    domain::{aggregate::Aggregate, order::OrderProgress, value::Sku},
    json,
    read::{ReadModel, position::ReadPosition, store::StoreError, view::day},
    write::AcceptedCommand,
};

pub(super) const CONSISTENCY_TOKEN: &str = "consistency-token";
pub(super) const READ_SOURCE: &str = "read-source";
const PREFER: &str = "prefer";
const PREFERENCE_APPLIED: &str = "preference-applied";

/// Wait of a read that does not say how long, in seconds.
const USUAL_WAIT: u64 = 2;
/// Longest wait that a read may ask for, in seconds.
const LONGEST_WAIT: u64 = 10;
/// Pauses between two point reads: the first, and the longest. Each is twice the one before, so that 10 s cost some two dozen reads.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Time that the last read may take beyond the wait.
const LAST_READ: Duration = Duration::from_secs(2);

/// The kind of the aggregate that an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SubjectKind {
    Order,
    Customer,
    Product,
}

/// The event that a reader must see. Opaque to clients: base64url of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConsistencyToken {
    /// Kind of aggregate.
    k: SubjectKind,
    /// Its id.
    i: String,
    /// Its version.
    v: i64,
    /// Id of the event.
    e: Uuid,
    /// UTC day of the sales that count the event, if any do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
}

impl ConsistencyToken {
    /// The token of an accepted command.
    pub(super) fn after(done: &AcceptedCommand) -> Self {
        let (k, counts) = match &done.state {
            Aggregate::Order(order) => (
                SubjectKind::Order,
                matches!(
                    order.progress,
                    OrderProgress::Paid { .. } | OrderProgress::Cancelled { paid_at: Some(_), .. }
                ),
            ),
            Aggregate::Customer(_) => (SubjectKind::Customer, false),
            Aggregate::Product(_) => (SubjectKind::Product, false),
        };
        Self {
            k,
            i: done.subject(),
            v: done.version(),
            e: done.event_id,
            d: counts.then(|| done.at.utc().date().to_string()),
        }
    }

    /// The header's value.
    pub(super) fn encode(&self) -> String {
        // Text and numbers cannot fail to be JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        json::read(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// The event's order, if it has one.
    fn order(&self) -> Option<Uuid> {
        (self.k == SubjectKind::Order).then(|| self.i.parse().ok())?
    }

    /// The position for any list of orders.
    pub(super) fn any_order(&self) -> Option<ReadPosition> {
        Some(ReadPosition::Order {
            id: self.order()?,
            version: self.v,
        })
    }

    /// The position for this order.
    pub(super) fn this_order(&self, id: Uuid) -> Option<ReadPosition> {
        self.any_order().filter(|_| self.order() == Some(id))
    }

    /// The position for this order's history: its events arrive in any order.
    pub(super) fn history_of(&self, id: Uuid) -> Option<ReadPosition> {
        (self.order() == Some(id)).then_some(ReadPosition::Event {
            order: id,
            version: self.v,
        })
    }

    /// The position for this customer's list of orders.
    pub(super) fn order_of(&self, customer: Uuid) -> Option<ReadPosition> {
        Some(ReadPosition::OrderOf {
            customer,
            id: self.order()?,
            version: self.v,
        })
    }

    /// The position for this customer.
    pub(super) fn customer(&self, id: Uuid) -> Option<ReadPosition> {
        let same = self.k == SubjectKind::Customer && self.i == id.to_string();
        same.then_some(ReadPosition::Customer { id, version: self.v })
    }

    /// The position for the catalogue.
    pub(super) fn any_product(&self) -> Option<ReadPosition> {
        let sku = (self.k == SubjectKind::Product).then(|| Sku::try_from(self.i.clone()).ok())?;
        Some(ReadPosition::Product {
            sku: sku?,
            version: self.v,
        })
    }

    /// The position for this product.
    pub(super) fn this_product(&self, sku: &Sku) -> Option<ReadPosition> {
        self.any_product().filter(|_| self.i == sku.as_str())
    }

    /// The position for sales.
    pub(super) fn sale(&self) -> Option<ReadPosition> {
        Some(ReadPosition::Sale {
            day: day::parse(self.d.as_deref()?)?,
            order: self.order()?,
            event: self.e,
        })
    }
}

/// The event that a reader must see, and the wait for it.
pub(super) struct ReadConsistency {
    /// `None`: the read model as it is, at once.
    token: Option<ConsistencyToken>,
    wait: Duration,
    /// The seconds that the reader asked for and we granted (RFC 7240, section 4.3).
    granted: Option<u64>,
}

/// Arrival of an event within the wait, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventArrival {
    InTime,
    Late,
}

/// The source of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadSource {
    /// The read model as it is: the reader asked for no more.
    AsItIs,
    /// The read model, which shows the token's event.
    ReadModel,
    /// The write model, which is always ahead.
    WriteModel,
}

impl FromRequestParts<AppState> for ReadConsistency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let mut tokens = parts.headers.get_all(CONSISTENCY_TOKEN).iter();
        let unknown = || {
            let why = "send one Consistency-Token, as one of our commands has answered with it";
            Problem::new(ProblemKind::InvalidConsistencyToken, why)
        };
        let token = match (tokens.next(), tokens.next()) {
            (None, _) => None,
            (Some(value), None) => {
                let token = value.to_str().ok().and_then(ConsistencyToken::decode);
                Some(token.ok_or_else(unknown)?)
            }
            (Some(_), Some(_)) => return Err(unknown()),
        };
        let granted = preferred_wait(&parts.headers).map(|seconds| seconds.min(LONGEST_WAIT));
        Ok(Self {
            token,
            wait: Duration::from_secs(granted.unwrap_or(USUAL_WAIT)),
            granted,
        })
    }
}

/// `wait=<seconds>` among the preferences, of which the first of a name counts; one that cannot be read is none (RFC 7240,
/// section 2).
fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let preferences = fields::list(headers, &HeaderName::from_static(PREFER), Backslash::Escapes);
    let wait = preferences.iter().find_map(|preference| {
        let (name, value) = fields::split(preference, ';', Backslash::Escapes)
            .next()?
            .split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim())
    });
    let seconds = fields::word(wait?)?;
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    seconds.parse().ok().filter(|_| digits)
}

impl ReadConsistency {
    /// The positions to wait for, if the token is about what is read.
    pub(super) fn positions(
        &self,
        about: impl FnOnce(&ConsistencyToken) -> Option<ReadPosition>,
    ) -> Vec<ReadPosition> {
        self.token.as_ref().and_then(about).into_iter().collect()
    }

    /// Waits for the event at each position in turn.
    ///
    /// # Errors
    /// The last read's, when the store was away then.
    pub(super) async fn wait(
        &self,
        model: &ReadModel,
        positions: &[ReadPosition],
    ) -> Result<EventArrival, StoreError> {
        let until = Instant::now() + self.wait;
        let waiting = async {
            for position in positions {
                if wait_for(model, position, until).await? == EventArrival::Late {
                    return Ok(EventArrival::Late);
                }
            }
            Ok(EventArrival::InTime)
        };
        let answer = timeout(self.wait + LAST_READ, waiting).await;
        answer.unwrap_or(Ok(EventArrival::Late))
    }

    /// Waits, and refuses the read when the event has not arrived.
    ///
    /// # Errors
    /// A [`Problem`] (503).
    pub(super) async fn require(
        &self,
        model: &ReadModel,
        positions: &[ReadPosition],
    ) -> Result<ReadSource, Problem> {
        if positions.is_empty() {
            return Ok(ReadSource::AsItIs);
        }
        if self.wait(model, positions).await? == EventArrival::InTime {
            return Ok(ReadSource::ReadModel);
        }
        let behind = "the read model does not show this change yet; try again, or without the token";
        Err(Problem::new(ProblemKind::ReadModelBehind, behind))
    }

    /// Adds to the answer its source and the wait that was granted.
    pub(super) fn annotate(&self, source: ReadSource, mut answer: Response) -> Response {
        let name = match source {
            ReadSource::AsItIs => return answer,
            ReadSource::ReadModel => "read-model",
            ReadSource::WriteModel => "write-model",
        };
        let headers = answer.headers_mut();
        headers.insert(
            HeaderName::from_static(READ_SOURCE),
            HeaderValue::from_static(name),
        );
        if let Some(seconds) = self.granted
            && let Ok(applied) = HeaderValue::from_str(&format!("wait={seconds}"))
        {
            headers.insert(HeaderName::from_static(PREFERENCE_APPLIED), applied);
        }
        answer
    }
}

async fn wait_for(
    model: &ReadModel,
    position: &ReadPosition,
    until: Instant,
) -> Result<EventArrival, StoreError> {
    let mut gap = FIRST_PAUSE;
    loop {
        let arrived = match model.has(position).await {
            Ok(true) => return Ok(EventArrival::InTime),
            Err(refused @ (StoreError::Refused(_) | StoreError::Unreadable { .. })) => return Err(refused),
            other => other,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return arrived.map(|_| EventArrival::Late);
        }
        tokio::time::sleep(gap.min(left)).await;
        gap = (gap * 2).min(LONGEST_PAUSE);
    }
}
