//! The dead letters of a subscription: looked at, sent again to that subscription only, or deleted for a reason.
//! Never takes one out before it is safe elsewhere: resent and accepted, or written to the log.
//!
//! Memory is bounded whatever the size of the queue: a page or a batch of messages, and a lock for each that had to be
//! passed over, of which there is a most.

mod letter;
mod piece;
mod resubmit;
mod selection;
mod sweep;
mod view;

use std::{io, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Subscription, Unfit};
use crate::bus::{BusError, MessageQueue, SendError, TopicAddress, TopicSender};

pub use letter::{Event, Letter};
pub(super) use piece::Cursor;
pub use piece::{Deletion, Resubmission};
pub use selection::Selection;
pub use sweep::{Fate, Tally};
use sweep::{Swept, Worked};
pub use view::{LetterView, WholeLetter};

/// Is told of each letter that has been dealt with, and how far the work has come.
pub type Told<'a> = dyn FnMut(&Letter, &Fate, Tally) -> io::Result<()> + 'a;

/// Why an operation ended early; what it had not dealt with is still a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus is away, slow, or does not let us in.
    #[error(transparent)]
    Bus(BusError),
    /// The topic does not take a message now.
    #[error("cannot send")]
    Send(#[source] SendError),
    /// There is no such subscription, or what is resubmitted would not arrive there, or not there alone.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A selected letter lies too far behind others.
    #[error(
        "{0} other dead letters lie before the next selected one, and no more can be held; deal with these first"
    )]
    TooManyBefore(usize),
    /// What there is to tell cannot be told.
    #[error("cannot write")]
    Output(#[source] io::Error),
}

impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        Self::Bus(error)
    }
}

/// The dead letters of one subscription.
#[derive(Debug, Clone)]
pub struct DeadLetters(pub Subscription);

impl DeadLetters {
    /// Looks at the selected letters in the order of the queue, locking and counting nothing; returns how many.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(
        &self,
        selection: &Selection,
        mut see: impl FnMut(&Letter) -> io::Result<()>,
    ) -> Result<usize, Error> {
        let limit = selection.limit.unwrap_or(usize::MAX);
        let mut seen = 0;
        let mut queue = self.queue().await?;
        sweep::look_through(&mut queue, |letter| {
            if seen < limit && selection.matches(&letter) {
                see(&letter).map_err(Error::Output)?;
                seen += 1;
            }
            Ok(seen < limit)
        })
        .await?;
        Ok(seen)
    }

    /// Looks at so many letters from this sequence number on.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn look(&self, from: i64, most: i32) -> Result<Vec<Letter>, Error> {
        let page = self.queue().await?.peek(from, most).await?;
        Ok(page.into_iter().map(Letter::read).collect())
    }

    /// Sends the selected letters to the topic again, in the order of the queue and marked for this subscription, each
    /// under a MessageId of its own; takes each out when the bus has accepted its copy.
    ///
    /// # Errors
    /// See [`Error`]. `force` overrules [`Unfit::NoRule`], and nothing else.
    pub async fn resubmit(
        &self,
        selection: &Selection,
        force: bool,
        told: &mut Told<'_>,
    ) -> Result<Tally, Error> {
        let mut swept = Swept::default();
        self.resubmit_some((selection, None), force, &mut swept, told)
            .await?;
        Ok(swept.tally)
    }

    /// Takes the selected letters out for good. Each is written to the log first, whole: `deleting_dead_letter`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(
        &self,
        selection: &Selection,
        because: &str,
        told: &mut Told<'_>,
    ) -> Result<Tally, Error> {
        let mut swept = Swept::default();
        self.delete_some((selection, None), because, &mut swept, told)
            .await?;
        Ok(swept.tally)
    }

    /// The same until then; true when all of it is done.
    async fn resubmit_some(
        &self,
        selected: (&Selection, Option<Instant>),
        force: bool,
        swept: &mut Swept,
        told: &mut Told<'_>,
    ) -> Result<bool, Error> {
        self.0.admits_replays(force).await?;
        let bus = TopicSender::new(TopicAddress {
            address: self.0.address.clone(),
            name: self.0.topic.clone(),
        });
        let mut sender = resubmit::Sender::new(bus, self.0.name.clone());
        let work = async |letters: &[Letter]| sender.send(letters).await;
        sweep::sweep(self.queue().await?, selected, swept, work, told).await
    }

    /// The same until then; true when all of it is done.
    async fn delete_some(
        &self,
        selected: (&Selection, Option<Instant>),
        because: &str,
        swept: &mut Swept,
        told: &mut Told<'_>,
    ) -> Result<bool, Error> {
        let work = async |letters: &[Letter]| {
            // Before, so that no kill leaves a deleted message without its line.
            for letter in letters {
                self.log(letter, because);
            }
            Worked {
                fates: vec![Fate::Deleted; letters.len()],
                stopped: None,
            }
        };
        sweep::sweep(self.queue().await?, selected, swept, work, told).await
    }

    fn log(&self, letter: &Letter, because: &str) {
        let received = &letter.received;
        let (message_id, reason) = (received.message_id(), received.reason());
        let bytes = received.body();
        // Whole, and on one line: escaped as text, or in base64.
        let (body, body_base64) = match std::str::from_utf8(&bytes) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(&bytes))),
        };
        let subscription = &self.0.name;
        let sections = Value::Object(received.sections()).to_string();
        tracing::warn!(
            subscription,
            message_id,
            because,
            reason,
            sections,
            body,
            body_base64,
            "deleting_dead_letter"
        );
    }

    async fn queue(&self) -> Result<MessageQueue, Error> {
        let Subscription { address, topic, name } = &self.0;
        let queue = MessageQueue::dead_letters(address, topic, name).await;
        Ok(queue.map_err(|error| self.0.known(error))?)
    }
}
