//! The members of a JSON object in the order in which they were put: the real host has one, and serde_json sorts them.
//! It never holds a name twice.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::{RawValue, to_raw_value};

/// Such an object.
#[derive(Default)]
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// Puts a member at the end; one of the same name makes way, whatever its case.
    ///
    /// # Errors
    /// When the value is no JSON.
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), String> {
        let value = to_raw_value(value).map_err(|error| error.to_string())?;
        self.remove(name);
        self.0.push((name.to_owned(), value));
        Ok(())
    }

    /// Takes the member of this name away, whatever its case.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
