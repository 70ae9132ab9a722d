//! The events of one aggregate in order, read from the log a page at a time.
//! Never holds more than two pages of them: a product may have been restocked for years.

use super::super::{engine::JobError, events::all_readable};
use crate::log::{LogEntry, LogStore};

/// Events of one page.
const PAGE: i64 = 200;

/// The events of an aggregate, of which the first page is there: mostly that is all of them.
pub(super) struct Events<'a, L> {
    log: &'a L,
    stream: &'a str,
    first: Vec<LogEntry>,
}

/// A position in them.
pub(super) struct Walk<'e, L> {
    events: &'e Events<'e, L>,
    /// The page that is being walked through; none is the first one.
    later: Option<Vec<LogEntry>>,
    index: usize,
}

impl<'a, L: LogStore> Events<'a, L> {
    pub(super) async fn open(log: &'a L, stream: &'a str) -> Result<Self, JobError> {
        let first = all_readable(log.stream(stream, 0, PAGE).await?)?;
        Ok(Self { log, stream, first })
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<&LogEntry> {
        self.first.first()
    }

    /// From the beginning.
    pub(super) fn walk(&self) -> Walk<'_, L> {
        Walk {
            events: self,
            later: None,
            index: 0,
        }
    }
}

impl<L: LogStore> Walk<'_, L> {
    /// The next event, which stays the next one. Of those that have come since the last page was read only as many are there
    /// as it takes to come to this version.
    pub(super) async fn peek(&mut self, at_least: i64) -> Result<Option<&LogEntry>, JobError> {
        if self.index >= self.page().len() {
            let full = i64::try_from(self.page().len()).is_ok_and(|events| events == PAGE);
            let read = self.page().last().map_or(0, |last| last.event.version);
            if full || at_least > read {
                let page = all_readable(self.events.log.stream(self.events.stream, read, PAGE).await?)?;
                if page.is_empty() {
                    return Ok(None);
                }
                self.later = Some(page);
                self.index = 0;
            }
        }
        Ok(self.page().get(self.index))
    }

    /// Goes past it.
    pub(super) fn step(&mut self) {
        self.index += 1;
    }

    fn page(&self) -> &[LogEntry] {
        self.later.as_deref().unwrap_or(&self.events.first)
    }
}
