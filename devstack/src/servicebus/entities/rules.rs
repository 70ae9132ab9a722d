//! Rules of a subscription as the file has them.
//! Never takes a SQL filter or an action, which would need a language of their own, nor an unknown property, which would
//! select too much.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;

use super::super::rule::{Correlation, Filter, Rule};
use super::error::EntitiesError;

/// The longest name of a rule.
const NAME_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RuleEntry {
    name: String,
    properties: RuleProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleProperties {
    filter_type: String,
    correlation_filter: Option<CorrelationFilter>,
    sql_filter: Option<Json>,
    action: Option<Json>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct CorrelationFilter {
    content_type: Option<String>,
    correlation_id: Option<String>,
    label: Option<String>,
    message_id: Option<String>,
    reply_to: Option<String>,
    reply_to_session_id: Option<String>,
    session_id: Option<String>,
    to: Option<String>,
    properties: BTreeMap<String, Json>,
}

/// The rules of a subscription; without any it gets everything.
pub(super) fn read(subscription: &str, entries: Vec<RuleEntry>) -> Result<Vec<Rule>, EntitiesError> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for entry in entries {
        let entity = format!("{subscription}/Rules/{}", entry.name);
        let usable = !entry.name.is_empty() && entry.name.chars().count() <= NAME_MAX;
        if !usable || !names.insert(entry.name.to_ascii_lowercase()) {
            return Err(EntitiesError::Value {
                entity,
                property: "Name",
            });
        }
        let filter = entry.properties.filter(&entity)?;
        rules.push(Rule {
            name: entry.name,
            filter,
        });
    }
    if rules.is_empty() {
        rules.push(Rule::everything());
    }
    Ok(rules)
}

impl RuleProperties {
    fn filter(self, entity: &str) -> Result<Filter, EntitiesError> {
        let unsupported = |property| EntitiesError::Unsupported {
            entity: entity.to_owned(),
            property,
        };
        let unusable = |property| EntitiesError::Value {
            entity: entity.to_owned(),
            property,
        };
        if self.action.is_some() {
            return Err(unsupported("Action"));
        }
        match self.filter_type.as_str() {
            "Correlation" if self.sql_filter.is_none() => {}
            "Correlation" | "Sql" => return Err(unsupported("SqlFilter")),
            _ => return Err(unusable("FilterType")),
        }
        let filter = self.correlation_filter.unwrap_or_default().correlation();
        let mut wanted = filter.properties.values();
        let odd = wanted.any(|value| !(value.is_string() || value.is_number() || value.is_boolean()));
        if odd || filter.is_empty() {
            return Err(unusable("CorrelationFilter"));
        }
        Ok(Filter::Correlation(Box::new(filter)))
    }
}

impl CorrelationFilter {
    fn correlation(self) -> Correlation {
        Correlation {
            system: [
                self.correlation_id,
                self.message_id,
                self.to,
                self.reply_to,
                self.label,
                self.session_id,
                self.reply_to_session_id,
                self.content_type,
            ],
            properties: self.properties,
        }
    }
}
