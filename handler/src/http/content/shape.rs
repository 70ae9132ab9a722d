//! Checks a body against the schema that the API publishes for it, and finds all of its faults at once.
//! Never has a rule of its own: shapes are the schema's, and the rules of texts and numbers are their value types'.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    super::access::Scope,
    faults::BodyFaults,
    rules::broken,
    schema::{BodySchema, ItemsSchema, MemberSchema, ObjectSchema, SchemaIndex, TypedSchema, ValueSchema},
};
use crate::{domain::timestamp::Timestamp, json::JsonTree};

/// Adds to `faults` all that is wrong with `body`; whole numbers that are written with a fraction of zeros are made what
/// they are.
pub(super) fn check(schema: &BodySchema, body: &mut JsonTree, scope: Scope, faults: &mut BodyFaults) {
    schema.check_value(schema.root(), body, faults);
    if scope == Scope::All {
        schema.check_required_of_staff(schema.root(), body, faults);
    }
}

impl BodySchema {
    fn check_required_of_staff(&self, index: SchemaIndex, body: &JsonTree, faults: &mut BodyFaults) {
        let (ValueSchema::Typed(schema), JsonTree::Object(_)) = (self.at(index), body) else {
            return;
        };
        for member in &schema.object.known {
            let is_absent = matches!(body.member(&member.name), None | Some(JsonTree::Null));
            if let (true, Some(words)) = (is_absent, &member.required_of_staff) {
                faults.within(&member.name, |faults| faults.add(words));
            }
        }
    }

    fn check_value(&self, index: SchemaIndex, value: &mut JsonTree, faults: &mut BodyFaults) {
        match self.at(index) {
            ValueSchema::Any => {}
            ValueSchema::OneOf(names) => {
                if !matches!(value, JsonTree::Text(text) if names.contains(text)) {
                    faults.add(format!("must be one of {}", names.join(", ")));
                }
            }
            ValueSchema::Other { schema, or_null } => {
                if *value != JsonTree::Null || !or_null {
                    self.check_value(*schema, value, faults);
                }
            }
            ValueSchema::Typed(schema) => self.check_typed(schema, value, faults),
        }
    }

    fn check_typed(&self, schema: &TypedSchema, value: &mut JsonTree, faults: &mut BodyFaults) {
        if schema.types.iter().any(|name| name == "integer") {
            value.make_whole();
        }
        if !schema.types.is_empty() && !schema.types.iter().any(|name| value.is(name)) {
            let wanted = wanted(&schema.types);
            faults.add(format!("must be {wanted}, and is {}", value.kind()));
            return;
        }
        let before = faults.count();
        match value {
            JsonTree::Object(members) => self.check_members(&schema.object, members, faults),
            JsonTree::Array(items) => self.check_items(&schema.items, items, faults),
            JsonTree::Text(_) | JsonTree::Whole(_) | JsonTree::Number(_) if schema.rule.is_none() => {
                breaks(schema, value)
                    .into_iter()
                    .for_each(|words| faults.add(words));
            }
            _ => {}
        }
        if faults.count() == before
            && let Some(words) = schema.rule.and_then(|rule| rule(value))
        {
            faults.add(words);
        }
    }

    fn check_members(
        &self,
        schema: &ObjectSchema,
        members: &mut [(String, JsonTree)],
        faults: &mut BodyFaults,
    ) {
        let mut seen = vec![false; schema.known.len()];
        for (name, value) in members {
            let known = schema.known.iter().position(|member| member.name == *name);
            let Some((member, seen)) =
                known.and_then(|known| Some((&schema.known[known], seen.get_mut(known)?)))
            else {
                if schema.is_closed {
                    faults.add_unknown(name, &names(&schema.known));
                }
                continue;
            };
            if std::mem::replace(seen, true) {
                faults.within(name, |faults| faults.add("is there twice"));
            } else {
                faults.within(name, |faults| self.check_value(member.schema, value, faults));
            }
        }
        for name in &schema.required {
            let is_there = |(member, seen): (&MemberSchema, &bool)| *seen && member.name == *name;
            if !schema.known.iter().zip(&seen).any(is_there) {
                faults.add(format!("lacks {name}"));
            }
        }
    }

    fn check_items(&self, schema: &ItemsSchema, items: &mut [JsonTree], faults: &mut BodyFaults) {
        let (least, most) = schema.count;
        let count = items.len();
        if count < least || most.is_some_and(|most| count > most) {
            faults.add(format!("must have {} items, and has {count}", range(least, most)));
        }
        let mut seen = BTreeSet::new();
        // Items beyond the last one that may be there have one fault together.
        for (index, item) in items.iter_mut().enumerate().take(most.unwrap_or(count)) {
            faults.within(index, |faults| {
                self.check_value(schema.schema, item, faults);
                let key = schema.unique_by.as_ref();
                if let Some((key, JsonTree::Text(text))) = key.and_then(|key| Some((key, item.member(key)?)))
                    && !seen.insert(text.as_str())
                {
                    faults.within(key, |faults| faults.add("is in the list already"));
                }
            });
        }
    }
}

