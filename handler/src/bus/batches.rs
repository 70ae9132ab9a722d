//! Messages sent in batches: each as large as the topic takes it, one after the other, until it is late.
//! Never reorders, and never decides what becomes of a message that is refused.

use tokio::time::Instant;

use super::{envelope::Envelope, error::SendError};
use crate::error_chain::{cause, chain};

/// A topic that takes batches of messages, one after the other: on the bus, or in a simulation.
pub trait BatchSender: Send + Sync {
    /// The number of bytes of messages that fit into one batch.
    ///
    /// # Errors
    /// [`SendError::Unavailable`] when there is no way to the topic now.
    fn batch_bytes(&self) -> impl Future<Output = Result<u64, SendError>> + Send;

    /// Sends all of it or nothing.
    ///
    /// # Errors
    /// See [`SendError`]; after `Unavailable` the messages may have arrived nevertheless.
    fn send(&self, batch: &[Envelope]) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// A message to be sent, under a number by which its sender knows it again.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// Unique among the messages that are sent together, such as a position of the log.
    pub key: i64,
    /// The message.
    pub envelope: Envelope,
}

/// A message that the bus will never take.
#[derive(Debug, Clone)]
pub struct RefusedMessage {
    /// See [`OutgoingMessage::key`].
    pub key: i64,
    /// The bus's words, or why it cannot be encoded.
    pub reason: String,
}

/// The outcome of sending some messages; those that it does not name may be sent again.
#[derive(Debug, Default)]
pub struct SendReport {
    /// The keys of those that the bus has.
    pub sent: Vec<i64>,
    /// Those that it refused for their content.
    pub refused: Vec<RefusedMessage>,
    /// The reason why sending ended before the rest, if it did.
    pub stopped: Option<SendError>,
}

/// Sends messages in their order, and begins no batch later than `until`.
pub async fn send_in_batches(
    topic: &impl BatchSender,
    messages: &[OutgoingMessage],
    until: Instant,
) -> SendReport {
    let mut report = SendReport::default();
    let limit = match topic.batch_bytes().await {
        Ok(limit) => limit,
        Err(error) => {
            report.stopped = Some(error);
            return report;
        }
    };
    let mut rest = messages;
    while !rest.is_empty() && report.stopped.is_none() && Instant::now() < until {
        let (batch, later) = rest.split_at(fitting(rest, limit));
        send_batch(topic, batch, until, &mut report).await;
        rest = later;
    }
    report
}

/// Sends one batch; when the bus refuses its content, halves it until the culprit is alone.
async fn send_batch(
    topic: &impl BatchSender,
    batch: &[OutgoingMessage],
    until: Instant,
    report: &mut SendReport,
) {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        if Instant::now() >= until {
            report.stopped = Some(SendError::Unavailable(cause("the bus is too slow")));
            return;
        }
        let envelopes: Vec<Envelope> = part.iter().map(|message| message.envelope.clone()).collect();
        match (topic.send(&envelopes).await, part) {
            (Ok(()), part) => report.sent.extend(part.iter().map(|message| message.key)),
            (Err(SendError::Refused(cause)), [OutgoingMessage { key, .. }]) => {
                let (key, reason) = (*key, chain(&cause).to_string());
                report.refused.push(RefusedMessage { key, reason });
            }
            (Err(SendError::Refused(_)), part) => {
                let (first, second) = part.split_at(part.len() / 2);
                // The last one is taken first: the order stays.
                parts.extend([second, first]);
            }
            (Err(error), _) => {
                report.stopped = Some(error);
                return;
            }
        }
    }
}

/// The number of first messages that fit into so many bytes; at least one, so that the bus itself refuses one that is too large.
fn fitting(messages: &[OutgoingMessage], limit: u64) -> usize {
    let mut bytes = 0;
    let fit = messages.iter().take_while(|message| {
        bytes += message.envelope.bytes();
        bytes <= limit
    });
    fit.count().max(1)
}
