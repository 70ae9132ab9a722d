//! Checks a body against the schema that the API publishes for it (as much of JSON Schema 2020-12 as our types use), and finds
//! all of its faults at once.
//! Never has a rule of its own: shapes are the schema's, and the rules of texts and numbers are their value types'.

use std::{borrow::Cow, collections::BTreeMap, collections::BTreeSet, sync::LazyLock};

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::access::Scope;
use super::faults::BodyFaults;
use crate::{
    bus::SubscriptionName,
    domain::{
        timestamp::Timestamp,
        value::{Currency, Email, InvalidValue, Name, Quantity, Reason, Sku},
    },
    json::JsonTree,
};

/// Among the schema's extensions: the member by which the items of a list differ.
pub(in crate::http) const UNIQUE_BY: &str = "x-unique-by";
/// Among the schema's extensions: a member that only customers may leave out, and the fault of staff who do.
pub(in crate::http) const REQUIRED_OF_STAFF: &str = "x-required-of-staff";
const REFERENCE: &str = "#/$defs/";

/// Says of a value which rule of its value type it breaks, if it does.
type ValueRule = fn(&JsonTree) -> Option<String>;

/// The value types whose rules a schema says in part only, by their schemas' names.
static RULES: LazyLock<BTreeMap<Cow<'static, str>, ValueRule>> = LazyLock::new(|| {
    [
        of_text::<Currency>(),
        of_text::<Email>(),
        of_text::<Name>(),
        of_text::<Reason>(),
        of_text::<Sku>(),
        of_text::<SubscriptionName>(),
        of_number::<Quantity>(),
    ]
    .into()
});

fn of_text<T: JsonSchema + TryFrom<String, Error = InvalidValue>>() -> (Cow<'static, str>, ValueRule) {
    (T::schema_name(), |value| match value {
        JsonTree::Text(text) => broken(T::try_from(text.clone())),
        _ => None,
    })
}

fn of_number<T: JsonSchema + TryFrom<i64, Error = InvalidValue>>() -> (Cow<'static, str>, ValueRule) {
    (T::schema_name(), |value| match value {
        // What is beyond every number of ours is so far beyond that it breaks the same rule.
        JsonTree::Whole(number) => broken(T::try_from(i64::try_from(*number).unwrap_or(i64::MAX))),
        _ => None,
    })
}

fn broken<T>(made: Result<T, InvalidValue>) -> Option<String> {
    made.err().map(|rule| rule.to_string())
}

/// The schema of a body, with the definitions that it refers to.
#[derive(Debug)]
pub(super) struct BodySchema {
    root: Value,
}

impl BodySchema {
    /// The shape of a type.
    pub(super) fn for_type<T: JsonSchema>() -> Self {
        let schemas = SchemaGenerator::new(SchemaSettings::draft2020_12());
        Self {
            root: schemas.into_root_schema_for::<T>().to_value(),
        }
    }

    /// Adds to `faults` all that is wrong with `body`; whole numbers that are written with a fraction of zeros are made what
    /// they are.
    pub(super) fn check(&self, body: &mut JsonTree, scope: Scope, faults: &mut BodyFaults) {
        self.check_value(&self.root, body, faults);
        if scope == Scope::All {
            self.check_required_of_staff(body, faults);
        }
    }

    fn check_required_of_staff(&self, body: &JsonTree, faults: &mut BodyFaults) {
        let JsonTree::Object(_) = body else { return };
        for (name, schema) in self.root["properties"].as_object().into_iter().flatten() {
            let is_absent = matches!(body.member(name), None | Some(JsonTree::Null));
            if let (true, Some(words)) = (is_absent, schema[REQUIRED_OF_STAFF].as_str()) {
                faults.within(name, |faults| faults.add(words));
            }
        }
    }

    fn check_value(&self, schema: &Value, value: &mut JsonTree, faults: &mut BodyFaults) {
        let mut rule = None;
        let mut schema = schema;
        while let Some(name) = referred(schema) {
            rule = RULES.get(name);
            let Some(definition) = self.root["$defs"].get(name) else {
                return;
            };
            schema = definition;
        }
        if let Some(alternatives) = alternatives(schema) {
            let names = constants(schema);
            if names.is_empty() {
                self.check_one_of(alternatives, value, faults);
            } else if !names
                .iter()
                .any(|name| matches!(value, JsonTree::Text(text) if text == name))
            {
                faults.add(format!("must be one of {}", names.join(", ")));
            }
            return;
        }
        let types = types(schema);
        if types.contains(&"integer") {
            value.make_whole();
        }
        if !types.is_empty() && !types.iter().any(|name| value.is(name)) {
            faults.add(format!("must be {}, and is {}", wanted(&types), value.kind()));
            return;
        }
        let before = faults.count();
        match value {
            JsonTree::Object(members) => self.check_members(schema, members, faults),
            JsonTree::Array(items) => self.check_items(schema, items, faults),
            JsonTree::Text(_) | JsonTree::Whole(_) | JsonTree::Number(_) => {
                let broken = rule.map_or_else(|| breaks(schema, value), |rule| rule(value));
                broken.into_iter().for_each(|words| faults.add(words));
                return;
            }
            JsonTree::Null | JsonTree::Bool(_) => return,
        }
        if let Some(words) = rule
            .filter(|_| faults.count() == before)
            .and_then(|rule| rule(value))
        {
            faults.add(words);
        }
    }

