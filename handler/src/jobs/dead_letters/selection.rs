//! Which dead letters are meant.
//! Never means a message by its place in the queue: that changes while others work on it.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{engine::Violation, rules},
    dead_letter::DeadLetter,
};
use crate::domain::{timestamp::Timestamp, value::Name};

/// Everything that is said must hold; what is not said holds for each. Nothing said means nothing: all of them need `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeadLetterSelection {
    /// All of them; nothing else is said then but the limit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[arg(long)]
    pub all: bool,
    /// Any of these MessageIds.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    #[arg(long = "message-id", value_name = "ID")]
    pub message_ids: Vec<String>,
    /// Any of these sequence numbers in the queue of dead letters.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(min = 1, max = 100))]
    #[arg(long = "sequence", value_name = "NUMBER")]
    pub sequences: Vec<i64>,
    /// The aggregate's id: an order id, a customer id or a SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    #[arg(long, visible_alias = "order", value_name = "ID")]
    pub subject: Option<String>,
    /// The event's name, such as `orders.OrderPaid.v1`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    #[arg(long = "type", value_name = "NAME")]
    pub kind: Option<String>,
    /// The reason of its dead-lettering, such as `MaxDeliveryCountExceeded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Name>")]
    #[arg(long)]
    pub reason: Option<String>,
    /// Came onto the subscription earlier than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "TIME")]
    pub before: Option<Timestamp>,
    /// Came onto the subscription at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "TIME")]
    pub after: Option<Timestamp>,
    /// No more than so many, the first of the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

impl DeadLetterSelection {
    /// True when it says anything of which are meant.
    #[must_use]
    pub fn says_which(&self) -> bool {
        let rest = Self {
            all: false,
            limit: None,
            ..self.clone()
        };
        rest != Self::default()
    }

    /// True when a letter is meant, the limit aside.
    #[must_use]
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        let received = &letter.received;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| found.is_some_and(|found| found == wanted))
        };
        let at = received.enqueued_at();
        (self.message_ids.is_empty() || self.message_ids.contains(&received.message_id()))
            && (self.sequences.is_empty() || self.sequences.contains(&received.sequence()))
            && is(&self.subject, letter.subject())
            && is(&self.kind, letter.kind())
            && is(&self.reason, received.reason())
            && self.before.is_none_or(|before| at.is_some_and(|at| at < before))
            && self.after.is_none_or(|after| at.is_some_and(|at| at >= after))
    }

    /// Finds the rules that the selection of a job breaks beyond those of its schema.
    pub(in crate::jobs) fn violations(&self) -> Vec<Violation> {
        let mut violations = rules::deliberate("/letters", self.all, self.says_which());
        violations.extend(rules::names("/letters/messageIds", &self.message_ids));
        for (pointer, text) in [
            ("/letters/subject", &self.subject),
            ("/letters/type", &self.kind),
            ("/letters/reason", &self.reason),
        ] {
            violations.extend(rules::names(pointer, text.as_slice()));
        }
        violations
    }
}
