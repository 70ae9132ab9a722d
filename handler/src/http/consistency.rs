//! Reading one's own writes: the `Consistency-Token` that a command answers with, and how long a read waits for it.
//! Never keeps anything for a client: the token says all there is to know.

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
    Reach, content,
    fields::{self, Backslash},
    problem::{Kind, Problem},
};
use crate::{
    domain::{aggregate, order::Progress, value::Sku},
    read::{ReadModel, model::Mark, store::StoreError, view::day},
    write::AcceptedCommand,
};

pub(super) const CONSISTENCY_TOKEN: &str = "consistency-token";
pub(super) const READ_SOURCE: &str = "read-source";
const PREFER: &str = "prefer";
const PREFERENCE_APPLIED: &str = "preference-applied";

/// How long a read waits when it does not say.
const USUAL_WAIT: u64 = 2;
/// How long it may ask to wait.
const LONGEST_WAIT: u64 = 10;
/// Between two looks: at first, and at most. Each is twice the one before, so that 10 s cost some two dozen point reads.
const FIRST_GAP: Duration = Duration::from_millis(10);
const LONGEST_GAP: Duration = Duration::from_millis(500);
/// How long the last look may take beyond that.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What kind of aggregate an event is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aggregate {
    Order,
    Customer,
    Product,
}

/// Which event a reader must see. Opaque to clients: base64url of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// Kind of aggregate.
    k: Aggregate,
    /// Its id.
    i: String,
    /// Its version.
    v: i64,
    /// Id of the event.
    e: Uuid,
    /// UTC day in whose sales the event counts, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
}

impl Token {
    /// The token of an accepted command.
    pub(super) fn of(done: &AcceptedCommand) -> Self {
        let (k, counts) = match &done.state {
            aggregate::Aggregate::Order(order) => (
                Aggregate::Order,
                matches!(
                    order.progress,
                    Progress::Paid { .. } | Progress::Cancelled { paid_at: Some(_), .. }
                ),
            ),
            aggregate::Aggregate::Customer(_) => (Aggregate::Customer, false),
            aggregate::Aggregate::Product(_) => (Aggregate::Product, false),
        };
        Self {
            k,
            i: done.subject(),
            v: done.version(),
            e: done.event_id,
            d: counts.then(|| done.at.utc().date().to_string()),
        }
    }

    /// As it stands in the header.
    pub(super) fn encode(&self) -> String {
        // Text and numbers cannot fail to be JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        content::tree::read(&URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// The order that it is about.
    fn order(&self) -> Option<Uuid> {
        (self.k == Aggregate::Order).then(|| self.i.parse().ok())?
    }

    /// Where to look before any list of orders is read.
    pub(super) fn any_order(&self) -> Option<Mark> {
        Some(Mark::Order {
            id: self.order()?,
            version: self.v,
        })
    }

    /// Where to look before this order is read.
    pub(super) fn this_order(&self, id: Uuid) -> Option<Mark> {
        self.any_order().filter(|_| self.order() == Some(id))
    }

    /// Where to look before this order's history is read: its events arrive in any order.
    pub(super) fn history_of(&self, id: Uuid) -> Option<Mark> {
        (self.order() == Some(id)).then_some(Mark::Event {
            order: id,
            version: self.v,
        })
    }

    /// Where to look before this customer's orders are read.
    pub(super) fn order_of(&self, customer: Uuid) -> Option<Mark> {
        Some(Mark::OrderOf {
            customer,
            id: self.order()?,
            version: self.v,
        })
    }

    /// Where to look before this customer is read.
    pub(super) fn customer(&self, id: Uuid) -> Option<Mark> {
        let same = self.k == Aggregate::Customer && self.i == id.to_string();
        same.then_some(Mark::Customer { id, version: self.v })
    }

    /// Where to look before the catalogue is read.
    pub(super) fn any_product(&self) -> Option<Mark> {
        let sku = (self.k == Aggregate::Product).then(|| Sku::try_from(self.i.clone()).ok())?;
        Some(Mark::Product {
            sku: sku?,
            version: self.v,
        })
    }

    /// Where to look before this product is read.
    pub(super) fn this_product(&self, sku: &Sku) -> Option<Mark> {
        self.any_product().filter(|_| self.i == sku.as_str())
    }

    /// Where to look before sales are read.
    pub(super) fn sale(&self) -> Option<Mark> {
        Some(Mark::Sale {
            day: day::parse(self.d.as_deref()?)?,
            order: self.order()?,
            event: self.e,
        })
    }
}

/// What a reader must see, and how long he waits for it.
pub(super) struct Wish {
    /// `None`: whatever is there will do, at once.
    token: Option<Token>,
    wait: Duration,
    /// The seconds that he named and we granted (RFC 7240, section 4.3).
    granted: Option<u64>,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The read model, as far as it is: nobody asked for more.
    AsItIs,
    /// The read model, which shows what was asked for.
    ReadModel,
    /// The write model, which is always ahead.
    WriteModel,
}

impl FromRequestParts<Reach> for Wish {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Reach) -> Result<Self, Problem> {
        let mut tokens = parts.headers.get_all(CONSISTENCY_TOKEN).iter();
        let unknown = || {
            let why = "a Consistency-Token is what one of our commands has answered with";
            Problem::new(Kind::InvalidConsistencyToken, why)
        };
        let token = match (tokens.next(), tokens.next()) {
            (None, _) => None,
            (Some(value), None) => {
                let token = value.to_str().ok().and_then(Token::decode);
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

impl Wish {
    /// Where to look before a read, if the token is about what is read.
    pub(super) fn mark(&self, about: impl FnOnce(&Token) -> Option<Mark>) -> Vec<Mark> {
        self.token.as_ref().and_then(about).into_iter().collect()
    }

    /// Waits until the event has arrived there, one after the other: `Ok(false)` when it has not come in time.
    ///
    /// # Errors
    /// That of the last look, when the store was away then.
    pub(super) async fn wait(&self, model: &ReadModel, marks: &[Mark]) -> Result<bool, StoreError> {
        let until = Instant::now() + self.wait;
        let looking = async {
            for mark in marks {
                if !look(model, mark, until).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let answer = timeout(self.wait + LONGEST_LOOK, looking).await;
        answer.unwrap_or(Ok(false))
    }

    /// Waits, and refuses the read when the event has not come.
    ///
    /// # Errors
    /// A [`Problem`] (503).
    pub(super) async fn insist(&self, model: &ReadModel, marks: &[Mark]) -> Result<Source, Problem> {
        if marks.is_empty() {
            return Ok(Source::AsItIs);
        }
        if self.wait(model, marks).await? {
            return Ok(Source::ReadModel);
        }
        let behind = "the read model does not show this change yet; try again, or without the token";
        Err(Problem::new(Kind::ReadModelBehind, behind))
    }

    /// Says in the answer what became of the wish.
    pub(super) fn told(&self, source: Source, mut answer: Response) -> Response {
        let name = match source {
            Source::AsItIs => return answer,
            Source::ReadModel => "read-model",
            Source::WriteModel => "write-model",
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

async fn look(model: &ReadModel, mark: &Mark, until: Instant) -> Result<bool, StoreError> {
    let mut gap = FIRST_GAP;
    loop {
        let arrived = match model.has(mark).await {
            Ok(true) => return Ok(true),
            Err(refused @ (StoreError::Refused(_) | StoreError::Unreadable { .. })) => return Err(refused),
            other => other,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return arrived;
        }
        tokio::time::sleep(gap.min(left)).await;
        gap = (gap * 2).min(LONGEST_GAP);
    }
}
