//! The schema of a body, as it is checked: read once out of the one that the API publishes (as much of JSON Schema 2020-12 as
//! our types use), so that no request reads it again.
//! Never checks a body, and never adds a rule of its own: the rules of texts and numbers are their value types'.

use std::collections::HashMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::rules::{RULES, ValueRule};

/// Among the schema's extensions: the member by which the items of a list differ.
const UNIQUE_BY: &str = "x-unique-by";
/// Among the schema's extensions: a member that only customers may leave out, and the fault of staff who do.
const REQUIRED_OF_STAFF: &str = "x-required-of-staff";
const REFERENCE: &str = "#/$defs/";

/// The schema of a body, with the definitions that it refers to.
#[derive(Debug)]
pub(super) struct BodySchema {
    values: Vec<ValueSchema>,
    root: SchemaIndex,
}

/// A schema's place among those of its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaIndex(usize);

/// The schema of a value.
#[derive(Debug)]
pub(super) enum ValueSchema {
    /// Anything.
    Any,
    /// One of these texts.
    OneOf(Vec<String>),
    /// A value of another schema, or null where that is said.
    Other { schema: SchemaIndex, or_null: bool },
    /// A value of some types.
    Typed(Box<TypedSchema>),
}

/// The schema of a value whose types are known.
#[derive(Debug)]
pub(super) struct TypedSchema {
    /// Names of JSON Schema's types; any, where there are none.
    pub(super) types: Vec<String>,
    /// The rule of the value type.
    pub(super) rule: Option<ValueRule>,
    /// The smallest and the largest whole number.
    pub(super) bounds: (i128, i128),
    /// Fewest and most characters.
    pub(super) length: (usize, Option<usize>),
    pub(super) format: Option<String>,
    pub(super) object: ObjectSchema,
    pub(super) items: ItemsSchema,
}

/// The members of an object.
#[derive(Debug)]
pub(super) struct ObjectSchema {
    pub(super) known: Vec<MemberSchema>,
    pub(super) required: Vec<String>,
    /// No other member may be there.
    pub(super) is_closed: bool,
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct MemberSchema {
    pub(super) name: String,
    pub(super) schema: SchemaIndex,
    /// The fault of staff who leave it out.
    pub(super) required_of_staff: Option<String>,
}

/// The items of an array.
#[derive(Debug)]
pub(super) struct ItemsSchema {
    pub(super) schema: SchemaIndex,
    pub(super) count: (usize, Option<usize>),
    pub(super) unique_by: Option<String>,
}

impl BodySchema {
    /// The schema of a type.
    pub(super) fn for_type<T: JsonSchema>() -> Self {
        let schemas = SchemaGenerator::new(SchemaSettings::draft2020_12());
        Self::read(&schemas.into_root_schema_for::<T>().to_value())
    }

    /// The schema that is written so.
    pub(super) fn read(root: &Value) -> Self {
        let mut reader = SchemaReader {
            root,
            values: Vec::new(),
            definitions: HashMap::new(),
        };
        let index = reader.read(root);
        Self {
            values: reader.values,
            root: index,
        }
    }

    /// The schema of the body itself.
    pub(super) fn root(&self) -> SchemaIndex {
        self.root
    }

    /// The schema at this place.
    pub(super) fn at(&self, index: SchemaIndex) -> &ValueSchema {
        self.values.get(index.0).unwrap_or(&ValueSchema::Any)
    }
}

/// Reads a schema and those that it refers to, each once: one may refer to itself.
struct SchemaReader<'a> {
    root: &'a Value,
    values: Vec<ValueSchema>,
    definitions: HashMap<&'a str, SchemaIndex>,
}

impl<'a> SchemaReader<'a> {
    fn read(&mut self, schema: &'a Value) -> SchemaIndex {
        if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix(REFERENCE)) {
            return self.read_definition(name);
        }
        let index = self.reserve();
        self.values[index.0] = self.value(schema, None);
        index
    }

    fn reserve(&mut self) -> SchemaIndex {
        self.values.push(ValueSchema::Any);
        SchemaIndex(self.values.len() - 1)
    }

    fn read_definition(&mut self, name: &'a str) -> SchemaIndex {
        if let Some(known) = self.definitions.get(name) {
            return *known;
        }
        let index = self.reserve();
        self.definitions.insert(name, index);
        let root = self.root;
        if let Some(schema) = root["$defs"].get(name) {
            self.values[index.0] = match schema.get("$ref") {
                Some(_) => ValueSchema::Other {
                    schema: self.read(schema),
                    or_null: false,
                },
                None => self.value(schema, RULES.get(name).copied()),
            };
        }
        index
    }

    fn value(&mut self, schema: &'a Value, rule: Option<ValueRule>) -> ValueSchema {
        let Some(alternatives) = alternatives(schema) else {
            return ValueSchema::Typed(Box::new(self.typed(schema, rule)));
        };
        let names = constants(schema);
        if !names.is_empty() {
            return ValueSchema::OneOf(names);
        }
        let is_null = |schema: &Value| schema["type"] == "null";
        match alternatives.iter().find(|schema| !is_null(schema)) {
            Some(other) => ValueSchema::Other {
                schema: self.read(other),
                or_null: alternatives.iter().any(is_null),
            },
            None => ValueSchema::Any,
        }
    }

    fn typed(&mut self, schema: &'a Value, rule: Option<ValueRule>) -> TypedSchema {
        TypedSchema {
            types: types(schema),
            rule,
            bounds: bounds(schema),
            length: (size(schema, "minLength").unwrap_or(0), size(schema, "maxLength")),
            format: text(schema, "format"),
            object: self.object(schema),
            items: ItemsSchema {
                schema: match schema.get("items") {
                    Some(items) => self.read(items),
                    None => self.reserve(),
                },
                count: (size(schema, "minItems").unwrap_or(0), size(schema, "maxItems")),
                unique_by: text(schema, UNIQUE_BY),
            },
        }
    }

    fn object(&mut self, schema: &'a Value) -> ObjectSchema {
        let members = schema["properties"].as_object();
        let known = members.into_iter().flat_map(Map::iter);
        let required = schema["required"].as_array().into_iter().flatten();
        ObjectSchema {
            known: known
                .map(|(name, member)| MemberSchema {
                    name: name.clone(),
                    schema: self.read(member),
                    required_of_staff: text(member, REQUIRED_OF_STAFF),
                })
                .collect(),
            required: required
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            is_closed: schema["additionalProperties"] == false,
        }
    }
}

pub(super) fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    alternatives.or_else(|| schema.get("enum"))?.as_array()
}

/// The texts of which one must be there, however the schema says it.
fn constants(schema: &Value) -> Vec<String> {
    let of = |name: &str| schema[name].as_array().into_iter().flatten();
    let listed = of("enum").filter_map(Value::as_str);
    let each = of("oneOf").filter_map(|one| one["const"].as_str());
    listed.chain(each).map(str::to_owned).collect()
}

pub(super) fn types(schema: &Value) -> Vec<String> {
    match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names
            .iter()
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

fn text(schema: &Value, name: &str) -> Option<String> {
    schema[name].as_str().map(str::to_owned)
}

fn size(schema: &Value, name: &str) -> Option<usize> {
    let size = schema[name].as_u64()?;
    Some(usize::try_from(size).unwrap_or(usize::MAX))
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
