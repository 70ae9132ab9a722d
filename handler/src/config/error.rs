//! What is wrong with a setting, by its name.
//! Never reads a setting itself.

/// A setting that cannot be used; the message names it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting {name}: {why}")]
pub struct ConfigError {
    name: String,
    why: String,
}

pub(super) fn invalid(name: &str, why: &str) -> ConfigError {
    ConfigError {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}
