//! The value types whose rules a schema says in part only, by their schemas' names.
//! Never words a rule itself: each type says what is wrong.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use schemars::JsonSchema;

use crate::{
    bus::SubscriptionName,
    domain::value::{Currency, Email, InvalidValue, Name, Quantity, Reason, Sku},
    json::JsonTree,
};

/// Says of a value which rule of its value type it breaks, if it does.
pub(super) type ValueRule = fn(&JsonTree) -> Option<String>;

pub(super) static RULES: LazyLock<BTreeMap<Cow<'static, str>, ValueRule>> = LazyLock::new(|| {
    [
        of_text::<Currency>(),
        of_text::<Email>(),
        of_text::<Name>(),
        of_text::<Reason>(),
        of_text::<Sku>(),
        of_text::<SubscriptionName>(),
        of_number::<Quantity>(),
    ]
    .into()
});

fn of_text<T: JsonSchema + TryFrom<String, Error = InvalidValue>>() -> (Cow<'static, str>, ValueRule) {
    (T::schema_name(), |value| match value {
        JsonTree::Text(text) => broken(T::try_from(text.clone())),
        _ => None,
    })
}

fn of_number<T: JsonSchema + TryFrom<i64, Error = InvalidValue>>() -> (Cow<'static, str>, ValueRule) {
    (T::schema_name(), |value| match value {
        // What is beyond every number of ours is so far beyond that it breaks the same rule.
        JsonTree::Whole(number) => broken(T::try_from(i64::try_from(*number).unwrap_or(i64::MAX))),
        _ => None,
    })
}

/// The rule that a value broke, in words.
pub(super) fn broken<T>(made: Result<T, InvalidValue>) -> Option<String> {
    made.err().map(|rule| rule.to_string())
}
