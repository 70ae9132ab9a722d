//! How long a listener waits before it connects again.
//! It never waits itself, and never has a clock: it is told how long the last connection lived.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses of one listener: twice as long each time, until a connection has lived.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause, after a connection that was open for so long.
    ///
    /// Opening alone proves nothing: a bus that drops each connection at once must not be called ten times a second.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived > LONGEST {
            self.0 = FIRST;
        }
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_limit_even_when_links_die_at_once() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = [0, 10, 0, 4_000, 10, 0, 0, 10]
            .map(|lived| backoff.after(Duration::from_millis(lived)).as_millis())
            .into();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    }

    #[test]
    fn a_connection_that_has_lived_begins_the_pauses_anew() {
        let mut backoff = Backoff::new();
        backoff.after(Duration::ZERO);
        backoff.after(Duration::ZERO);
        assert_eq!(backoff.after(Duration::from_secs(6)), FIRST);
        assert_eq!(backoff.after(Duration::ZERO), FIRST * 2);
    }
}
