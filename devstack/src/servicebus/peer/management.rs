//! The `$management` operations: renew-lock, peek-message, update-disposition and enumerate-rules.
//! Never answers an operation it lacks with anything but 501.

use bytes::Bytes;
use uuid::Uuid;

use super::super::amqp::{Value, code};
use super::super::broker::{Entity, Outcome, QueueId, reason};
use super::super::message::simple;
use super::answer::{Answer, bad, unsupported};
use super::context::ConnectionContext;
use super::request::Request;
use super::rules;

/// The most messages one peek gives.
const PEEK_MAX: u64 = 250;
/// Bytes of a reply around its messages, at most: sections, status, and the id of the request.
const FRAME: usize = 1_024;
/// Bytes around each message in a reply: a map of one name, and the message's length.
const WRAPPING: usize = 32;

/// Answers one request in at most `room` bytes, unless one message alone is larger; nothing where the connection is to
/// break instead.
pub(super) fn answer(
    request: &Request,
    place: &Entity,
    room: usize,
    context: &ConnectionContext,
) -> Option<Bytes> {
    let (status, text, condition, body) = match (request.property("operation"), place) {
        (Some("com.microsoft:renew-lock"), Entity::Queue { id, .. }) => renew(request, *id, context),
        (Some("com.microsoft:peek-message"), Entity::Queue { id, .. }) => peek(request, *id, room, context),
        (Some("com.microsoft:update-disposition"), Entity::Queue { id, .. }) => {
            update(request, *id, context)?
        }
        (Some("com.microsoft:enumerate-rules"), Entity::Queue { id, .. }) => {
            rules::enumerate(request, *id, context)
        }
        _ => unsupported("The operation is not supported."),
    };
    Some(request.reply(status, text, condition, &body))
}

fn lost() -> Answer {
    (
        410,
        "The lock supplied is invalid.",
        Some(code::LOCK_LOST),
        Value::Null,
    )
}

fn names_session(request: &Request) -> bool {
    let session = request.body.get("session-id");
    session.is_some_and(|session| *session != Value::Null)
}

fn tokens(request: &Request) -> Option<Vec<Uuid>> {
    let items = request.body.get("lock-tokens")?.items()?;
    let uuid = |item: &Value| match item {
        Value::Uuid(uuid) => Some(*uuid),
        _ => None,
    };
    items
        .iter()
        .map(uuid)
        .collect::<Option<Vec<_>>>()
        .filter(|tokens| !tokens.is_empty())
}

fn renew(request: &Request, id: QueueId, context: &ConnectionContext) -> Answer {
    let Some(tokens) = tokens(request) else {
        return bad("lock-tokens is missing");
    };
    let mut broker = context.shared.broker();
    let renewed: Result<Vec<_>, _> = tokens
        .iter()
        .map(|token| broker.renew(context.now, id, *token))
        .collect();
    match renewed {
        Ok(times) => {
            let body = Value::Map(vec![(Value::string("expirations"), Value::timestamps(&times))]);
            (200, "OK", None, body)
        }
        Err(_) => lost(),
    }
}

fn peek(request: &Request, id: QueueId, room: usize, context: &ConnectionContext) -> Answer {
    if names_session(request) {
        return unsupported("Sessions are not supported.");
    }
    let from = match request.body.get("from-sequence-number") {
        Some(Value::Long(from)) => *from,
        Some(Value::Int(from)) => (*from).into(),
        _ => return bad("from-sequence-number is missing"),
    };
    let Some(count) = request.body.get("message-count").and_then(Value::number) else {
        return bad("message-count is missing");
    };
    let room = room.saturating_sub(FRAME);
    let count = count.min(PEEK_MAX) as usize;
    let messages = context.shared.broker().peek(id, from, count, room, WRAPPING);
    if messages.is_empty() {
        return (204, "No messages.", None, Value::Null);
    }
    let wrap = |message| Value::Map(vec![(Value::string("message"), Value::Binary(message))]);
    let list = Value::List(messages.into_iter().map(wrap).collect());
    (
        200,
        "OK",
        None,
        Value::Map(vec![(Value::string("messages"), list)]),
    )
}

/// Settles by lock token, whatever link of whatever connection a message was received on:
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response>.
fn update(request: &Request, id: QueueId, context: &ConnectionContext) -> Option<Answer> {
    if names_session(request) {
        return Some(unsupported("Sessions are not supported."));
    }
    let Some(tokens) = tokens(request) else {
        return Some(bad("lock-tokens is missing"));
    };
    let text = |name| request.body.get(name).and_then(Value::text).unwrap_or_default();
    let mut changes = request
        .body
        .get("properties-to-modify")
        .and_then(Value::map)
        .unwrap_or_default()
        .to_vec();
    if simple(&changes).is_err() {
        return Some(bad("properties-to-modify holds a value that is not simple"));
    }
    let outcome = match text("disposition-status") {
        "completed" => Outcome::Complete,
        "abandoned" => Outcome::Abandon(changes),
        "suspended" => {
            changes.extend(reason(text("deadletter-reason"), text("deadletter-description")));
            Outcome::DeadLetter(changes)
        }
        "defered" | "deferred" => return Some(unsupported("Deferral is not supported.")),
        _ => return Some(bad("disposition-status is unknown")),
    };
    let faults = &context.shared.faults;
    if faults.cut_before_settling.take() {
        return None;
    }
    let mut broker = context.shared.broker();
    let mut all = true;
    for token in tokens {
        all &= broker.settle(context.now, id, token, &outcome).is_ok();
    }
    drop(broker);
    context.shared.dated();
    context.shared.wake();
    if !all {
        return Some(lost());
    }
    (!faults.cut_after_settling.take()).then_some((200, "OK", None, Value::Null))
}
