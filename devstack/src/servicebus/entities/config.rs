//! The Config.json itself: its shape, and what each property may be.
//! Never drops an unknown property in silence: it is named in the log.

use jsonc_parser::ParseOptions;
use serde::Deserialize;

use super::duration;
use super::entity::{Entities, Queue, QueueSettings, Subscription, Topic};
use super::error::EntitiesError;
use super::rules::{self, RuleEntry};

/// The shortest and the longest window of duplicate detection: 5 seconds, which Microsoft's emulator takes (Azure asks
/// for 20), and 7 days.
const WINDOWS_MS: std::ops::RangeInclusive<i64> = 5_000..=7 * 86_400_000;
/// The window where none is given.
const WINDOW_MS: i64 = 600_000;

/// JSON as Microsoft's emulator reads it: with comments, and commas behind the last of a list.
const SYNTAX: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads the text of a configuration.
pub(super) fn read(text: &str) -> Result<Entities, EntitiesError> {
    let unusable = |problem: String| EntitiesError::Json(problem);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let config: serde_json::Value =
        jsonc_parser::parse_to_serde_value(text, &SYNTAX).map_err(|error| unusable(error.to_string()))?;
    let unknown = |property: serde_ignored::Path| {
        tracing::warn!(property = ?property.to_string(), "the configuration has a property that is unknown here, and ignored");
    };
    let config: Config =
        serde_ignored::deserialize(config, unknown).map_err(|error| unusable(error.to_string()))?;
    let mut entities = Entities::default();
    for namespace in config.user_config.namespaces {
        for topic in namespace.topics {
            entities.topics.push(topic.read()?);
        }
        for queue in namespace.queues {
            entities.queues.push(Queue {
                duplicate_window_ms: queue.properties.duplicate_window_ms(&queue.name)?,
                settings: queue.properties.settings(&queue.name)?,
                name: queue.name,
            });
        }
    }
    Ok(entities)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    user_config: UserConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserConfig {
    namespaces: Vec<Namespace>,
    #[serde(rename = "Logging", default)]
    _logging: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Namespace {
    #[serde(rename = "Name")]
    _name: String,
    #[serde(default)]
    topics: Vec<TopicEntry>,
    #[serde(default)]
    queues: Vec<QueueEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TopicEntry {
    name: String,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    subscriptions: Vec<SubscriptionEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionEntry {
    name: String,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    rules: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueEntry {
    name: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    dead_lettering_on_message_expiration: bool,
    default_message_time_to_live: Option<String>,
    duplicate_detection_history_time_window: Option<String>,
    forward_dead_lettered_messages_to: Option<String>,
    forward_to: Option<String>,
    lock_duration: Option<String>,
    max_delivery_count: Option<u32>,
    requires_duplicate_detection: bool,
    requires_session: bool,
}

impl TopicEntry {
    fn read(self) -> Result<Topic, EntitiesError> {
        let outer = self.properties.settings(&self.name)?;
        let mut subscriptions = Vec::new();
        for entry in self.subscriptions {
            let path = format!("{}/Subscriptions/{}", self.name, entry.name);
            if entry.properties.requires_duplicate_detection {
                // Only what can be sent to can look for duplicates.
                return Err(EntitiesError::Unsupported {
                    entity: path,
                    property: "RequiresDuplicateDetection",
                });
            }
            let mut settings = entry.properties.settings(&path)?;
            settings.ttl_ms = settings.ttl_ms.min(outer.ttl_ms);
            let rules = rules::read(&path, entry.rules)?;
            subscriptions.push(Subscription {
                path,
                settings,
                rules,
            });
        }
        Ok(Topic {
            duplicate_window_ms: self.properties.duplicate_window_ms(&self.name)?,
            name: self.name,
            subscriptions,
        })
    }
}

impl Properties {
    fn settings(&self, entity: &str) -> Result<QueueSettings, EntitiesError> {
        let set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let refused = [
            ("RequiresSession", self.requires_session),
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
            Some(text) => duration::milliseconds(text)
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
        Ok(QueueSettings {
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

    /// The window of duplicate detection; a bad one is refused even where it is not asked for.
    fn duplicate_window_ms(&self, entity: &str) -> Result<Option<i64>, EntitiesError> {
        let window = match &self.duplicate_detection_history_time_window {
            Some(text) => duration::milliseconds(text).filter(|window| WINDOWS_MS.contains(window)),
            None => Some(WINDOW_MS),
        };
        let window = window.ok_or_else(|| EntitiesError::Value {
            entity: entity.to_owned(),
            property: "DuplicateDetectionHistoryTimeWindow",
        })?;
        Ok(self.requires_duplicate_detection.then_some(window))
    }
}
