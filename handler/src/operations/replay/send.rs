//! Events as messages for one subscription.
//! Never counts one as sent that the topic has not accepted.

use std::time::Duration;

use tokio::time::Instant;

use super::Cursor;
use crate::{
    bus::{Envelope, OutgoingMessage, RefusedMessage, TopicAddress, TopicSender, send_in_batches},
    error_chain::{cause, chain},
    log::LogEntry,
    operations::{Failed, addressee::Subscription},
};

/// How long one piece may spend on sending.
const SENDING: Duration = Duration::from_secs(8);

/// Sends to one topic for one subscription.
pub(in crate::operations) struct Sender {
    bus: TopicSender,
    subscription: String,
    number: i64,
}

impl Sender {
    /// `number` makes the MessageIds of this replay its own.
    pub(in crate::operations) fn new(subscription: Subscription, number: i64) -> Self {
        let topic = TopicAddress {
            address: subscription.address,
            name: subscription.topic,
        };
        Self {
            bus: TopicSender::new(topic),
            subscription: subscription.name,
            number,
        }
    }

    /// Sends a page of the log; everything up to `upto` is done then.
    pub(in crate::operations) async fn send(
        &self,
        cursor: &mut Cursor,
        page: Vec<LogEntry>,
        upto: i64,
    ) -> Result<(), Failed> {
        let (mut ready, mut unfit) = (Vec::with_capacity(page.len()), Vec::new());
        for LogEntry { position, event } in &page {
            let key = *position;
            match Envelope::replay(event, self.number, &self.subscription) {
                Ok(envelope) => ready.push(OutgoingMessage { key, envelope }),
                Err(error) => unfit.push(RefusedMessage {
                    key,
                    reason: chain(&error).to_string(),
                }),
            }
        }
        let report = send_in_batches(&self.bus, &ready, Instant::now() + SENDING).await;
        cursor.done += i64::try_from(report.sent.len()).unwrap_or(i64::MAX);
        let settled = report.sent.len() + report.refused.len();
        cursor.position = match ready.get(settled) {
            None => upto,
            // They go out in order, so what is left begins here.
            Some(first_left) => first_left.key - 1,
        };
        // What lies behind that comes again.
        unfit.retain(|message| message.key <= cursor.position);
        for RefusedMessage { key, reason } in report.refused.iter().chain(&unfit) {
            if let Some(row) = page.iter().find(|row| row.position == *key) {
                cursor.refuse(row.event.event_id, reason.clone());
            }
        }
        let stopped = report.stopped.map(|error| Failed::Bus(cause(error)));
        stopped.map_or(Ok(()), Err)
    }
}
