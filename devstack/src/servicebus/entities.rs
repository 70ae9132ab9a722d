//! Reads topics, subscriptions and queues from a Config.json as Microsoft's emulator takes it.
//! Never accepts a property this emulator does not honour: it is refused by name.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntitiesError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not the JSON of a configuration, or names an unknown property.
    #[error("not a Service Bus emulator configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// A property is known, and asks for something this emulator does not do.
    #[error("{entity}: {property} is not supported")]
    Unsupported {
        /// The topic, queue or subscription.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
    /// A property's value is out of range.
    #[error("{entity}: {property} has an unusable value")]
    Value {
        /// The topic, queue or subscription.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
}

/// The entities of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entities {
    pub(crate) topics: Vec<(String, Vec<(String, Settings)>)>,
    pub(crate) queues: Vec<(String, Settings)>,
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

    /// Reads a configuration's text.
    pub fn from_json(text: &str) -> Result<Self, EntitiesError> {
        let config: Config = serde_json::from_str(text)?;
        let mut entities = Self::default();
        for namespace in config.user_config.namespaces {
            for topic in namespace.topics {
                let outer = topic.properties.settings(&topic.name)?;
                let mut subscriptions = Vec::new();
                for subscription in topic.subscriptions {
                    let path = format!("{}/Subscriptions/{}", topic.name, subscription.name);
                    if !subscription.rules.is_empty() {
                        return Err(EntitiesError::Unsupported {
                            entity: path,
                            property: "Rules",
                        });
                    }
                    let mut settings = subscription.properties.settings(&path)?;
                    settings.ttl_ms = settings.ttl_ms.min(outer.ttl_ms);
                    subscriptions.push((path, settings));
                }
                entities.topics.push((topic.name, subscriptions));
            }
            for queue in namespace.queues {
                let settings = queue.properties.settings(&queue.name)?;
                entities.queues.push((queue.name, settings));
            }
        }
        Ok(entities)
    }

    /// The same with one more subscription on each topic, like the topic's first: somebody who listens in.
    #[must_use]
    pub fn with_listener(mut self, name: &str) -> Self {
        for (topic, subscriptions) in &mut self.topics {
            if let Some((_, settings)) = subscriptions.first() {
                let settings = *settings;
                subscriptions.push((format!("{topic}/Subscriptions/{name}"), settings));
            }
        }
        self
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Config {
    user_config: UserConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UserConfig {
    namespaces: Vec<Namespace>,
    #[serde(rename = "Logging", default)]
    _logging: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Namespace {
    #[serde(rename = "Name")]
    _name: String,
    #[serde(default)]
    topics: Vec<Entity>,
    #[serde(default)]
    queues: Vec<Entity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entity {
    name: String,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    subscriptions: Vec<Entity>,
    #[serde(default)]
    rules: Vec<serde_json::Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Properties {
    dead_lettering_on_message_expiration: bool,
    default_message_time_to_live: Option<String>,
    /// Only has a meaning together with `RequiresDuplicateDetection`, which is refused.
    #[serde(rename = "DuplicateDetectionHistoryTimeWindow")]
    _duplicate_window: Option<String>,
    forward_dead_lettered_messages_to: Option<String>,
    forward_to: Option<String>,
    lock_duration: Option<String>,
    max_delivery_count: Option<u32>,
    requires_duplicate_detection: bool,
    requires_session: bool,
}

impl Properties {
    fn settings(&self, entity: &str) -> Result<Settings, EntitiesError> {
        let set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let refused = [
            ("RequiresSession", self.requires_session),
            ("RequiresDuplicateDetection", self.requires_duplicate_detection),
            ("ForwardTo", set(&self.forward_to)),
            (
                "ForwardDeadLetteredMessagesTo",
                set(&self.forward_dead_lettered_messages_to),
            ),
        ];
        if let Some((property, _)) = refused.into_iter().find(|(_, asked)| *asked) {
            return Err(EntitiesError::Unsupported {
                entity: entity.to_owned(),
                property,
            });
        }
        let value = |property| EntitiesError::Value {
            entity: entity.to_owned(),
            property,
        };
        let span = |text: &Option<String>, default: i64, property| match text {
            Some(text) => duration_ms(text)
                .filter(|span| *span > 0)
                .ok_or_else(|| value(property)),
            None => Ok(default),
        };
        let lock_ms = span(&self.lock_duration, 60_000, "LockDuration")?;
        if lock_ms > 300_000 {
            return Err(value("LockDuration"));
        }
        let max_deliveries = self.max_delivery_count.unwrap_or(10);
        if !(1..=2_000).contains(&max_deliveries) {
            return Err(value("MaxDeliveryCount"));
        }
        Ok(Settings {
            lock_ms,
            max_deliveries,
            ttl_ms: span(
                &self.default_message_time_to_live,
                i64::MAX,
                "DefaultMessageTimeToLive",
            )?,
            dead_letter_expired: self.dead_lettering_on_message_expiration,
        })
    }
}

/// An ISO 8601 duration of days, hours, minutes and seconds, in milliseconds.
fn duration_ms(text: &str) -> Option<i64> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let mut total = 0.0;
    for (mut rest, units) in [(days, "D"), (time, "HMS")] {
        let mut allowed = units;
        while !rest.is_empty() {
            let at = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
            let unit = rest[at..].chars().next()?;
            allowed = &allowed[allowed.find(unit)? + 1..];
            let scale = match unit {
                'D' => 86_400_000.0,
                'H' => 3_600_000.0,
                'M' => 60_000.0,
                _ => 1_000.0,
            };
            total += rest[..at].parse::<f64>().ok()? * scale;
            rest = &rest[at + 1..];
        }
    }
    (text.len() > 1 && total.is_finite()).then_some(total as i64)
}
