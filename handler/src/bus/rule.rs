//! The rules of a subscription, as far as they decide which resent messages it gets.
//! Never guesses: a filter that is not one plain comparison is only shown.

use std::fmt;

use fe2o3_amqp::types::primitives::Value;
use serde_amqp::descriptor::Descriptor;

use super::received::REPLAY;

/// Descriptors of filters, by code and by name (Microsoft: "request-response-based operations", Get Rules).
const FILTERS: [(u64, &str, FilterKind); 4] = [
    (0x13_7000_0006, "com.microsoft:sql-filter:list", FilterKind::Sql),
    (
        0x13_7000_0007,
        "com.microsoft:true-filter:list",
        FilterKind::Everything,
    ),
    (
        0x13_7000_0008,
        "com.microsoft:false-filter:list",
        FilterKind::Nothing,
    ),
    (
        0x13_7000_0009,
        "com.microsoft:correlation-filter:list",
        FilterKind::Correlation,
    ),
];
/// The place of the map of application properties in a correlation filter; system properties come before it.
const PROPERTIES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FilterKind {
    Sql,
    Everything,
    Nothing,
    Correlation,
}

/// One rule: a subscription gets what any of its rules lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRule {
    name: String,
    filter: RuleFilter,
}

/// The way in which a rule treats messages that are resent to a subscription; the greatest of its rules counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplayAdmission {
    /// It lets in none of them.
    Never,
    /// It may let them in, and messages for others, too: it lets in everything, or compares more than the mark.
    Perhaps,
    /// It lets them in, and none that are resent to others.
    Own,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RuleFilter {
    /// Lets in what has all of these values.
    Correlation {
        /// The one in the application property `replay`.
        replay: Option<String>,
        /// The number of other comparisons.
        others: usize,
    },
    Nothing,
    /// Anything else, in words.
    Other(String),
}

impl SubscriptionRule {
    /// Reads a rule description: filter, action, name.
    pub(super) fn read(description: &Value) -> Self {
        let parts = described(description).map_or(&[][..], |(_, parts)| parts);
        let name = match parts.get(2) {
            Some(Value::String(name)) => name.clone(),
            _ => "unnamed".to_owned(),
        };
        Self {
            name,
            filter: parts
                .first()
                .map_or(RuleFilter::Other("no filter".to_owned()), filter),
        }
    }

    /// Judges messages that are resent to this subscription, and marked so.
    #[must_use]
    pub fn admits(&self, subscription: &str) -> ReplayAdmission {
        match &self.filter {
            RuleFilter::Correlation {
                replay: Some(value), ..
            } if value != subscription => ReplayAdmission::Never,
            RuleFilter::Correlation {
                replay: Some(_),
                others: 0,
            } => ReplayAdmission::Own,
            RuleFilter::Nothing => ReplayAdmission::Never,
            RuleFilter::Correlation { .. } | RuleFilter::Other(_) => ReplayAdmission::Perhaps,
        }
    }
}

/// As an operator reads it: `live (replay = 'none')`.
impl fmt::Display for SubscriptionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.filter {
            RuleFilter::Correlation {
                replay: Some(value),
                others: 0,
            } => write!(f, "{} ({REPLAY} = '{value}')", self.name),
            RuleFilter::Correlation {
                replay: Some(value), ..
            } => write!(f, "{} ({REPLAY} = '{value}' and more)", self.name),
            RuleFilter::Correlation { .. } => write!(f, "{} (other properties)", self.name),
            RuleFilter::Nothing => write!(f, "{} (nothing)", self.name),
            RuleFilter::Other(words) => write!(f, "{} ({words})", self.name),
        }
    }
}

