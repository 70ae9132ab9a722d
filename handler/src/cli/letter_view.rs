//! A dead letter as a row and as a page.
//! Never leaves anything out of a page: an operator decides by it.

use std::fmt::Write;

use crate::{
    domain::timestamp::Timestamp,
    escape,
    jobs::dead_letters::{DeadLetter, WholeDeadLetter},
};

/// Over the rows.
pub(super) const HEAD: &str = "\
CAME                  TRIES  REASON                    EVENT                          OF                                    MESSAGE ID";

/// One line of a list; a second one where the body cannot be read.
pub(super) fn row(letter: &DeadLetter) -> String {
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
    row = escape::line(&row).into_owned();
    if let Some(why) = letter.unreadable() {
        row.push_str("\n  ");
        row.push_str(&escape::line(&why));
    }
    row
}

/// All there is to know, for a reader.
pub(super) fn page(letter: &DeadLetter) -> String {
    let received = &letter.received;
    let mut page = String::new();
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{name:12} {}", escape::line(value));
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
    if let Ok(event) = &letter.event {
        line(
            "version",
            event.version.get().map(|version| version.to_string()).as_deref(),
        );
        line("happened", Some(&seconds(event.time)));
    }
    line("unreadable", letter.unreadable().as_deref());
    let whole = WholeDeadLetter::of(letter);
    for (name, section) in &whole.sections {
        line(name, Some(&section.to_string()));
    }
    let body = match (whole.body, whole.body_text, whole.body_base64) {
        (Some(value), ..) => format!("{value:#}"),
        (_, Some(text), _) => text,
        (.., base64) => format!("(base64) {}", base64.unwrap_or_default()),
    };
    page + "\n" + &escape::lines(&body)
}

fn seconds(at: Timestamp) -> String {
    let whole = Timestamp::try_from(at.utc().truncate_to_second());
    whole.unwrap_or(at).to_string()
}

fn unknown() -> String {
    "-".to_owned()
}
