//! Progress on stderr: one line that is written over on a terminal, a plain line now and then elsewhere.
//! Never on stdout, where results go.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::escape;

/// Between two plain lines.
const PLAIN: Duration = Duration::from_secs(5);
/// Between two changes of the line on a terminal.
const REWRITTEN: Duration = Duration::from_millis(100);

/// The line that was told last, and when.
#[derive(Debug, Default)]
pub(super) struct ProgressLine(Mutex<Option<(String, Instant)>>);

impl ProgressLine {
    /// Tells `done` out of `of`, which is 0 when it is not known. Something new is told at once.
    pub(super) fn tell(&self, what: &str, done: i64, of: i64) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let terminal = std::io::stderr().is_terminal();
        let between = if terminal { REWRITTEN } else { PLAIN };
        let ended = of > 0 && done >= of;
        if !ended
            && last
                .as_ref()
                .is_some_and(|(told, at)| told == what && at.elapsed() < between)
        {
            return;
        }
        let line = match (done, of) {
            (0, 0) => what.to_owned(),
            (done, 0) => format!("{what}: {done}"),
            (done, of) => format!("{what}: {done} of {of} ({} %)", done * 100 / of),
        };
        let line = escape::line(&line);
        let mut stderr = std::io::stderr().lock();
        // A reader who has gone misses it.
        drop(if terminal {
            write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        });
        *last = Some((what.to_owned(), Instant::now()));
    }

    /// Leaves the line.
    pub(super) fn leave(&self) {
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
    }
}