fn filter(value: &Value) -> RuleFilter {
    let Some((descriptor, fields)) = described(value) else {
        return RuleFilter::Other("an unknown filter".to_owned());
    };
    let known = FILTERS.iter().find(|(code, name, _)| match descriptor {
        Descriptor::Code(found) => found == code,
        Descriptor::Name(found) => found.as_str() == *name,
    });
    match (known.map(|(.., kind)| kind), fields.first()) {
        (Some(FilterKind::Sql), Some(Value::String(expression))) => RuleFilter::Other(expression.clone()),
        (Some(FilterKind::Everything), _) => RuleFilter::Other("everything".to_owned()),
        (Some(FilterKind::Nothing), _) => RuleFilter::Nothing,
        (Some(FilterKind::Correlation), _) => correlation(fields),
        _ => RuleFilter::Other("an unknown filter".to_owned()),
    }
}

fn correlation(fields: &[Value]) -> RuleFilter {
    let system = fields
        .iter()
        .take(PROPERTIES)
        .filter(|field| **field != Value::Null)
        .count();
    let Some(Value::Map(wanted)) = fields.get(PROPERTIES) else {
        return RuleFilter::Correlation {
            replay: None,
            others: system,
        };
    };
    let replay = match wanted.get(&Value::String(REPLAY.to_owned())) {
        Some(Value::String(value)) => Some(value.clone()),
        _ => None,
    };
    RuleFilter::Correlation {
        others: system + wanted.len() - usize::from(replay.is_some()),
        replay,
    }
}

/// The descriptor and the elements of a described list.
fn described(value: &Value) -> Option<(&Descriptor, &[Value])> {
    let Value::Described(described) = value else {
        return None;
    };
    match &described.value {
        Value::List(elements) => Some((&described.descriptor, elements)),
        Value::Array(elements) => Some((&described.descriptor, &elements.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::primitives::{OrderedMap, Symbol};
    use serde_amqp::described::Described;

    use super::*;

    fn composite(descriptor: Descriptor, fields: Vec<Value>) -> Value {
        Value::Described(Box::new(Described {
            descriptor,
            value: Value::List(fields),
        }))
    }

    fn rule(filter: Value) -> SubscriptionRule {
        let action = composite(Descriptor::Code(0x137_0000_0005), Vec::new());
        let name = Value::String("r".to_owned());
        SubscriptionRule::read(&composite(
            Descriptor::Code(0x137_0000_0004),
            vec![filter, action, name],
        ))
    }

    fn correlation(system: Option<&str>, properties: &[(&str, &str)]) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let mut fields = vec![Value::Null; PROPERTIES];
        fields[4] = system.map_or(Value::Null, text);
        let pairs = properties.iter().map(|(name, value)| (text(name), text(value)));
        fields.push(Value::Map(pairs.collect::<OrderedMap<Value, Value>>()));
        composite(Descriptor::Code(0x13_7000_0009), fields)
    }

    #[test]
    fn a_rule_that_lets_in_nothing_or_something_else_never_admits() {
        for other in [
            correlation(None, &[("replay", "none")]),
            correlation(Some("orders.OrderPaid.v1"), &[("replay", "none")]),
            composite(Descriptor::Code(0x13_7000_0008), Vec::new()),
        ] {
            assert_eq!(
                rule(other.clone()).admits("mail"),
                ReplayAdmission::Never,
                "{other:?}"
            );
        }
    }

    #[test]
    fn only_a_plain_comparison_with_the_subscriptions_own_name_lets_its_replays_in() {
        let own = rule(correlation(None, &[("replay", "mail")]));
        assert_eq!(
            (own.admits("mail"), own.admits("read-model")),
            (ReplayAdmission::Own, ReplayAdmission::Never)
        );
        assert_eq!(own.to_string(), "r (replay = 'mail')");
        let sql = Value::String("replay = 'mail'".to_owned());
        let sql_filter = Descriptor::Name(Symbol::from("com.microsoft:sql-filter:list"));
        for other in [
            correlation(None, &[("replay", "mail"), ("tenant", "1")]),
            correlation(Some("orders.OrderPaid.v1"), &[("replay", "mail")]),
            composite(Descriptor::Code(0x13_7000_0007), Vec::new()),
            composite(sql_filter, vec![sql]),
            Value::Null,
        ] {
            assert_eq!(
                rule(other.clone()).admits("mail"),
                ReplayAdmission::Perhaps,
                "{other:?}"
            );
        }
    }
}
