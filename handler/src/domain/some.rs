//! A list that names at least one, for serde: where it is there it is not empty, because nothing named must not mean everything.
//! Never refuses a list that is not there.

use serde::{Deserialize, Deserializer, de::Error};

/// Reads such a list.
///
/// # Errors
/// When it is empty, or none.
pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(D::Error::custom(
            "names none; leave it away, or name at least one",
        ));
    }
    Ok(list)
}
