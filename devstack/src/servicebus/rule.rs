//! A subscription's rules: which of its topic's messages it gets.
//! Never changes a message: a rule with an action is refused where rules are read.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::amqp::Value;
use super::facts::MessageFacts;

/// The name of the rule that a subscription has where none is given.
const DEFAULT: &str = "$Default";

/// A named filter; a subscription gets what any of its rules selects, and gets it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) filter: Filter,
}

/// The messages that a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Everything.
    True,
    /// Messages that have all of these values.
    Correlation(Box<Correlation>),
}

/// The values a message must have, compared as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Correlation {
    /// In the order of the filter on the wire: correlation id, message id, to, reply to, label, session id,
    /// reply to session id, content type.
    pub(crate) system: [Option<String>; 8],
    /// Texts, numbers and Booleans.
    pub(crate) properties: BTreeMap<String, Json>,
}

/// The places in a message's properties section of the values in `Correlation::system`.
const SYSTEM: [usize; 8] = [5, 0, 2, 4, 3, 10, 12, 6];

impl Rule {
    /// The rule of a subscription that has none of its own.
    pub(crate) fn everything() -> Self {
        Self {
            name: DEFAULT.to_owned(),
            filter: Filter::True,
        }
    }

    pub(crate) fn selects(&self, facts: &MessageFacts) -> bool {
        match &self.filter {
            Filter::True => true,
            Filter::Correlation(correlation) => correlation.selects(facts),
        }
    }
}

impl Correlation {
    /// True when it asks for nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.system.iter().all(Option::is_none) && self.properties.is_empty()
    }

    fn selects(&self, facts: &MessageFacts) -> bool {
        let mut system = self.system.iter().zip(SYSTEM);
        system.all(|(wanted, field)| wanted.is_none() || facts.property(field) == *wanted)
            && self
                .properties
                .iter()
                .all(|(name, wanted)| facts.application(name).is_some_and(|value| equal(wanted, value)))
    }
}

/// True when a property has the value that a filter asks for; a number is the same in whatever type it is sent.
fn equal(wanted: &Json, value: &Value) -> bool {
    match wanted {
        Json::String(text) => matches!(value, Value::String(value) if value == text),
        Json::Bool(flag) => *value == Value::Bool(*flag),
        Json::Number(number) => match (number.as_i128(), value.integer()) {
            (Some(wanted), Some(value)) => wanted == value,
            _ => number
                .as_f64()
                .is_some_and(|wanted| value.float() == Some(wanted)),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::amqp::{code, encode_described};
    use super::*;

    /// A message of the kind `label` with these application properties.
    fn facts(label: &str, application: &[(&str, Value)]) -> MessageFacts {
        let (mut properties, mut named) = (Vec::new(), Vec::new());
        let fields = ["id-1", "", "", label].map(Value::string).to_vec();
        encode_described(code::PROPERTIES, &Value::List(fields), &mut properties);
        let pairs = application.iter();
        let pairs = pairs.map(|(name, value)| (Value::string(*name), value.clone()));
        encode_described(
            code::APPLICATION_PROPERTIES,
            &Value::Map(pairs.collect()),
            &mut named,
        );
        MessageFacts::read(&properties.into(), &named.into())
    }

    fn rule<T: Clone + Into<Json>>(label: Option<&str>, properties: &[(&str, T)]) -> Rule {
        let mut correlation = Correlation::default();
        correlation.system[4] = label.map(str::to_owned);
        let owned = |(name, value): &(&str, T)| ((*name).to_owned(), value.clone().into());
        correlation.properties = properties.iter().map(owned).collect();
        Rule {
            name: "r".to_owned(),
            filter: Filter::Correlation(Box::new(correlation)),
        }
    }

    #[test]
    fn the_default_rule_selects_everything() {
        assert!(Rule::everything().selects(&facts("order", &[])));
        assert!(Rule::everything().selects(&MessageFacts::read(&[][..].into(), &[][..].into())));
    }

    #[test]
    fn a_property_is_compared_as_it_is_written() {
        let live = rule(None, &[("replay", "none")]);
        assert!(live.selects(&facts("order", &[("replay", Value::string("none"))])));
        for other in [Value::string("None"), Value::symbol("none"), Value::Null] {
            assert!(!live.selects(&facts("order", &[("replay", other)])));
        }
        assert!(!live.selects(&facts("order", &[("other", Value::string("none"))])));
        assert!(!live.selects(&facts("order", &[])));
    }

    #[test]
    fn a_number_is_compared_by_its_value_and_a_flag_by_its_own() {
        let five = rule(None, &[("n", 5)]);
        let double = Value::double;
        for same in [Value::Int(5), Value::Long(5), Value::Ubyte(5), double(5.0)] {
            assert!(five.selects(&facts("order", &[("n", same.clone())])), "{same:?}");
        }
        for other in [Value::Int(6), Value::string("5"), Value::Bool(true), double(5.5)] {
            assert!(
                !five.selects(&facts("order", &[("n", other.clone())])),
                "{other:?}"
            );
        }
        assert!(rule(None, &[("n", 5.5)]).selects(&facts("order", &[("n", double(5.5))])));
        let set = rule(None, &[("f", true)]);
        assert!(set.selects(&facts("order", &[("f", Value::Bool(true))])));
        for other in [Value::Bool(false), Value::string("true"), Value::Int(1)] {
            assert!(
                !set.selects(&facts("order", &[("f", other.clone())])),
                "{other:?}"
            );
        }
    }

    #[test]
    fn all_values_of_a_rule_must_be_there() {
        let narrow = rule(Some("order"), &[("a", "1"), ("b", "2")]);
        let (a, b) = (("a", Value::string("1")), ("b", Value::string("2")));
        assert!(narrow.selects(&facts("order", &[a.clone(), b.clone()])));
        assert!(!narrow.selects(&facts("order", std::slice::from_ref(&a))));
        assert!(!narrow.selects(&facts("product", &[a, b])));
    }

    #[test]
    fn each_system_property_is_compared_with_its_own_field() {
        let fields: Vec<_> = (0..13)
            .map(|field: u8| Value::string(field.to_string()))
            .collect();
        let mut properties = Vec::new();
        encode_described(code::PROPERTIES, &Value::List(fields), &mut properties);
        let facts = MessageFacts::read(&properties.into(), &[][..].into());
        let system = ["5", "0", "2", "4", "3", "10", "12", "6"].map(|text| Some(text.to_owned()));
        let all = Correlation {
            system,
            ..Correlation::default()
        };
        assert!(all.selects(&facts));
    }
}
