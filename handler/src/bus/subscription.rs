//! The name of a subscription.
//! Never asks the bus whether there is one.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::value::InvalidValue;

/// A subscription's name: 1 to 50 letters, digits, dots, hyphens and underscores (Microsoft: "Naming rules and restrictions for
/// Azure resources", Microsoft.ServiceBus). By default the projector's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9._-]+$", "minLength" = 1, "maxLength" = 50))]
pub struct SubscriptionName(String);

impl SubscriptionName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SubscriptionName {
    fn default() -> Self {
        Self("read-model".to_owned())
    }
}

impl TryFrom<String> for SubscriptionName {
    type Error = InvalidValue;

    fn try_from(name: String) -> Result<Self, InvalidValue> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if (1..=50).contains(&name.len()) && name.chars().all(sound) {
            Ok(Self(name))
        } else {
            Err(InvalidValue(
                "a subscription's name has 1 to 50 letters, digits, dots, hyphens and underscores",
            ))
        }
    }
}

impl FromStr for SubscriptionName {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        name.to_owned().try_into()
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_1_to_50_letters_digits_and_three_marks() {
        for good in ["a", "read-model", "Billing_2.eu", &"a".repeat(50)] {
            assert_eq!(
                serde_json::from_value::<SubscriptionName>(good.into()).ok(),
                good.parse().ok()
            );
            assert_eq!(good.parse::<SubscriptionName>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a b", "ä", "$DeadLetterQueue", &"a".repeat(51)] {
            assert!(bad.parse::<SubscriptionName>().is_err(), "{bad}");
            assert!(
                serde_json::from_value::<SubscriptionName>(bad.into()).is_err(),
                "{bad}"
            );
        }
    }
}
