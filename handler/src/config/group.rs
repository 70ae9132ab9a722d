//! Settings that mean something together only.
//! Never lets half of a group pass: the missing one is named.

use std::collections::BTreeMap;

use super::error::{ConfigError, invalid};

/// The values of a group of settings, all there or all absent.
pub(super) fn group<'a, const N: usize>(
    environment: &'a BTreeMap<String, String>,
    names: [&str; N],
) -> Result<Option<[&'a str; N]>, ConfigError> {
    let values = names.map(|name| environment.get(name).map(String::as_str));
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (name, value) in names.iter().zip(&values) {
        if value.is_none_or(str::is_empty) {
            return Err(invalid(
                name,
                &format!("is missing; others of {} are there", names.join(", ")),
            ));
        }
    }
    Ok(Some(values.map(Option::unwrap_or_default)))
}
