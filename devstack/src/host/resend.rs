//! How often a request is sent to the handler when its connection breaks, as the real host does it.
//! It never looks at the method: whether there is a body decides.

use std::time::Duration;

/// Tries of the real host's proxy; after the last one the caller gets a 500.
const TRIES: u32 = 10;
/// How often the real host's HTTP client, below its proxy, sends a request that has no content within one try.
const SENDS_WITHOUT_CONTENT: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The content of a request, as far as sending it again depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestContent {
    /// Neither a body nor a length.
    Absent,
    /// `Content-Length: 0`.
    Empty,
    /// A body, of which there is one copy.
    Body,
}

/// A connection that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SendFailure {
    /// It was not made, so the handler has seen nothing.
    Refused,
    /// It broke, and the handler may have acted on the request.
    Broken,
}

/// The sends of one request that are still allowed.
#[derive(Debug)]
pub(crate) struct Resends {
    content: RequestContent,
    tries: u32,
    sends: u32,
    pause: Duration,
}

impl Resends {
    pub(crate) fn new(content: RequestContent) -> Self {
        Self {
            content,
            tries: 1,
            sends: 1,
            pause: FIRST_PAUSE,
        }
    }

    /// The pause before the request is sent again; `None` when it is not.
    pub(crate) fn after(&mut self, failure: SendFailure) -> Option<Duration> {
        if failure == SendFailure::Broken {
            match self.content {
                RequestContent::Body => return None,
                RequestContent::Absent if self.sends < SENDS_WITHOUT_CONTENT => {
                    self.sends += 1;
                    return Some(Duration::ZERO);
                }
                RequestContent::Absent | RequestContent::Empty => {}
            }
        }
        if self.tries == TRIES {
            return None;
        }
        (self.tries, self.sends) = (self.tries + 1, 1);
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a request is sent when each connection fails so, and for how long.
    fn all(content: RequestContent, failure: SendFailure) -> (u32, Duration) {
        let (mut resends, mut sent, mut paused) = (Resends::new(content), 1, Duration::ZERO);
        while let Some(pause) = resends.after(failure) {
            (sent, paused) = (sent + 1, paused + pause);
        }
        (sent, paused)
    }

    #[test]
    fn a_request_is_sent_as_often_as_its_content_allows() {
        let whole = Duration::from_millis(1_850);
        assert_eq!(all(RequestContent::Absent, SendFailure::Broken), (40, whole));
        assert_eq!(all(RequestContent::Empty, SendFailure::Broken), (10, whole));
        assert_eq!(
            all(RequestContent::Body, SendFailure::Broken),
            (1, Duration::ZERO)
        );
        assert_eq!(all(RequestContent::Body, SendFailure::Refused), (10, whole));
        assert_eq!(all(RequestContent::Absent, SendFailure::Refused), (10, whole));
    }
}
