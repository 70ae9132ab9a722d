//! Faults of the bus itself, at the turn of a switch: away, busy, forgetful of tokens, cut off at the worst moment.
//! They never change what a message is, and what they let pass is as it always is.

use std::sync::Arc;

use super::broker::Counts;
use super::shared::SharedState;

/// The switches of one bus; clones turn the same ones.
///
/// Where a switch takes a number it is how many times from now on: 0 is never, `u64::MAX` is until it is turned off.
#[derive(Clone, Debug, Default)]
pub struct ServiceBusSwitches(pub(super) Arc<SharedState>);

impl ServiceBusSwitches {
    /// Breaks every connection there is, without a word; what it had locked stays locked.
    pub fn drop_connections(&self) {
        self.0.faults.drop_connections();
    }

    /// Closes every new connection before it has said anything, or no longer; those there are stay.
    pub fn refuse_connections(&self, refused: bool) {
        self.0.faults.refuse(refused);
    }

    /// Rejects the `next` deliveries that are sent to a topic or queue, a batch as one, with `server-busy`.
    pub fn busy(&self, next: u64) {
        self.0.faults.busy.turn(next);
    }

    /// Breaks the connection over each of the `next` deliveries sent, and stores nothing of them.
    pub fn cut_before_storing(&self, next: u64) {
        self.0.faults.cut_before_storing.turn(next);
    }

    /// Breaks the connection over each of the `next` deliveries sent once it is stored: the sender cannot know.
    pub fn cut_after_storing(&self, next: u64) {
        self.0.faults.cut_after_storing.turn(next);
    }

    /// Breaks the connection over each of the `next` outcomes of receivers, which have no effect.
    pub fn cut_before_settling(&self, next: u64) {
        self.0.faults.cut_before_settling.turn(next);
    }

    /// Breaks the connection over each of the `next` outcomes once it has had its effect: the receiver cannot know.
    pub fn cut_after_settling(&self, next: u64) {
        self.0.faults.cut_after_settling.turn(next);
    }

    /// Lets every lock there is run out now, each a failed delivery.
    pub fn expire_locks(&self) {
        self.0.broker().expire_locks();
        self.0.wake();
    }

    /// Lets every window of duplicate detection run out now, so that an id that was seen is new again.
    pub fn forget_ids(&self) {
        self.0.broker().forget_ids();
    }

    /// Answers the `next` requests to put a token with 401.
    pub fn refuse_tokens(&self, next: u64) {
        self.0.faults.refuse_tokens.turn(next);
    }

    /// Lets every token there is run out now, which detaches the links that it carried.
    ///
    /// A connection that proved at its start to know the key needs no token.
    pub fn expire_tokens(&self) {
        self.0.faults.expire_tokens();
    }

    /// Turns every switch off; what has gone wrong stays so.
    pub fn off(&self) {
        self.refuse_connections(false);
        let faults = &self.0.faults;
        for next in [
            &faults.busy,
            &faults.cut_before_storing,
            &faults.cut_after_storing,
            &faults.cut_before_settling,
            &faults.cut_after_settling,
            &faults.refuse_tokens,
        ] {
            next.turn(0);
        }
    }

    /// The number of deliveries rejected with `server-busy` so far, a batch as one.
    pub fn rejected_as_busy(&self) -> u64 {
        self.0.faults.busy.met()
    }

    /// The number of requests to put a token that have been refused so far.
    pub fn tokens_refused(&self) -> u64 {
        self.0.faults.refuse_tokens.met()
    }

    /// The number of messages in a queue or subscription, those under a lock too; `None` when there is none of this path.
    pub fn held(&self, path: &str) -> Option<usize> {
        self.0.broker().held(path)
    }

    /// Counts everything that the bus has done so far.
    pub fn counts(&self) -> Counts {
        self.0.broker().counts()
    }
}
