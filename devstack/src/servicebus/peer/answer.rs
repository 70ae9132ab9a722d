//! Answers to requests on `$management`.
//! Never without a condition where the status is no success.

use crate::servicebus::amqp::{Value, code};

/// A status, its text, its condition and the reply's body.
pub(super) type Answer = (i32, &'static str, Option<&'static str>, Value);

/// An operation, or a way of it, that is not there.
pub(super) fn unsupported(text: &'static str) -> Answer {
    (501, text, Some(code::NOT_IMPLEMENTED), Value::Null)
}

/// A request that says too little or nonsense.
pub(super) fn bad(text: &'static str) -> Answer {
    (400, text, Some(code::INVALID_FIELD), Value::Null)
}
