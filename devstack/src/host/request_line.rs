//! The one thing in a request's first line that the HTTP library refuses and the real host takes: `<` and `>` in a path. They are
//! encoded here, as the real host encodes them a step later.
//! It never touches a query, a header or a body.

use std::collections::VecDeque;

/// What an interim answer begins with: the request goes on after it (RFC 9110, section 15.2).
const INTERIM: &[u8] = b"HTTP/1.1 1";

/// The place in the stream of a connection.
#[derive(Clone, Copy, PartialEq)]
enum LinePosition {
    /// A request may begin.
    Start,
    /// In the first line of one, before the end of its path.
    Path,
    /// Anywhere else.
    Rest,
}

/// The bytes of one connection, with its paths encoded.
pub(super) struct RequestLines {
    place: LinePosition,
    ready: VecDeque<u8>,
}

impl RequestLines {
    pub(super) fn new() -> Self {
        Self {
            place: LinePosition::Start,
            ready: VecDeque::new(),
        }
    }

    /// Takes what has been read.
    pub(super) fn push(&mut self, read: &[u8]) {
        for byte in read {
            self.place = match (self.place, byte) {
                (LinePosition::Start, b'\r' | b'\n') => LinePosition::Start,
                (LinePosition::Start, b'A'..=b'Z') => LinePosition::Path,
                (LinePosition::Path, b'\r' | b'\n' | b'?') | (LinePosition::Start, _) => LinePosition::Rest,
                (place, _) => place,
            };
            match (self.place, byte) {
                (LinePosition::Path, b'<') => self.ready.extend(b"%3C"),
                (LinePosition::Path, b'>') => self.ready.extend(b"%3E"),
                (_, byte) => self.ready.push_back(*byte),
            }
        }
    }

    /// Gives what is ready, so much at most.
    pub(super) fn take(&mut self, most: usize) -> impl Iterator<Item = u8> + '_ {
        let count = self.ready.len().min(most);
        self.ready.drain(..count)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Hears of an answer: after one, a request may begin.
    pub(super) fn answered(&mut self, written: &[u8]) {
        if !written.starts_with(INTERIM) {
            self.place = LinePosition::Start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut RequestLines) -> String {
        let bytes: Vec<u8> = lines.take(usize::MAX).collect();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn only_the_path_of_each_request_is_encoded() {
        let mut lines = RequestLines::new();
        for part in ["POST /a<", "b>?<q> HTTP/1.1\r\nx: <h>\r\n\r\n", "<body>"] {
            lines.push(part.as_bytes());
        }
        assert_eq!(
            all(&mut lines),
            "POST /a%3Cb%3E?<q> HTTP/1.1\r\nx: <h>\r\n\r\n<body>"
        );
        lines.answered(b"HTTP/1.1 100 Continue\r\n\r\n");
        lines.push(b"GET /more<");
        assert_eq!(all(&mut lines), "GET /more<");
        lines.answered(b"HTTP/1.1 200 OK\r\n\r\n");
        lines.push(b"\r\nGET /<x> HTTP/1.1\r\n\r\n");
        assert_eq!(all(&mut lines), "\r\nGET /%3Cx%3E HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn what_has_no_room_waits() {
        let mut lines = RequestLines::new();
        lines.push(b"GET /<");
        assert_eq!(lines.take(6).count(), 6);
        assert!(!lines.is_empty());
        assert_eq!(all(&mut lines), "3C");
        assert!(lines.is_empty());
    }
}
