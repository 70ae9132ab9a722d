//! The settings of the app: local.settings.json below the process environment below the caller's values.
//! It never changes the environment of this process, and never prints a value.

use std::{collections::BTreeMap, path::Path};

use super::{
    error::Error,
    json::{self, JsonNode},
};

const FILE: &str = "local.settings.json";

/// Settings by name; names are compared without case, as .NET configuration does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The shell wins over local.settings.json as with `func start`; `over` wins over both, and `without` names what
    /// only `over` gives.
    pub(crate) fn read(
        root: &Path,
        without: &[String],
        over: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        let path = root.join(FILE);
        if path.exists() {
            let document = json::read(&path, FILE)?;
            let document = JsonNode::root(FILE, &document);
            if document.get("IsEncrypted").flag()? == Some(true) {
                return Err(document
                    .get("IsEncrypted")
                    .unsupported("only plain settings are read"));
            }
            for (name, node) in document.get("Values").members() {
                if let Some(text) = node.text()? {
                    values.insert(name.to_owned(), text.to_owned());
                }
            }
            for (name, node) in document.get("ConnectionStrings").members() {
                if let Some(text) = node.text()? {
                    values.insert(format!("ConnectionStrings:{name}"), text.to_owned());
                }
            }
        }
        values.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        values.retain(|name, _| !without.iter().any(|out| out.eq_ignore_ascii_case(name)));
        values.extend(over.clone());
        Ok(Self(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let exact = self.0.get(name);
        exact
            .or_else(|| {
                self.0
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
            .map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Replaces every `%Name%`; a name without a setting is returned as the error.
    pub(crate) fn resolve(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Err(name.to_owned()))
    }

    /// Replaces every `%Name%`, and removes the ones without a setting.
    pub(crate) fn expand(&self, text: &str) -> String {
        self.replace(text, |_| Ok(String::new())).unwrap_or_default()
    }

    fn replace(
        &self,
        text: &str,
        missing: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once('%') else {
                out.push('%');
                rest = after;
                continue;
            };
            match self.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&missing(name)?),
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_resolved_and_a_missing_one_is_named() {
        let settings = Settings([("Topic".to_owned(), "orders".to_owned())].into());
        assert_eq!(settings.resolve("a-%topic%-b"), Ok("a-orders-b".to_owned()));
        assert_eq!(settings.resolve("%Nothing%"), Err("Nothing".to_owned()));
        assert_eq!(settings.expand("x %Nothing% y"), "x  y");
    }
}
