//! The queue of dead letters, looked at.
//! Never locks or counts anything by looking.

use std::ops::ControlFlow;

use super::{
    super::{engine::JobError, subscription::Subscription},
    dead_letter::DeadLetter,
    selection::DeadLetterSelection,
};
use crate::{
    bus::{BusError, MessageQueue},
    error_chain::cause,
};

/// Messages per page.
const PAGE: i32 = 50;

/// The dead letters of one subscription.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue(pub Subscription);

impl DeadLetterQueue {
    /// Shows the selected letters in the order of the queue; returns how many were shown.
    ///
    /// # Errors
    /// When the bus is away, or there is no such subscription.
    pub async fn list(
        &self,
        selection: &DeadLetterSelection,
        mut show: impl FnMut(&DeadLetter) -> ControlFlow<()> + Send,
    ) -> Result<usize, JobError> {
        let limit = selection.limit.unwrap_or(usize::MAX);
        let mut shown = 0;
        let mut queue = self.open().await?;
        look_through(&mut queue, 0, |letter| {
            if shown < limit && selection.matches(&letter) {
                show(&letter)?;
                shown += 1;
            }
            if shown < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
        .await?;
        Ok(shown)
    }

    /// Reads so many letters from this sequence number on.
    ///
    /// # Errors
    /// See [`Self::list`].
    pub async fn peek(&self, from: i64, most: i32) -> Result<Vec<DeadLetter>, JobError> {
        let page = self.open().await?.peek(from, most).await?;
        Ok(page.into_iter().map(DeadLetter::read).collect())
    }

    pub(in crate::jobs) async fn open(&self) -> Result<MessageQueue, JobError> {
        let Subscription { address, topic, name } = &self.0;
        let queue = MessageQueue::dead_letters(address, topic, name).await;
        Ok(queue.map_err(|error| self.0.explained(error))?)
    }
}

/// Looks through the queue from this sequence number on, page by page, until `look` has seen enough.
pub(super) async fn look_through(
    queue: &mut MessageQueue,
    mut from: i64,
    mut look: impl FnMut(DeadLetter) -> ControlFlow<()> + Send,
) -> Result<(), JobError> {
    loop {
        let page = queue.peek(from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let next = last.sequence() + 1;
        if next <= from {
            let why = "the bus shows the same messages again";
            return Err(BusError::Unavailable(cause(why)).into());
        }
        from = next;
        for received in page {
            if look(DeadLetter::read(received)).is_break() {
                return Ok(());
            }
        }
    }
}
