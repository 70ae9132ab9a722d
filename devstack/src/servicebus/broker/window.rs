//! Duplicate detection: the ids that an entity has accepted lately.
//! Never reads a clock, and never looks through what it holds: the oldest ids leave first, by their time.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Room for so many ids is kept whether it is used or not.
const SPARE: usize = 1_024;

/// The ids of one topic or queue. An id counts from when it was accepted; a duplicate does not renew it.
#[derive(Debug)]
pub(super) struct DuplicateWindow {
    span_ms: i64,
    seen: HashSet<Arc<str>>,
    leaving: VecDeque<(i64, Arc<str>)>,
}

impl DuplicateWindow {
    pub(super) fn new(span_ms: i64) -> Self {
        Self {
            span_ms,
            seen: HashSet::new(),
            leaving: VecDeque::new(),
        }
    }

    /// Holds nothing any more, as if all of it were long ago.
    pub(super) fn forget(&mut self) {
        self.seen = HashSet::new();
        self.leaving = VecDeque::new();
    }

    /// Remembers the id; false when it is here already.
    pub(super) fn admit(&mut self, now: i64, id: &str) -> bool {
        while let Some((_, gone)) = self.leaving.pop_front_if(|(until, _)| *until <= now) {
            self.seen.remove(&gone);
        }
        if self.leaving.capacity() > SPARE && self.leaving.len() < self.leaving.capacity() / 8 {
            let room = self.leaving.len() * 2;
            self.leaving.shrink_to(room);
            self.seen.shrink_to(room);
        }
        if self.seen.contains(id) {
            return false;
        }
        let id: Arc<str> = Arc::from(id);
        self.leaving
            .push_back((now.saturating_add(self.span_ms), Arc::clone(&id)));
        self.seen.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_duplicate_until_its_window_is_over() {
        let mut window = DuplicateWindow::new(20_000);
        assert!(window.admit(0, "a"));
        assert!(!window.admit(0, "a"));
        assert!(!window.admit(19_999, "a"));
        assert!(window.admit(20_000, "a"));
        assert!(!window.admit(39_999, "a"));
    }

    #[test]
    fn a_duplicate_does_not_lengthen_the_window() {
        let mut window = DuplicateWindow::new(20_000);
        window.admit(0, "a");
        window.admit(15_000, "a");
        assert!(window.admit(20_001, "a"));
    }

    #[test]
    fn ids_whose_window_is_over_are_forgotten() {
        let mut window = DuplicateWindow::new(20_000);
        for number in 0..10_000 {
            assert!(window.admit(number, &number.to_string()));
        }
        window.admit(30_000, "last");
        assert_eq!((window.seen.len(), window.leaving.len()), (1, 1));
        // And so is the room for them.
        assert!(window.seen.capacity() < SPARE && window.leaving.capacity() < SPARE);
    }
}
