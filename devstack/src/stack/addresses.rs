//! The addresses of a stack's hosts, by the calls that they serve.
//! It never asks a host: the API's description says which part of the system serves what.

use super::Stack;
use super::parts::Part;

impl Stack {
    /// The address of the host that takes commands, without a path.
    pub fn url(&self) -> &str {
        self.urls().first().map_or("", |(_, url)| url)
    }

    /// Every host's address with the part that it serves; `None`: all of them.
    pub fn urls(&self) -> Vec<(Option<Part>, &str)> {
        self.hosts.urls()
    }

    /// The address of the host that serves this call, without a path; `path` is below the API's prefix.
    pub(crate) fn url_of(&self, method: &str, path: &str) -> &str {
        let part = self.calls.part(method, &format!("/api{path}"));
        let mut hosts = self.urls().into_iter();
        let found = hosts.find(|(its, _)| part.is_some() && *its == part);
        found.map_or(self.url(), |(_, url)| url)
    }
}
