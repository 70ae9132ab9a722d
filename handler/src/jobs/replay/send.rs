//! Events as messages for one subscription.
//! Never counts one as sent that the topic has not accepted.

use std::time::Duration;

use tokio::time::Instant;

use super::scan::{Destination, LogScan};
use crate::{
    bus::{
        Envelope, OutgoingMessage, RefusedMessage, SubscriptionName, TopicAddress, TopicSender,
        send_in_batches,
    },
    error_chain::chain,
    jobs::{
        engine::{JobError, JobRow},
        subscription::Subscription,
    },
    log::LogEntry,
};

/// Most events of one step: batches to the bus are cheap.
const MOST: u32 = 500;
/// Longest time of one step for sending.
const SENDING: Duration = Duration::from_secs(8);

/// Sends to one topic for one subscription.
pub(super) struct Sender {
    bus: TopicSender,
    subscription: SubscriptionName,
    number: i64,
}

impl Sender {
    pub(super) fn new(subscription: Subscription, row: &JobRow) -> Self {
        let topic = TopicAddress {
            address: subscription.address,
            name: subscription.topic,
        };
        Self {
            bus: TopicSender::new(topic),
            subscription: subscription.name,
            number: number(row),
        }
    }
}

/// The number that makes the MessageIds of a replay its own: when it was asked for, as Unix time in microseconds.
fn number(row: &JobRow) -> i64 {
    let microseconds = row.requested_at.utc().unix_timestamp_nanos() / 1_000;
    i64::try_from(microseconds).unwrap_or(i64::MAX)
}

impl Destination for Sender {
    fn most(&self) -> u32 {
        MOST
    }

    async fn deliver(&self, scan: &mut LogScan, page: Vec<LogEntry>, upto: i64) -> Result<(), JobError> {
        let (mut ready, mut unfit) = (Vec::with_capacity(page.len()), Vec::new());
        for LogEntry { position, event } in &page {
            let key = *position;
            match Envelope::replay(event, self.number, self.subscription.as_str()) {
                Ok(envelope) => ready.push(OutgoingMessage { key, envelope }),
                Err(error) => unfit.push(RefusedMessage {
                    key,
                    reason: chain(&error).to_string(),
                }),
            }
        }
        let report = send_in_batches(&self.bus, &ready, Instant::now() + SENDING).await;
        scan.arrived(report.sent.len());
        let settled = report.sent.len() + report.refused.len();
        let reached = match ready.get(settled) {
            None => upto,
            // They go out in order, so what is left begins here.
            Some(first_left) => first_left.key - 1,
        };
        scan.reached(reached);
        // What lies behind that comes again.
        unfit.retain(|message| message.key <= reached);
        for RefusedMessage { key, reason } in report.refused.iter().chain(&unfit) {
            if let Some(row) = page.iter().find(|row| row.position == *key) {
                scan.refuse(row.event.event_id, reason.clone());
            }
        }
        report.stopped.map_or(Ok(()), |error| Err(error.into()))
    }
}
