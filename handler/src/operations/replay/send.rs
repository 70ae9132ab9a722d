//! Events as messages for one subscription.
//! Never counts one as sent that the topic has not accepted.

use std::time::Duration;

use tokio::time::Instant;

use super::Cursor;
use crate::{
    bus::{Bus, Envelope},
    operations::{Failed, addressee::Subscription},
    relay,
    write::outbox::Pending,
};

/// How long one piece may spend on sending.
const SENDING: Duration = Duration::from_secs(8);

/// Sends to one topic for one subscription.
pub(in crate::operations) struct Sender {
    bus: Bus,
    subscription: String,
    number: i64,
}

impl Sender {
    /// `number` makes the MessageIds of this replay its own.
    pub(in crate::operations) fn new(subscription: Subscription, number: i64) -> Self {
        let Subscription { address, topic, name } = subscription;
        Self {
            bus: Bus::new(address, topic),
            subscription: name,
            number,
        }
    }

    /// Sends a page of the log; everything up to `upto` is done then.
    pub(in crate::operations) async fn send(
        &self,
        cursor: &mut Cursor,
        page: Vec<Pending>,
        upto: i64,
    ) -> Result<(), Failed> {
        let (mut ready, mut unfit) = (Vec::with_capacity(page.len()), Vec::new());
        for Pending { position, event } in &page {
            match Envelope::replay(event, self.number, &self.subscription) {
                Ok(envelope) => ready.push((*position, envelope)),
                Err(error) => unfit.push((*position, error.to_string())),
            }
        }
        let verdict = relay::send(&self.bus, &ready, Instant::now() + SENDING).await;
        cursor.done += i64::try_from(verdict.sent.len()).unwrap_or(i64::MAX);
        let settled = verdict.sent.len() + verdict.parked.len();
        cursor.position = match ready.get(settled) {
            None => upto,
            // They go out in order, so what is left begins here.
            Some((first_left, _)) => first_left - 1,
        };
        // What lies behind that comes again.
        unfit.retain(|(position, _)| *position <= cursor.position);
        for (position, why) in verdict.parked.iter().chain(&unfit) {
            if let Some(row) = page.iter().find(|row| row.position == *position) {
                cursor.refuse(row.event.event_id, why.clone());
            }
        }
        verdict.stopped.map_or(Ok(()), |why| Err(Failed::Bus(why)))
    }
}
