//! Which dead letters are meant.
//! Never means a message by its place in the queue: that changes while others work on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Letter;
use crate::domain::value::{Name, Time};

/// Everything that is said must hold; what is not said holds for each. Nothing said means nothing: all of them need `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "DeadLetterSelection")]
pub struct Selection {
    /// All of them; nothing else is said then but the limit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Any of these MessageIds.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    pub message_ids: Vec<String>,
    /// The aggregate's id: an order id, a customer id or a SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    pub subject: Option<String>,
    /// The event's name, such as `orders.OrderPaid.v1`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    pub kind: Option<String>,
    /// Why it was dead-lettered, such as `MaxDeliveryCountExceeded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    pub reason: Option<String>,
    /// Came onto the subscription earlier than this.
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub before: Option<OffsetDateTime>,
    /// Came onto the subscription at this time or later.
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub after: Option<OffsetDateTime>,
    /// No more than so many, the first of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl Selection {
    /// Whether anything is said of which are meant.
    #[must_use]
    pub fn says_which(&self) -> bool {
        let rest = Self {
            all: false,
            limit: None,
            ..self.clone()
        };
        rest != Self::default()
    }

    /// Whether a letter is meant, the limit aside.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        let received = &letter.received;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| found.is_some_and(|found| found == wanted))
        };
        let at = received.enqueued_at();
        (self.message_ids.is_empty() || self.message_ids.contains(&received.message_id()))
            && is(&self.subject, letter.subject())
            && is(&self.kind, letter.kind())
            && is(&self.reason, received.reason())
            && self.before.is_none_or(|before| at.is_some_and(|at| at < before))
            && self.after.is_none_or(|after| at.is_some_and(|at| at >= after))
    }
}