fn names(known: &[MemberSchema]) -> String {
    if known.is_empty() {
        return "nothing is".to_owned();
    }
    let names: Vec<&str> = known.iter().map(|member| member.name.as_str()).collect();
    format!("there is {}", names.join(", "))
}

/// The types in words; that null is taken too need not be said.
fn wanted(types: &[String]) -> String {
    let names = types.iter().map(String::as_str).filter(|name| *name != "null");
    let words = names.map(|name| match name {
        "object" => "an object",
        "array" => "an array",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn range(least: impl std::fmt::Display, most: Option<impl std::fmt::Display>) -> String {
    match most {
        Some(most) => format!("{least} to {most}"),
        None => format!("at least {least}"),
    }
}

/// Says of a text or number which limit of the schema itself it breaks, if it does.
fn breaks(schema: &TypedSchema, value: &JsonTree) -> Option<String> {
    match value {
        JsonTree::Whole(number) => {
            let (least, most) = schema.bounds;
            let ok = (least..=most).contains(number);
            (!ok).then(|| format!("must be a whole number, {}", range(least, Some(most))))
        }
        JsonTree::Text(text) => {
            let length = text.chars().count();
            let (least, most) = schema.length;
            if length < least || most.is_some_and(|most| length > most) {
                let range = range(least, most);
                return Some(format!("must have {range} characters, and has {length}"));
            }
            match schema.format.as_deref()? {
                "uuid" => {
                    let ok = length == 36 && Uuid::try_parse(text).is_ok();
                    (!ok).then(|| "must be a UUID".to_owned())
                }
                "date-time" => broken(text.parse::<Timestamp>()),
                _ => None,
            }
        }
        _ => None,
    }
}

impl JsonTree {
    /// Makes `1.0` the whole number that it is (JSON Schema, section 4.2.3 of the core: numbers are equal by value).
    fn make_whole(&mut self) {
        if let Self::Number(number) = self
            && number.fract() == 0.0
        {
            // What has no place in 64 bits has been rounded, perhaps onto the border: it stays beyond every border.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "there is no fraction, and it saturates"
            )]
            let whole = match number.abs() < 9_223_372_036_854_775_808.0 {
                true => *number as i128,
                false if *number < 0.0 => i128::MIN,
                false => i128::MAX,
            };
            *self = Self::Whole(whole);
        }
    }

    /// True when it is of this type of JSON Schema.
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Null => name == "null",
            Self::Bool(_) => name == "boolean",
            Self::Whole(_) => name == "integer" || name == "number",
            Self::Number(_) => name == "number",
            Self::Text(_) => name == "string",
            Self::Array(_) => name == "array",
            Self::Object(_) => name == "object",
        }
    }

    /// Its type in words.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Whole(_) => "a whole number",
            Self::Number(_) => "a number with a fraction",
            Self::Text(_) => "text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::{SchemaGenerator, generate::SchemaSettings};
    use serde_json::Value;

    use super::{
        super::{
            rules::RULES,
            schema::{alternatives, types},
        },
        *,
    };
    use crate::http::api;

    /// The definitions that are neither objects nor one of some names, in the schemas of all bodies.
    fn values() -> BTreeMap<String, Value> {
        let mut schemas = SchemaGenerator::new(SchemaSettings::draft2020_12());
        for (schema, _) in api::endpoints()
            .into_iter()
            .filter_map(|endpoint| endpoint.doc.body)
        {
            schema(&mut schemas);
        }
        let definitions = schemas.take_definitions(true).into_iter();
        definitions
            .filter(|(_, schema)| {
                !types(schema).iter().any(|name| name == "object") && alternatives(schema).is_none()
            })
            .collect()
    }

    #[test]
    fn every_value_whose_schema_has_a_pattern_is_asked_for_its_rule() {
        let values = values();
        assert!(values.contains_key("Sku"), "{values:?}");
        for (name, schema) in values {
            let has_rule = RULES.contains_key(name.as_str());
            assert!(has_rule || schema.get("pattern").is_none(), "{name}: {schema}");
        }
    }

    #[test]
    fn whole_numbers_may_have_a_zero_fraction_and_keep_their_formats_range() {
        let schema = serde_json::json!({ "type": "integer", "format": "uint32", "minimum": 1 });
        let schema = BodySchema::read(&schema);
        for (text, ok) in [
            ("1.0", true),
            ("2e3", true),
            ("4294967295", true),
            ("1.5", false),
            ("0", false),
            ("4294967296", false),
            ("1e300", false),
            ("-1e300", false),
            ("99999999999999999999", false),
            ("\"1\"", false),
        ] {
            let mut faults = BodyFaults::default();
            let mut value: JsonTree = serde_json::from_str(text).unwrap();
            check(&schema, &mut value, Scope::All, &mut faults);
            assert_eq!(faults.count() == 0, ok, "{text}: {faults:?}");
            assert!(!ok || matches!(value, JsonTree::Whole(_)), "{text}: {value:?}");
        }
    }
}
