//! An error with everything that has caused it, as one line: for a log, a terminal, or a note in a row.
//! Never used to decide anything: an error's type is for that.

use std::{error::Error, fmt, sync::Arc};

/// The cause of an error, shared by everyone who is told of it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A cause from an error, or from a text where no error is to be kept.
pub fn cause(error: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
    Arc::from(error.into())
}

/// Displays an error and its causes, the outermost first.
#[derive(Clone, Copy)]
pub struct ErrorChain<'a>(&'a dyn Error);

/// The whole text of an error.
#[must_use]
pub fn chain<E: Error>(error: &E) -> ErrorChain<'_> {
    ErrorChain(error)
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            let text = error.to_string();
            // Some crates repeat the cause in the text of what it has caused.
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            next = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("the store is away")]
        Away(#[source] Cause),
        #[error("no order: {0}")]
        Repeating(#[source] Cause),
    }

    #[test]
    fn an_error_is_told_with_all_its_causes_and_none_of_them_twice() {
        let refused = cause("connection refused");
        let away = Failure::Away(Arc::clone(&refused));
        assert_eq!(chain(&away).to_string(), "the store is away: connection refused");
        let outer = Failure::Repeating(cause(Failure::Away(refused)));
        let told = "no order: the store is away: connection refused";
        assert_eq!(chain(&outer).to_string(), told);
    }
}
