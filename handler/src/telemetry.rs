//! Log lines: of `serve` on stdout, where the Functions host picks them up, and of what a terminal runs on stderr, beside the
//! results. `RUST_LOG` chooses how many.
//! Never writes to a file or over the network.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::escape;

/// The stream that log lines go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogTarget {
    /// Nothing else is said there.
    Stdout,
    /// Results are on stdout.
    Stderr,
}

/// Starts logging; called once, when the command line is known.
pub fn start(to: LogTarget) {
    // The Cosmos DB client tells at level info what it found out about the account; that is of no use at each start. At a terminal
    // the tool itself says how things go.
    let usual = || match to {
        LogTarget::Stdout => EnvFilter::new("info,azure_data_cosmos_driver=warn"),
        LogTarget::Stderr => EnvFilter::new("warn"),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    // Where neither stream is read any more, saying so would panic.
    let lines = lines.log_internal_errors(false);
    match to {
        LogTarget::Stdout => lines.with_writer(|| EscapingWriter(io::stdout())).init(),
        LogTarget::Stderr => lines.with_writer(|| EscapingWriter(io::stderr())).init(),
    }
}

/// Writes each event on one line, whatever is in it.
struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    /// Takes an event as a whole, which is how it comes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (text, end) = match text.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (&*text, ""),
        };
        let line = format!("{}{end}", escape::line(text));
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let mut written = Vec::new();
        let event = "WARN store_away error=\u{1b}[2Jgone\nINFO forged \u{202e}\n";
        EscapingWriter(&mut written).write_all(event.as_bytes()).unwrap();
        let line = "WARN store_away error=\\u001b[2Jgone\\nINFO forged \\u202e\n";
        assert_eq!(String::from_utf8(written).unwrap(), line);
    }
}
