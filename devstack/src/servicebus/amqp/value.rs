//! One AMQP value as the emulator holds it, with the look-ups it needs.
//! Never touches bytes: `decode` and `encode` do.

use bytes::Bytes;
use uuid::Uuid;

/// An AMQP 1.0 value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Timestamp(i64),
    Uuid(Uuid),
    Binary(Bytes),
    String(String),
    Symbol(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// The elements, and the bytes they came from (or go out as) with their constructor.
    Array(Vec<Value>, Bytes),
    /// Floats, decimals and characters: carried, never looked at.
    Opaque(Bytes),
    Described(Box<(Value, Value)>),
}

impl Value {
    /// A described list with a numeric descriptor, as performatives, outcomes and errors are.
    pub(crate) fn composite(code: u64, fields: Vec<Self>) -> Self {
        Self::Described(Box::new((Self::Ulong(code), Self::List(fields))))
    }

    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn symbol(text: impl Into<String>) -> Self {
        Self::Symbol(text.into())
    }

    /// An array of symbols of at most 255 bytes each.
    pub(crate) fn symbols(texts: &[&str]) -> Self {
        let mut raw = vec![0xb3];
        for text in texts {
            raw.extend((text.len() as u32).to_be_bytes());
            raw.extend(text.as_bytes());
        }
        Self::Array(texts.iter().map(|text| Self::symbol(*text)).collect(), raw.into())
    }

    /// An array of timestamps in Unix milliseconds.
    pub(crate) fn timestamps(times: &[i64]) -> Self {
        let mut raw = vec![0x83];
        raw.extend(times.iter().flat_map(|time| time.to_be_bytes()));
        Self::Array(
            times.iter().map(|time| Self::Timestamp(*time)).collect(),
            raw.into(),
        )
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn flag(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// Any integer that is not negative.
    pub(crate) fn number(&self) -> Option<u64> {
        match *self {
            Self::Ubyte(number) => Some(number.into()),
            Self::Ushort(number) => Some(number.into()),
            Self::Uint(number) => Some(number.into()),
            Self::Ulong(number) => Some(number),
            Self::Byte(number) => number.try_into().ok(),
            Self::Short(number) => number.try_into().ok(),
            Self::Int(number) => number.try_into().ok(),
            Self::Long(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// Any integer.
    pub(crate) fn integer(&self) -> Option<i128> {
        match *self {
            Self::Byte(number) => Some(number.into()),
            Self::Short(number) => Some(number.into()),
            Self::Int(number) => Some(number.into()),
            Self::Long(number) => Some(number.into()),
            _ => self.number().map(i128::from),
        }
    }

    /// Any number, as far as a double holds it; decimals are not looked into.
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Opaque(raw) => match *raw.as_ref() {
                [0x72, a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
                [0x82, ref rest @ ..] => Some(f64::from_be_bytes(rest.try_into().ok()?)),
                _ => None,
            },
            _ => self.integer().map(|number| number as f64),
        }
    }

    /// A double.
    pub(crate) fn double(number: f64) -> Self {
        let mut raw = vec![0x82];
        raw.extend(number.to_be_bytes());
        Self::Opaque(raw.into())
    }

    /// An integer of 32 bits that is not negative.
    pub(crate) fn small(&self) -> Option<u32> {
        self.number().and_then(|number| number.try_into().ok())
    }

    pub(crate) fn map(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// The elements of a list or an array.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Array(items, _) => Some(items),
            _ => None,
        }
    }

    /// The value under a string or symbol key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let pair = self.map()?.iter().find(|(name, _)| name.text() == Some(key))?;
        Some(&pair.1)
    }

    /// The descriptor code and the fields of a described list.
    pub(crate) fn fields(&self) -> Option<(u64, &[Self])> {
        match self {
            Self::Described(pair) => Some((descriptor(&pair.0)?, pair.1.items()?)),
            _ => None,
        }
    }

    /// A field of a described list; null where the list ends early or is no list.
    pub(crate) fn field(&self, index: usize) -> &Self {
        self.fields()
            .and_then(|(_, fields)| fields.get(index))
            .unwrap_or(&Self::Null)
    }
}

/// The code a descriptor stands for; symbolic descriptors are known for outcomes and sections only.
pub(crate) fn descriptor(value: &Value) -> Option<u64> {
    match value {
        Value::Ulong(code) => Some(*code),
        Value::Symbol(name) => Some(match name.as_str() {
            "amqp:received:list" => 0x23,
            "amqp:accepted:list" => 0x24,
            "amqp:rejected:list" => 0x25,
            "amqp:released:list" => 0x26,
            "amqp:modified:list" => 0x27,
            "amqp:source:list" => 0x28,
            "amqp:target:list" => 0x29,
            "amqp:coordinator:list" => 0x30,
            _ => return None,
        }),
        _ => None,
    }
}
