//! Topics, subscriptions and queues, as a Config.json for Microsoft's emulator describes them.
//! Never accepts a feature this emulator does not have: its property is refused by name.

mod config;
mod duration;
mod rules;

use std::path::{Path, PathBuf};

use super::rule::Rule;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntitiesError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not the JSON of a configuration, or a rule of it has an unknown property.
    #[error("not a Service Bus emulator configuration: {0}")]
    Json(String),
    /// A property is known, and asks for something this emulator does not do.
    #[error("{entity}: {property} is not supported")]
    Unsupported {
        /// The topic, queue, subscription or rule.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
    /// A property's value is out of range.
    #[error("{entity}: {property} has an unusable value")]
    Value {
        /// The topic, queue, subscription or rule.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
}

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
    pub(crate) settings: Settings,
    pub(crate) rules: Vec<Rule>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) duplicate_window_ms: Option<i64>,
    pub(crate) settings: Settings,
}

/// What a queue or subscription does with its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) lock_ms: i64,
    pub(crate) max_deliveries: u32,
    pub(crate) ttl_ms: i64,
    pub(crate) dead_letter_expired: bool,
}

impl Entities {
    /// Reads a configuration file.
    pub fn from_file(path: &Path) -> Result<Self, EntitiesError> {
        let text = std::fs::read_to_string(path).map_err(|source| EntitiesError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_json(&text)
    }

    /// The entities of the orders system, which are built in.
    pub fn of_orders() -> Result<Self, EntitiesError> {
        Self::from_json(include_str!("../../../servicebus/Config.json"))
    }

    /// Reads a configuration's text.
    pub fn from_json(text: &str) -> Result<Self, EntitiesError> {
        config::read(text)
    }

    /// The same with one more subscription on each topic, like the topic's first but without its rules: somebody who
    /// listens in, and hears everything.
    #[must_use]
    pub fn with_listener(mut self, name: &str) -> Self {
        for topic in &mut self.topics {
            if let Some(first) = topic.subscriptions.first() {
                let listener = Subscription {
                    path: format!("{}/Subscriptions/{name}", topic.name),
                    settings: first.settings,
                    rules: vec![Rule::everything()],
                };
                topic.subscriptions.push(listener);
            }
        }
        self
    }
}
