//! A dead letter as a row, as a page, and as JSON.
//! Never leaves anything out of a page: an operator decides by it.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::operations::dead_letters::{Fate, Letter};

/// Over the rows.
pub(super) const HEAD: &str = "\
CAME                  TRIES  REASON                    EVENT                          OF                                    MESSAGE ID";

/// One line of a list; a second one where the body cannot be read.
pub(super) fn row(letter: &Letter) -> String {
    let received = &letter.received;
    let mut row = format!(
        "{:20}  {:>5}  {:24}  {:29}  {:36}  {}",
        received.enqueued_at().map_or_else(unknown, seconds),
        received.deliveries(),
        received.reason().unwrap_or("-"),
        letter.kind().unwrap_or("-"),
        letter.subject().unwrap_or("-"),
        received.message_id(),
    );
    if let Err(why) = &letter.event {
        row.push_str("\n  ");
        row.push_str(why);
    }
    row
}

/// All there is to know, for a reader.
pub(super) fn page(letter: &Letter) -> String {
    let received = &letter.received;
    let mut page = String::new();
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{name:13}{value}");
        }
    };
    line("message id", Some(&received.message_id()));
    line("sequence", Some(&received.sequence().to_string()));
    line("came", received.enqueued_at().map(seconds).as_deref());
    line("tries", Some(&received.deliveries().to_string()));
    line("reason", received.reason());
    line("because", received.description());
    line("replay", received.replay());
    line("event", letter.kind());
    line("of", letter.subject());
    match &letter.event {
        Ok(event) => {
            line("version", Some(&event.sequence));
            line("happened", Some(&seconds(event.time)));
        }
        Err(why) => line("unreadable", Some(why)),
    }
    let body = match body(letter) {
        Body::Json(value) => format!("{value:#}"),
        Body::Text(text) => text,
        Body::Bytes(base64) => format!("(base64) {base64}"),
    };
    page + "\n" + &body
}

/// What a list says, as JSON.
pub(super) fn summary(letter: &Letter) -> Value {
    let received = &letter.received;
    let event = letter.event.as_ref().ok();
    json!({
        "messageId": received.message_id(),
        "sequence": received.sequence(),
        "enqueuedAt": received.enqueued_at().map(exact),
        "deliveries": received.deliveries(),
        "reason": received.reason(),
        "description": received.description(),
        "replay": received.replay(),
        "type": letter.kind(),
        "subject": letter.subject(),
        "version": event.and_then(|event| event.sequence.parse::<i64>().ok()),
        "event": event.map(|event| &event.data["event"]),
        "unreadable": letter.event.as_ref().err(),
    })
}

/// All there is to know, as JSON: what a list says and the body as JSON, as text, or in base64.
pub(super) fn whole(letter: &Letter) -> Value {
    let mut whole = summary(letter);
    match body(letter) {
        Body::Json(value) => whole["body"] = value,
        Body::Text(text) => whole["bodyText"] = json!(text),
        Body::Bytes(base64) => whole["bodyBase64"] = json!(base64),
    }
    whole
}

/// What became of it, as JSON.
pub(super) fn outcome(letter: &Letter, fate: &Fate) -> Value {
    let mut outcome = json!({ "messageId": letter.received.message_id(), "subject": letter.subject() });
    match fate {
        Fate::Resubmitted(message_id) => {
            outcome["outcome"] = json!("resubmitted");
            outcome["resubmittedAs"] = json!(message_id);
        }
        Fate::Deleted => outcome["outcome"] = json!("deleted"),
        Fate::Kept(why) => {
            outcome["outcome"] = json!("kept");
            outcome["why"] = json!(why);
        }
    }
    outcome
}

enum Body {
    Json(Value),
    Text(String),
    Bytes(String),
}

fn body(letter: &Letter) -> Body {
    let bytes = letter.received.body();
    match (serde_json::from_slice(&bytes), std::str::from_utf8(&bytes)) {
        (Ok(value), _) => Body::Json(value),
        (_, Ok(text)) => Body::Text(text.to_owned()),
        _ => Body::Bytes(STANDARD.encode(&bytes)),
    }
}

fn exact(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| unknown())
}

fn seconds(at: OffsetDateTime) -> String {
    exact(at.replace_nanosecond(0).unwrap_or(at))
}

fn unknown() -> String {
    "-".to_owned()
}
