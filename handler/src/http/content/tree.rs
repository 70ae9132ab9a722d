//! JSON as it was sent, and what a Rust type makes of it: an object is read from an object and from nothing else.
//! Never takes an array for an object, as serde's own readers do, and never forgets a member that is there twice.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

/// A JSON value, with an object's members in their order.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) enum Tree {
    Null,
    Bool(bool),
    /// A number without a fraction that fits.
    Whole(i128),
    /// Any other number.
    Number(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Why a tree is not what a type is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Unfit(Cow<'static, str>);

/// Reads `bytes` as a `T` whose objects are objects.
pub(in crate::http) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let tree: Tree = serde_json::from_slice(bytes).ok()?;
    T::deserialize(tree).ok()
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// The words of a value's own rule are told; what serde would say of Rust types and of the input is not.
impl de::Error for Unfit {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self(words.to_string().into())
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self("is of a type that is not taken here".into())
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self("is a value that is not taken here".into())
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self("is of a length that is not taken here".into())
    }

    fn unknown_variant(_: &str, names: &'static [&'static str]) -> Self {
        Self(format!("must be one of {}", names.join(", ")).into())
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self("has a member that is not known here".into())
    }

    fn missing_field(name: &'static str) -> Self {
        Self(format!("lacks {name}").into())
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self(format!("has {name} twice").into())
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planter)
    }
}

/// Makes a tree of whatever comes.
struct Planter;

impl<'de> Visitor<'de> for Planter {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Whole(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Tree::Object(all))
    }
}

impl<'de> IntoDeserializer<'de, Unfit> for Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Whole(value) => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (_, Ok(value)) => visitor.visit_u64(value),
                _ => visitor.visit_i128(value),
            },
            Self::Number(value) => visitor.visit_f64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end().map(|()| value)
            }
            Self::Object(members) => {
                let mut members = MapDeserializer::new(members.into_iter());
                let value = visitor.visit_map(&mut members)?;
                members.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            _ => Err(Unfit("must be an object".into())),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match self {
            Self::Text(text) => {
                let variant: de::value::StringDeserializer<Unfit> = text.into_deserializer();
                variant.deserialize_enum(name, names, visitor)
            }
            _ => Err(de::Error::unknown_variant("", names)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        inner: Inner,
        list: Vec<u8>,
        maybe: Option<Inner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        number: i64,
    }

    fn outer(json: &str) -> Option<Outer> {
        read(json.as_bytes())
    }

    #[test]
    fn an_object_is_never_read_from_an_array_at_any_depth() {
        let inner = || Inner { number: 1 };
        let whole = Outer {
            inner: inner(),
            list: vec![1, 2],
            maybe: Some(inner()),
        };
        let good = json!({ "inner": { "number": 1 }, "list": [1, 2], "maybe": { "number": 1 } });
        assert_eq!(outer(&good.to_string()), Some(whole));
        for bad in [
            json!([{ "number": 1 }, [1, 2], null]),
            json!({ "inner": [1], "list": [] }),
            json!({ "inner": { "number": 1 }, "list": [], "maybe": [1] }),
        ] {
            assert_eq!(outer(&bad.to_string()), None, "{bad}");
        }
        let twice = r#"{"inner":{"number":1,"number":2},"list":[]}"#;
        assert_eq!(outer(twice), None);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_without_our_types_or_its_text() {
        let tree: Tree = serde_json::from_value(json!({ "number": "secret" })).unwrap();
        let words = Inner::deserialize(tree).unwrap_err().to_string();
        assert!(!words.contains("i64") && !words.contains("secret"), "{words}");
    }
}
