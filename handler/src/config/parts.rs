//! The parts of the system, of which a process serves all or some: the setting `PARTS`.
//! Never knows what a part does: `http/api.rs` says which functions are whose.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::error::{ConfigError, invalid};

const PARTS: &str = "PARTS";

/// A part of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Takes commands, and sends their events to the bus.
    Command,
    /// Answers queries.
    Query,
    /// Turns messages of the bus into documents.
    Projector,
    /// Looks after the system: jobs, and what operators look at.
    Operator,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Command, Self::Query, Self::Projector, Self::Operator];

    /// Its word in `PARTS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
            Self::Projector => "projector",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The parts that a process serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServedParts {
    /// Nobody has said which: all, as far as there are settings for them.
    #[default]
    Unsaid,
    /// Those that `PARTS` names, each with all that it needs.
    Named(BTreeSet<Part>),
}

impl ServedParts {
    /// `PARTS`: words with commas between them.
    ///
    /// # Errors
    /// For a word that is unknown, empty or there twice.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let Some(text) = environment.get(PARTS) else {
            return Ok(Self::Unsaid);
        };
        let mut named = BTreeSet::new();
        for word in text.split(',').map(str::trim) {
            let known = Part::ALL.into_iter().find(|part| part.name() == word);
            let refused = |why: String| Err(invalid(PARTS, &why));
            match known {
                None if word.is_empty() => return refused("has an empty word".to_owned()),
                None => {
                    let all = Part::ALL.map(Part::name).join(", ");
                    return refused(format!("has the word {word:?}, which is none of {all}"));
                }
                Some(part) if !named.insert(part) => return refused(format!("has {part} twice")),
                Some(_) => {}
            }
        }
        Ok(Self::Named(named))
    }

    /// True when this process serves the part.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        match self {
            Self::Unsaid => true,
            Self::Named(named) => named.contains(&part),
        }
    }

    /// True when it serves one of them at least.
    pub(super) fn has_any(&self, parts: &[Part]) -> bool {
        parts.iter().any(|part| self.has(*part))
    }

    /// The first of them that `PARTS` names.
    pub(super) fn first_named(&self, parts: &[Part]) -> Option<Part> {
        match self {
            Self::Unsaid => None,
            Self::Named(_) => parts.iter().copied().find(|part| self.has(*part)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServedParts, String> {
        let environment = BTreeMap::from([(PARTS.to_owned(), text.to_owned())]);
        ServedParts::from_environment(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn all_parts_are_served_unless_some_are_named() {
        let unsaid = ServedParts::from_environment(&BTreeMap::new()).unwrap();
        assert!(Part::ALL.into_iter().all(|part| unsaid.has(part)));
        let some = read("query, command").unwrap();
        assert!(some.has(Part::Command) && some.has(Part::Query));
        assert!(!some.has(Part::Projector) && !some.has(Part::Operator));
    }

    #[test]
    fn words_that_are_unknown_empty_or_repeated_are_refused_by_name() {
        for (text, named) in [
            ("", "empty"),
            ("command,", "empty"),
            ("Command", "\"Command\""),
            ("command,relay", "\"relay\""),
            ("query,command,query", "query twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(PARTS) && error.contains(named), "{error}");
        }
    }
}
