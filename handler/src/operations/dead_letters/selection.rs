//! Which dead letters are meant.
//! Never means a message by its place in the queue: that changes while others work on it.

use time::OffsetDateTime;

use super::Letter;

/// Everything that is said must hold; what is not said holds for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Any of these MessageIds; empty = any at all.
    pub message_ids: Vec<String>,
    /// The aggregate's id.
    pub subject: Option<String>,
    /// The event's name.
    pub kind: Option<String>,
    /// Why it was dead-lettered.
    pub reason: Option<String>,
    /// Came onto the subscription earlier than this.
    pub before: Option<OffsetDateTime>,
    /// Came onto the subscription at this time or later.
    pub after: Option<OffsetDateTime>,
    /// No more than so many, the first of the queue.
    pub limit: Option<usize>,
}

impl Selection {
    /// Whether a letter is meant, the limit aside.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        let received = &letter.received;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| found.is_some_and(|found| found == wanted))
        };
        let at = received.enqueued_at();
        (self.message_ids.is_empty() || self.message_ids.contains(&received.message_id()))
            && is(&self.subject, letter.subject())
            && is(&self.kind, letter.kind())
            && is(&self.reason, received.reason())
            && self.before.is_none_or(|before| at.is_some_and(|at| at < before))
            && self.after.is_none_or(|after| at.is_some_and(|at| at >= after))
    }
}
