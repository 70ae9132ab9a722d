//! Faults of a body, place by place, in the API's words.
//! Never lists more of them than a person reads, nor more of the input than shows which part is meant.

use std::fmt::Display;

use crate::domain::quote;

/// Most faults that are listed one by one: more than an order's hundred lines can have of one kind.
const MOST_LISTED: usize = 250;

/// A fault, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct BodyFault {
    /// JSON Pointer (RFC 6901), as text.
    pub(in crate::http) pointer: String,
    /// The fault.
    pub(in crate::http) detail: String,
}

/// All faults so far; their pointers begin at the place that is being checked.
#[derive(Debug, Default)]
pub(in crate::http) struct BodyFaults {
    listed: Vec<BodyFault>,
    unlisted: usize,
}

impl BodyFaults {
    /// Checks a member or an item of the present place. The pointers of its faults get the step when it is done: a body
    /// without faults costs nothing here.
    pub(super) fn within<T>(&mut self, step: impl Display, check: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.listed.len();
        let result = check(self);
        let found = self.listed.get_mut(before..).unwrap_or_default();
        if !found.is_empty() {
            let step = step.to_string().replace('~', "~0").replace('/', "~1");
            for fault in found {
                fault.pointer.insert_str(0, &format!("/{step}"));
            }
        }
        result
    }

    /// The same, some steps further.
    pub(super) fn at<T>(&mut self, steps: &[String], check: impl FnOnce(&mut Self) -> T) -> T {
        match steps {
            [] => check(self),
            [step, rest @ ..] => self.within(step, |faults| faults.at(rest, check)),
        }
    }

    /// Adds a fault at this place.
    pub(super) fn add(&mut self, detail: impl Into<String>) {
        if self.listed.len() == MOST_LISTED {
            self.unlisted += 1;
            return;
        }
        self.listed.push(BodyFault {
            pointer: String::new(),
            detail: detail.into(),
        });
    }

    /// A member of this name is not known here. One with a long name is pointed at by its parent.
    pub(super) fn add_unknown(&mut self, name: &str, known: &str) {
        let quoted = quote::brief(name);
        if quoted == name {
            self.within(name, |faults| faults.add(format!("is not known here; {known}")));
        } else {
            self.add(format!("{quoted} is not known here; {known}"));
        }
    }

    /// Number of faults.
    pub(in crate::http) fn count(&self) -> usize {
        self.listed.len() + self.unlisted
    }

    /// The faults that are listed.
    pub(in crate::http) fn into_listed(self) -> Vec<BodyFault> {
        self.listed
    }
}
