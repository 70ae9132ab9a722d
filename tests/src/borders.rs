//! Texts and numbers at the borders of what the API's description allows: the description and the handler agree on each.
//! Never knows a rule by itself: lengths, limits and patterns are read from docs/openapi.json.

use std::fs;

use devstack::app_folder::workspace_root;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::App;

/// Texts that look empty, and some that only seem to be odd.
const ODD: [&str; 12] = [
    "",
    " ",
    "\u{feff}",
    "\u{200b}",
    "\u{3164}",
    "\u{ffa0}",
    "\u{2060}\u{ad}",
    "\u{a0}\u{3000}",
    "a\u{200b}b",
    "\u{7}",
    "茶碗",
    "🫖",
];

fn description() -> Value {
    let text = fs::read_to_string(workspace_root().join("docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The definition a schema refers to, or the schema; of something or null, the something.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).expect("it is defined"),
        None => schema,
    }
}

/// The places of a body that hold a text or a whole number, with their schemas.
fn leaves<'a>(document: &'a Value, schema: &'a Value, at: &str, into: &mut Vec<(String, &'a Value)>) {
    let schema = resolved(document, schema);
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            leaves(document, schema, &format!("{at}/{name}"), into);
        }
    } else if schema["items"].is_object() {
        leaves(document, &schema["items"], &format!("{at}/0"), into);
    } else {
        into.push((at.to_owned(), schema));
    }
}

/// Texts of the least and the greatest length, and of one more or less, in characters of one to four bytes.
fn texts(schema: &Value) -> Vec<String> {
    let bound = |name: &str| {
        schema[name]
            .as_u64()
            .and_then(|bound| usize::try_from(bound).ok())
    };
    let mut texts: Vec<String> = ODD.map(str::to_owned).into();
    for length in [bound("minLength").unwrap_or(1), bound("maxLength").unwrap_or(10)] {
        for length in [length.saturating_sub(1), length, length + 1] {
            texts.extend(["a", "A", "ß", "茶", "🫖"].map(|character| character.repeat(length)));
            texts.push(format!("a@{}", "b".repeat(length.saturating_sub(2))));
        }
    }
    texts
}

fn allows_text(schema: &Value, text: &str) -> bool {
    let length = text.chars().count() as u64;
    let within = schema["minLength"].as_u64().is_none_or(|least| length >= least)
        && schema["maxLength"].as_u64().is_none_or(|most| length <= most);
    let matches = |pattern: &str| Regex::new(pattern).unwrap().is_match(text);
    within && schema["pattern"].as_str().is_none_or(matches)
}

/// Values for a place, and whether the description allows each.
fn values(schema: &Value) -> Vec<(Value, bool)> {
    let is = |name: &str| schema["type"] == name || schema["type"][0] == name;
    if is("string") && schema.get("format").is_none() && schema.get("enum").is_none() {
        return texts(schema)
            .into_iter()
            .map(|text| (json!(text), allows_text(schema, &text)))
            .collect();
    }
    if is("integer") {
        let least = schema["minimum"].as_i64().unwrap_or(0);
        let most = schema["maximum"].as_i64().unwrap_or(1_000);
        let whole = [least - 1, least, most, most + 1]
            .map(|number| (json!(number), (least..=most).contains(&number)));
        let written = [
            (json!(least as f64), true),
            (json!(least as f64 + 0.5), false),
            (json!(1_u64 << 63), false),
            // Read as a number with a fraction, which is rounded onto the least of 64 bits.
            (serde_json::from_str("-9223372036854775809").unwrap(), false),
        ];
        let known = schema.get("minimum").is_some() && schema.get("maximum").is_some();
        return if known {
            [&whole[..], &written].concat()
        } else {
            written.into()
        };
    }
    Vec::new()
}

#[tokio::test]
async fn every_text_and_number_is_accepted_up_to_the_described_border() {
    let app = App::start().await;
    let document = description();
    let (mut taken, mut refused) = (0, 0);
    for (path, calls) in document["paths"].as_object().unwrap() {
        for (method, call) in calls.as_object().unwrap() {
            let content = &call["requestBody"]["content"]["application/json"];
            let mut places = Vec::new();
            leaves(&document, &content["schema"], "", &mut places);
            let path = path
                .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
                .replace("{sku}", "MUG");
            for (place, schema) in places {
                for (value, allowed) in values(schema) {
                    let mut body = content["example"].clone();
                    // Only what the example has can be put in its place.
                    let Some(there) = body.pointer_mut(&place) else {
                        continue;
                    };
                    *there = value.clone();
                    let json = [("content-type", "application/json")];
                    let answer = app
                        .send(&method.to_uppercase(), &path, body.to_string(), &json)
                        .await;
                    let told = answer.body["errors"].as_array().into_iter().flatten();
                    let here = told
                        .filter(|error| error["pointer"] == format!("#{place}"))
                        .count()
                        > 0;
                    let is_refused = answer.status == 422
                        && answer.body["type"] == "urn:problem:orders:invalid-content"
                        && here;
                    assert_eq!(
                        !is_refused, allowed,
                        "{method} {path} {place} {value}: {answer:?}"
                    );
                    if is_refused { refused += 1 } else { taken += 1 }
                }
            }
        }
    }
    assert!(taken > 200 && refused > 200, "{taken} {refused}");
}
