//! The dead letters of a subscription: looked at here, sent again or deleted by jobs.
//! Never takes one out before it is safe elsewhere: resent and accepted, or written to the log.
//!
//! Memory is bounded whatever the size of the queue: a page or a batch of messages, and a lock for each that had to be
//! passed over, of which there is a most.

mod dead_letter;
mod queue;
mod selection;
pub(super) mod sweep;
pub(super) mod sweep_job;
mod view;

pub use dead_letter::{DeadLetter, LetterEvent};
pub use queue::DeadLetterQueue;
pub use selection::DeadLetterSelection;
pub use view::{DeadLetterView, WholeDeadLetter};
