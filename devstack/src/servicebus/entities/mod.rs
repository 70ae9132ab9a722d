//! Topics, subscriptions and queues, as a Config.json for Microsoft's emulator describes them.
//! Never accepts a feature this emulator does not have: its property is refused by name.

mod config;
mod duration;
mod entity;
mod error;
mod rules;

use std::path::Path;

use super::rule::Rule;
pub use entity::Entities;
pub(crate) use entity::QueueSettings;
use entity::Subscription;
pub use error::EntitiesError;

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

    /// The same with one more subscription on each topic, like the topic's first but without its rules: it hears everything.
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
