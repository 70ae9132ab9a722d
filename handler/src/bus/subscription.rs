//! The names that a subscription may have.
//! Never asks the bus whether there is one.

/// The rule in words (Microsoft: "Naming rules and restrictions for Azure resources", Microsoft.ServiceBus).
pub const SUBSCRIPTION_NAME_RULE: &str =
    "a subscription's name has 1 to 50 letters, digits, dots, hyphens and underscores";

/// True when a subscription may have this name.
#[must_use]
pub fn is_subscription_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=50).contains(&name.len()) && name.chars().all(sound)
}
