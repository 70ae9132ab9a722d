//! Answers that wait for credit on their link.
//! Never grows without bound: a request is refused while its link is full.

use std::collections::VecDeque;

use bytes::Bytes;

/// Answers that may wait on one link.
const COUNT: usize = 1_000;
/// Bytes of answers that may wait on one link, before one more.
const SIZE: usize = 1024 * 1024;

/// The answers of one link, in the order of their requests.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: VecDeque<Bytes>,
    size: usize,
}

impl Replies {
    /// True when no request may be answered before the client has taken some of what waits.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= COUNT || self.size >= SIZE
    }

    pub(super) fn push(&mut self, reply: Bytes) {
        self.size += reply.len();
        self.waiting.push_back(reply);
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let reply = self.waiting.pop_front()?;
        self.size -= reply.len();
        Some(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_full_by_count_or_by_size_until_some_are_taken() {
        for (bytes, most) in [(10, COUNT), (SIZE / 4, 4)] {
            let mut replies = Replies::default();
            for _ in 0..most {
                assert!(!replies.is_full(), "{bytes}");
                replies.push(Bytes::from(vec![0; bytes]));
            }
            assert!(replies.is_full(), "{bytes}");
            assert_eq!(replies.pop().map(|reply| reply.len()), Some(bytes));
            assert!(!replies.is_full(), "{bytes}");
        }
    }
}
