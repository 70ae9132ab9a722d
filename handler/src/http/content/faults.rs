//! What is wrong with a body, place by place, in the API's words.
//! Never more of it than anybody reads, and never more of the input than shows what is meant.

use crate::domain::quote;

/// Most faults that are told one by one: more than an order's hundred lines can have of one kind.
const MOST_TOLD: usize = 250;

/// A fault, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Fault {
    /// JSON Pointer (RFC 6901), as text.
    pub(in crate::http) pointer: String,
    /// What is wrong there.
    pub(in crate::http) detail: String,
}

/// All faults that were found, with the place that is looked at.
#[derive(Debug, Default)]
pub(in crate::http) struct Faults {
    told: Vec<Fault>,
    untold: usize,
    here: String,
}

impl Faults {
    /// Looks at a member or an item of what is looked at now.
    pub(super) fn within<T>(&mut self, step: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let here = self.here.len();
        self.here.push('/');
        self.here.push_str(&step.replace('~', "~0").replace('/', "~1"));
        let seen = look(self);
        self.here.truncate(here);
        seen
    }

    /// The same, some steps further.
    pub(super) fn at<T>(&mut self, steps: &[String], look: impl FnOnce(&mut Self) -> T) -> T {
        match steps {
            [] => look(self),
            [step, rest @ ..] => self.within(step, |faults| faults.at(rest, look)),
        }
    }

    /// Something is wrong here.
    pub(super) fn add(&mut self, detail: impl Into<String>) {
        if self.told.len() == MOST_TOLD {
            self.untold += 1;
            return;
        }
        self.told.push(Fault {
            pointer: self.here.clone(),
            detail: detail.into(),
        });
    }

    /// A member of this name is not known here. One whose name is too long to be told is pointed at by what it is in.
    pub(super) fn add_unknown(&mut self, name: &str, known: &str) {
        let quoted = quote::brief(name);
        if quoted == name {
            self.within(name, |faults| faults.add(format!("is not known here; {known}")));
        } else {
            self.add(format!("{quoted} is not known here; {known}"));
        }
    }

    /// How many there are.
    pub(in crate::http) fn count(&self) -> usize {
        self.told.len() + self.untold
    }

    /// Those that are told.
    pub(in crate::http) fn into_told(self) -> Vec<Fault> {
        self.told
    }
}
