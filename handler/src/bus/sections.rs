//! The sections of an encoded message, one by one: for a message that does not decode as a whole, and to show one whole.
//! Never fails on what is written in a section: it is then shown as it came.

use fe2o3_amqp::types::{
    messaging::{Body, Message, message::DecodeIntoMessage},
    primitives::Value,
};
use serde_amqp::{lazy::LazyValue, read::SliceReader};
use serde_json::{Map, Value as Json};

use super::value_json::{base64, json_of};

/// The names of sections by their descriptors, in the order in which they come (AMQP 1.0 §3.2).
const NAMES: [(u64, &str); 9] = [
    (0x70, "header"),
    (0x71, "deliveryAnnotations"),
    (0x72, "messageAnnotations"),
    (0x73, "properties"),
    (0x74, "applicationProperties"),
    (0x75, "data"),
    (0x76, "sequence"),
    (0x77, "value"),
    (0x78, "footer"),
];

/// A section that is not what its kind must be.
#[derive(Debug, Clone)]
pub(super) struct UnreadableSection {
    /// A name of [`NAMES`].
    name: &'static str,
    why: String,
    bytes: Vec<u8>,
    /// Its content, where that can be told.
    content: Option<Value>,
}

impl UnreadableSection {
    fn new(name: &'static str, why: String, bytes: Vec<u8>) -> Self {
        let content = content(&bytes);
        Self {
            name,
            why,
            bytes,
            content,
        }
    }

    /// The first field of a list, such as the message's id among its properties.
    pub(super) fn first(&self, section: &str) -> Option<&Value> {
        match &self.content {
            Some(Value::List(fields)) if self.name == section => fields.first(),
            _ => None,
        }
    }

    /// `its applicationProperties cannot be read: …`.
    pub(super) fn words(&self) -> String {
        format!("its {} cannot be read: {}", self.name, self.why)
    }

    /// A value of a map, under a name that may be a symbol or a text.
    pub(super) fn field(&self, section: &str, name: &str) -> Option<&Value> {
        let Some(Value::Map(pairs)) = self.content.as_ref().filter(|_| self.name == section) else {
            return None;
        };
        let is_named = |key: &Value| match key {
            Value::Symbol(key) => key.as_str() == name,
            Value::String(key) => key == name,
            _ => false,
        };
        pairs
            .iter()
            .find(|(key, _)| is_named(key))
            .map(|(_, value)| value)
    }

    fn shown(&self) -> Json {
        let content = self.content.as_ref();
        content.map_or_else(|| base64(&self.bytes), json_of)
    }
}

/// A message of those sections that can be read, and the others.
pub(super) fn piecewise(bytes: &[u8]) -> (Message<Body<Value>>, Vec<UnreadableSection>) {
    let (mut good, mut unread) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (section, why) = match LazyValue::from_reader(&mut SliceReader::new(rest)) {
            Ok(section) => {
                let section = section.into_bytes();
                let why = whole(&section).err().map(|error| error.to_string());
                (section.to_vec(), why)
            }
            Err(error) => (rest.to_vec(), Some(error.to_string())),
        };
        rest = rest.get(section.len()..).unwrap_or_default();
        match why {
            None => good.extend(section),
            Some(why) => unread.push(UnreadableSection::new(name(&section), why, section)),
        }
    }
    let message = whole(&good).unwrap_or_else(|error| {
        // Each can be read by itself, and they do not go together, such as two of one kind.
        unread.push(UnreadableSection::new("message", error.to_string(), good));
        Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: None,
            application_properties: None,
            body: Body::Empty,
            footer: None,
        }
    });
    (message, unread)
}

/// Reads an encoded message, or sections of one.
pub(super) fn whole(bytes: &[u8]) -> Result<Message<Body<Value>>, serde_amqp::Error> {
    Body::<Value>::decode_message_from_reader(SliceReader::new(bytes))
}

/// All sections but the body, as a person reads them.
pub(super) fn shown(message: &Message<Body<Value>>, unread: &[UnreadableSection]) -> Map<String, Json> {
    let sections = [
        ("header", encoded(message.header.as_ref())),
        (
            "deliveryAnnotations",
            encoded(message.delivery_annotations.as_ref()),
        ),
        (
            "messageAnnotations",
            encoded(message.message_annotations.as_ref()),
        ),
        ("properties", encoded(message.properties.as_ref())),
        (
            "applicationProperties",
            encoded(message.application_properties.as_ref()),
        ),
        ("footer", encoded(message.footer.as_ref())),
    ];
    let mut shown: Map<String, Json> = sections
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, bytes?)))
        .map(|(name, bytes)| (name.to_owned(), section(name, &bytes)))
        .collect();
    for part in unread {
        shown.insert(part.name.to_owned(), part.shown());
    }
    shown
}

fn encoded<T: serde::Serialize>(section: Option<&T>) -> Option<Vec<u8>> {
    serde_amqp::to_vec(section?).ok()
}