    /// Something, or null.
    fn check_one_of(&self, alternatives: &[Value], value: &mut JsonTree, faults: &mut BodyFaults) {
        let is_null = |schema: &&Value| types(schema) == ["null"];
        if *value == JsonTree::Null && alternatives.iter().any(|schema| is_null(&schema)) {
            return;
        }
        if let Some(schema) = alternatives.iter().find(|schema| !is_null(schema)) {
            self.check_value(schema, value, faults);
        }
    }

    fn check_members(&self, schema: &Value, members: &mut [(String, JsonTree)], faults: &mut BodyFaults) {
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        let closed = schema["additionalProperties"] == false;
        let mut seen = BTreeSet::new();
        for (name, value) in members.iter_mut() {
            let Some(schema) = known.get(name) else {
                if closed {
                    faults.add_unknown(name, &names(known));
                }
                continue;
            };
            faults.within(name, |faults| {
                if seen.insert(name.as_str()) {
                    self.check_value(schema, value, faults);
                } else {
                    faults.add("is there twice");
                }
            });
        }
        let needed = schema["required"].as_array().into_iter().flatten();
        for name in needed
            .filter_map(Value::as_str)
            .filter(|name| !seen.contains(name))
        {
            faults.add(format!("lacks {name}"));
        }
    }

    fn check_items(&self, schema: &Value, items: &mut [JsonTree], faults: &mut BodyFaults) {
        let most = schema["maxItems"].as_u64();
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if count < least || most.is_some_and(|most| count > most) {
            faults.add(format!("must have {} items, and has {count}", range(least, most)));
        }
        // Items beyond the last one that may be there have one fault together.
        let checked = most.map_or(items.len(), |most| usize::try_from(most).unwrap_or(usize::MAX));
        let key = schema[UNIQUE_BY].as_str();
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter_mut().enumerate().take(checked) {
            faults.within(&index.to_string(), |faults| {
                self.check_value(&schema["items"], item, faults);
                if let Some((key, JsonTree::Text(text))) = key.and_then(|key| Some((key, item.member(key)?)))
                    && !seen.insert(text.clone())
                {
                    faults.within(key, |faults| faults.add("is in the list already"));
                }
            });
        }
    }
}

/// The name of the definition that a schema refers to.
fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(REFERENCE)
}

fn alternatives(schema: &Value) -> Option<&[Value]> {
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    match alternatives.or_else(|| schema.get("enum"))? {
        Value::Array(alternatives) => Some(alternatives),
        _ => None,
    }
}

/// The texts of which one must be there, however the schema says it.
fn constants(schema: &Value) -> Vec<&str> {
    let of = |name: &str| schema[name].as_array().into_iter().flatten();
    let listed = of("enum").filter_map(Value::as_str);
    let each = of("oneOf").filter_map(|one| one["const"].as_str());
    listed.chain(each).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn names(known: &Map<String, Value>) -> String {
    if known.is_empty() {
        return "nothing is".to_owned();
    }
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    format!("there is {}", names.join(", "))
}

/// The types in words; that null is taken too need not be said.
fn wanted(types: &[&str]) -> String {
    let word = |name: &&&str| **name != "null";
    let words = types.iter().filter(word).map(|name| match *name {
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
fn breaks(schema: &Value, value: &JsonTree) -> Option<String> {
    match value {
        JsonTree::Whole(number) => {
            let (least, most) = bounds(schema);
            let ok = (least..=most).contains(number);
            (!ok).then(|| format!("must be a whole number, {}", range(least, Some(most))))
        }
        JsonTree::Text(text) => {
            let length = text.chars().count();
            let bound = |name: &str| {
                schema[name]
                    .as_u64()
                    .and_then(|bound| usize::try_from(bound).ok())
            };
            let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength"));
            if length < least || most.is_some_and(|most| length > most) {
                return Some(format!(
                    "must have {} characters, and has {length}",
                    range(least, most)
                ));
            }
            match schema["format"].as_str()? {
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

/// The smallest and the largest whole number: those of the format, where the schema says nothing closer.
fn bounds(schema: &Value) -> (i128, i128) {
    let (least, most) = match schema["format"].as_str() {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        // What is published is an `int64` that is never negative.
        Some("uint64" | "uint") => (0, i64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    let said = |name: &str| schema[name].as_i64().map(i128::from);
    (
        said("minimum").unwrap_or(least).max(least),
        said("maximum").unwrap_or(most).min(most),
    )
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
    use super::*;
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
            .filter(|(_, schema)| !types(schema).contains(&"object") && alternatives(schema).is_none())
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
        let shape = BodySchema { root: schema };
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
            shape.check(&mut value, Scope::All, &mut faults);
            assert_eq!(faults.count() == 0, ok, "{text}: {faults:?}");
            assert!(!ok || matches!(value, JsonTree::Whole(_)), "{text}: {value:?}");
        }
    }
}
