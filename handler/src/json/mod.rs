//! Reads JSON of others, and of stores, into our types: an object from an object and from nothing else.
//! Never knows what it reads: shapes and rules belong to the types.
//!
//! serde's own readers take an array for a struct, its items for the fields in their order. A field that says so is read by
//! [`strict`]: serde reads the members of flattened and tagged types before it knows what they are, and then takes arrays too.

mod tree;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;

pub use tree::{JsonError, JsonTree};

/// Reads bytes as a `T`.
///
/// # Errors
/// [`JsonError`] when they are not JSON, or not of `T`'s shape.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let tree: JsonTree = serde_json::from_slice(bytes).map_err(JsonError::custom)?;
    T::deserialize(tree)
}

/// Reads a value as a `T`.
///
/// # Errors
/// [`JsonError`] when it is not of `T`'s shape.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, JsonError> {
    T::deserialize(JsonTree::from(value))
}

/// A value that is read strictly, whatever reads what it is in.
#[derive(Debug)]
pub struct Strict<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict(deserializer).map(Self)
    }
}

/// Reads a field strictly, whatever reads what it is in: `#[serde(deserialize_with = "crate::json::strict")]`.
///
/// # Errors
/// Those of the deserializer, and [`JsonError`].
pub fn strict<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(JsonTree::deserialize(deserializer)?).map_err(D::Error::custom)
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

    #[derive(Debug, Deserialize, PartialEq)]
    struct Flattening {
        #[serde(flatten)]
        tagged: Tagged,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "kind")]
    enum Tagged {
        One {
            #[serde(deserialize_with = "strict")]
            inner: Inner,
        },
    }

    fn outer(json: &str) -> Option<Outer> {
        read(json.as_bytes()).ok()
    }

    #[test]
    fn an_object_is_never_read_from_an_array_at_any_depth() {
        let inner = || Inner { number: 1 };
        let whole = || Outer {
            inner: inner(),
            list: vec![1, 2],
            maybe: Some(inner()),
        };
        let good = json!({ "inner": { "number": 1 }, "list": [1, 2], "maybe": { "number": 1 } });
        assert_eq!(outer(&good.to_string()), Some(whole()));
        assert_eq!(from_value(good), Ok(whole()));
        for bad in [
            json!([{ "number": 1 }, [1, 2], null]),
            json!({ "inner": [1], "list": [] }),
            json!({ "inner": { "number": 1 }, "list": [], "maybe": [1] }),
        ] {
            assert_eq!(outer(&bad.to_string()), None, "{bad}");
            assert!(from_value::<Outer>(bad).is_err());
        }
        let twice = r#"{"inner":{"number":1,"number":2},"list":[]}"#;
        assert_eq!(outer(twice), None);
    }

    #[test]
    fn a_strict_field_of_a_flattened_type_is_read_from_an_object_only() {
        let inner = Inner { number: 1 };
        let read = |inner| from_value(json!({ "kind": "One", "inner": inner })).ok();
        let tagged = Tagged::One { inner };
        assert_eq!(read(json!({ "number": 1 })), Some(Flattening { tagged }));
        assert_eq!(read(json!([1])), None::<Flattening>);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_without_our_types_or_its_text() {
        let error = from_value::<Inner>(json!({ "number": "secret" })).unwrap_err();
        let words = error.to_string();
        assert!(!words.contains("i64") && !words.contains("secret"), "{words}");
    }
}