/// A section by the names of its fields, where it is a list of them.
fn section(name: &str, bytes: &[u8]) -> Json {
    let fields: &[&str] = match name {
        "header" => &["durable", "priority", "ttl", "first-acquirer", "delivery-count"],
        "properties" => &[
            "message-id",
            "user-id",
            "to",
            "subject",
            "reply-to",
            "correlation-id",
            "content-type",
            "content-encoding",
            "absolute-expiry-time",
            "creation-time",
            "group-id",
            "group-sequence",
            "reply-to-group-id",
        ],
        _ => &[],
    };
    match content(bytes) {
        Some(Value::List(values)) if values.len() <= fields.len() => fields
            .iter()
            .zip(&values)
            .filter(|(_, value)| **value != Value::Null)
            .map(|(name, value)| ((*name).to_owned(), json_of(value)))
            .collect::<Map<_, _>>()
            .into(),
        Some(value) => json_of(&value),
        None => base64(bytes),
    }
}

/// The content of a section.
fn content(bytes: &[u8]) -> Option<Value> {
    match serde_amqp::from_slice(bytes).ok()? {
        Value::Described(section) => Some(section.value),
        _ => None,
    }
}

fn name(section: &[u8]) -> &'static str {
    // A descriptor is a small number here, in one byte or in eight.
    let code = match section {
        [0, 0x53, code, ..] => Some(u64::from(*code)),
        [0, 0x80, code @ ..] => code.first_chunk().map(|code| u64::from_be_bytes(*code)),
        _ => None,
    };
    NAMES
        .iter()
        .find(|(known, _)| Some(*known) == code)
        .map_or("unknown section", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A section of this code with an encoded content.
    fn section_of(code: u8, content: &[u8]) -> Vec<u8> {
        [&[0, 0x53, code], content].concat()
    }

    fn text(text: &str) -> Vec<u8> {
        [&[0xa1, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    }

    /// A map of one pair.
    fn pair(key: &[u8], value: &[u8]) -> Vec<u8> {
        let size = u8::try_from(key.len() + value.len() + 1).unwrap();
        [&[0xc1, size, 2], key, value].concat()
    }

    const SEQUENCE: [u8; 2] = [0x55, 7];

    fn message(properties: &[u8], application: &[u8]) -> Vec<u8> {
        let key = [&[0xa3, 21][..], b"x-opt-sequence-number"].concat();
        [
            section_of(0x72, &pair(&key, &SEQUENCE)),
            section_of(0x73, properties),
            section_of(0x74, application),
            section_of(0x75, &[0xa0, 2, b'h', b'i']),
        ]
        .concat()
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_of_the_message_is_there() {
        let list = |content: &[u8]| [&[0xc0, u8::try_from(content.len() + 1).unwrap(), 1], content].concat();
        let id = list(&text("m-1"));
        let named = |value: &[u8]| pair(&text("tags"), value);
        for (properties, application, broken) in [
            (id.clone(), named(&list(&text("a"))), "applicationProperties"),
            (
                id.clone(),
                named(&pair(&text("a"), &text("b"))),
                "applicationProperties",
            ),
            (id.clone(), pair(&[0x54, 1], &text("b")), "applicationProperties"),
            (id.clone(), named(&[0xa1, 2, 0xff, 0xfe]), "applicationProperties"),
            (list(&list(&text("m-1"))), named(&text("b")), "properties"),
            (text("m-1"), named(&text("b")), "properties"),
        ] {
            let bytes = message(&properties, &application);
            assert!(whole(&bytes).is_err(), "{broken}");
            let (message, unread) = piecewise(&bytes);
            assert_eq!(unread.len(), 1, "{unread:?}");
            assert!(
                unread[0]
                    .words()
                    .starts_with(&format!("its {broken} cannot be read: "))
            );
            assert!(matches!(&message.body, Body::Data(sections) if sections.len() == 1));
            assert!(message.message_annotations.is_some());
            assert_eq!(message.properties.is_some(), broken != "properties");
            let shown = shown(&message, &unread);
            assert!(shown.contains_key(broken), "{shown:?}");
        }
        let rubbish = [&message(&id, &named(&text("b")))[..], &[0xa1, 200]].concat();
        let (message, unread) = piecewise(&rubbish);
        assert_eq!((unread.len(), unread[0].name), (1, "unknown section"));
        assert!(message.application_properties.is_some());
    }

    #[test]
    fn annotations_that_cannot_be_read_still_say_the_sequence_number() {
        let key = text("x-opt-sequence-number");
        let bytes = section_of(0x72, &pair(&key, &SEQUENCE));
        let (_, unread) = piecewise(&bytes);
        let found = unread
            .iter()
            .find_map(|part| part.field("messageAnnotations", "x-opt-sequence-number"));
        assert_eq!(found, Some(&Value::Long(7)));
    }

    #[test]
    fn every_section_is_shown_by_the_names_of_its_fields() {
        let properties = [&[0xc0, 6, 1][..], &text("m-1")[..]].concat();
        let bytes = message(&properties, &pair(&text("tenant"), &text("t")));
        let shown = shown(&whole(&bytes).unwrap(), &[]);
        let wanted = json!({
            "messageAnnotations": { "x-opt-sequence-number": 7 },
            "properties": { "message-id": "m-1" },
            "applicationProperties": { "tenant": "t" },
        });
        assert_eq!(Json::Object(shown), wanted);
    }
}
