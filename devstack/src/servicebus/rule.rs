//! A subscription's rules: which of its topic's messages it gets.
//! Never changes a message: a rule with an action is refused where rules are read.

use std::collections::BTreeMap;

use super::facts::Facts;

/// The name of the rule that a subscription has where none is given.
const DEFAULT: &str = "$Default";

/// A named filter; a subscription gets what any of its rules selects, and gets it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) filter: Filter,
}

/// What a rule selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Everything.
    True,
    /// What has all of these values.
    Correlation(Box<Correlation>),
}

/// The values a message must have, compared as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Correlation {
    /// In the order of the filter on the wire: correlation id, message id, to, reply to, label, session id,
    /// reply to session id, content type.
    pub(crate) system: [Option<String>; 8],
    pub(crate) properties: BTreeMap<String, String>,
}

/// Where a message's properties section has what `Correlation::system` asks for.
const SYSTEM: [usize; 8] = [5, 0, 2, 4, 3, 10, 12, 6];

impl Rule {
    /// What a subscription without rules has.
    pub(crate) fn everything() -> Self {
        Self {
            name: DEFAULT.to_owned(),
            filter: Filter::True,
        }
    }

    pub(crate) fn selects(&self, facts: &Facts) -> bool {
        match &self.filter {
            Filter::True => true,
            Filter::Correlation(correlation) => correlation.selects(facts),
        }
    }
}

impl Correlation {
    /// Whether it asks for nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.system.iter().all(Option::is_none) && self.properties.is_empty()
    }

    fn selects(&self, facts: &Facts) -> bool {
        let mut system = self.system.iter().zip(SYSTEM);
        system.all(|(wanted, field)| wanted.is_none() || facts.property(field) == *wanted)
            && self
                .properties
                .iter()
                .all(|(name, wanted)| facts.application(name) == Some(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::super::amqp::{Value, code, encode_described};
    use super::*;

    /// A message of the kind `label` with these application properties.
    fn facts(label: &str, application: &[(&str, Value)]) -> Facts {
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
        Facts::read(&properties.into(), &named.into())
    }

    fn rule(label: Option<&str>, properties: &[(&str, &str)]) -> Rule {
        let mut correlation = Correlation::default();
        correlation.system[4] = label.map(str::to_owned);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        correlation.properties = properties.iter().map(owned).collect();
        Rule {
            name: "r".to_owned(),
            filter: Filter::Correlation(Box::new(correlation)),
        }
    }

    #[test]
    fn the_default_rule_selects_everything() {
        assert!(Rule::everything().selects(&facts("order", &[])));
        assert!(Rule::everything().selects(&Facts::read(&[][..].into(), &[][..].into())));
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
        let facts = Facts::read(&properties.into(), &[][..].into());
        let system = ["5", "0", "2", "4", "3", "10", "12", "6"].map(|text| Some(text.to_owned()));
        let all = Correlation {
            system,
            ..Correlation::default()
        };
        assert!(all.selects(&facts));
    }
}
