//! The entities themselves: topics, subscriptions, queues and their settings.
//! Never holds a message.

use crate::servicebus::rule::Rule;

/// The entities of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entities {
    pub(crate) topics: Vec<Topic>,
    pub(crate) queues: Vec<Queue>,
}

/// A topic and who hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// For how long an id makes a message a duplicate, where that is looked at.
    pub(crate) duplicate_window_ms: Option<i64>,
    pub(crate) subscriptions: Vec<Subscription>,
}

/// A subscription by its path, and what it gets of its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) path: String,
    pub(crate) settings: QueueSettings,
    pub(crate) rules: Vec<Rule>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) duplicate_window_ms: Option<i64>,
    pub(crate) settings: QueueSettings,
}

/// The settings of a queue or subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueSettings {
    pub(crate) lock_ms: i64,
    pub(crate) max_deliveries: u32,
    pub(crate) ttl_ms: i64,
    pub(crate) dead_letter_expired: bool,
}
