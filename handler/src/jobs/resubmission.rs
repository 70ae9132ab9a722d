//! The job that sends dead letters to the topic again, for their own subscription only.
//! Never counts a letter as sent before the bus has accepted it.

use std::{borrow::Cow, time::Duration};

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    dead_letters::{
        DeadLetter, DeadLetterSelection,
        sweep::{BatchOutcome, Disposition, LetterWork},
        sweep_job::LetterCursor,
    },
    engine::{Job, JobError, JobState, StepContext, StepOutcome, Violation},
    resources::Resources,
};
use crate::{
    bus::{
        Envelope, OutgoingMessage, RefusedMessage, SendError, SubscriptionName, TopicAddress, TopicSender,
        send_in_batches,
    },
    error_chain::{cause, chain},
};

/// Longest time for sending one batch of letters.
const SENDING: Duration = Duration::from_secs(30);

/// Longest MessageId (Microsoft: "Azure Service Bus quotas"), and what `/r` and a number take of it at most; in units of UTF-16,
/// as .NET counts.
const LONGEST_ID: usize = 128;
const NUMBERED: usize = 2 + 19;
/// Length of the digest that tells a shortened id from others, in characters of hex.
const DIGEST: usize = 32;
/// No number that we have given: one that can be counted on from.
const GREATEST: i64 = i64::MAX / 4 * 3;

/// Dead letters sent once more to their own subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resubmission {
    /// The subscription whose dead letters they are.
    #[arg(long, env = "ServiceBusSubscription", default_value_t)]
    pub subscription: SubscriptionName,
    /// The dead letters that are meant; all of them need `"all": true`.
    #[command(flatten)]
    pub letters: DeadLetterSelection,
    /// Send even where others may get them, too.
    #[serde(default)]
    #[arg(long)]
    pub force: bool,
}

impl Job<Resources> for Resubmission {
    const KIND: &'static str = "resubmission";
    const SUMMARY: &'static str = "Plan to send dead letters once more to their subscription";
    const DETAIL: &'static str = "Counts first, and sends nothing until the job is brought into the state `running`. Each is taken out when the topic has accepted its copy. All of them need `all: true`.";
    const FIRST_STATE: JobState = JobState::Planning;
    type Cursor = LetterCursor;

    fn example() -> Value {
        json!({ "subscription": "read-model", "letters": { "reason": "MaxDeliveryCountExceeded" }, "force": false })
    }

    fn needs(resources: &Resources) -> Result<(), JobError> {
        resources.topic().map(drop)
    }

    fn validate(&self) -> Vec<Violation> {
        self.letters.violations()
    }

    async fn may_start(&self, resources: &Resources) -> Result<(), JobError> {
        let subscription = resources.subscription(&self.subscription)?;
        Ok(subscription.admits_replays(self.force).await?)
    }

    async fn step(
        &self,
        resources: &Resources,
        context: &StepContext<'_>,
        cursor: &mut LetterCursor,
    ) -> Result<StepOutcome, JobError> {
        let letters = resources.dead_letters(&self.subscription)?;
        if context.is_planning() {
            return cursor.plan(&letters, &self.letters, context).await;
        }
        // Asked each time: its rules may be others by now.
        letters.0.admits_replays(self.force).await?;
        let bus = TopicSender::new(TopicAddress {
            address: letters.0.address.clone(),
            name: letters.0.topic.clone(),
        });
        let mut resubmitter = Resubmitter::new(bus, letters.0.name.clone());
        cursor
            .deal(&letters, &self.letters, &mut resubmitter, context)
            .await
    }
}

/// Sends to one topic for one subscription.
struct Resubmitter {
    bus: TopicSender,
    subscription: SubscriptionName,
    /// The last number given.
    last: i64,
}

impl Resubmitter {
    fn new(bus: TopicSender, subscription: SubscriptionName) -> Self {
        Self {
            bus,
            subscription,
            last: 0,
        }
    }

    fn next_id(&mut self, old: &str) -> String {
        let now_us = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
        let now_us = i64::try_from(now_us).unwrap_or(i64::MAX);
        let (event, number) = numbered(old);
        self.last = now_us.max(self.last + 1).max(number + 1);
        format!("{}/r{}", shortened(event), self.last)
    }
}

impl LetterWork for Resubmitter {
    /// Sends letters in their order, in as few batches as they fit into.
    async fn work(&mut self, letters: &[DeadLetter]) -> BatchOutcome {
        let mut dispositions: Vec<Option<Disposition>> = letters.iter().map(|_| None).collect();
        let (mut ids, mut ready) = (
            Vec::with_capacity(letters.len()),
            Vec::with_capacity(letters.len()),
        );
        for (key, letter) in (0..).zip(letters) {
            let id = self.next_id(&letter.received.message_id());
            match Envelope::again(&letter.received, &id, self.subscription.as_str()) {
                Ok(envelope) => ready.push(OutgoingMessage { key, envelope }),
                Err(error) => {
                    let why = chain(&error).to_string();
                    settle(&mut dispositions, key, Disposition::Kept(why));
                }
            }
            ids.push(id);
        }
        let report = send_in_batches(&self.bus, &ready, Instant::now() + SENDING).await;
        for place in report.sent {
            let id = usize::try_from(place)
                .ok()
                .and_then(|place| ids.get(place))
                .cloned();
            settle(
                &mut dispositions,
                place,
                Disposition::Resubmitted(id.unwrap_or_default()),
            );
        }
        for RefusedMessage { key, reason } in report.refused {
            settle(&mut dispositions, key, Disposition::Kept(reason));
        }
        // They go out in order: behind the first without a disposition nothing was sent.
        let dispositions: Vec<Disposition> = dispositions.into_iter().map_while(|it| it).collect();
        let late = || SendError::Unavailable(cause("the bus is too slow"));
        let late = (dispositions.len() < letters.len()).then(late);
        BatchOutcome {
            dispositions,
            stopped: report.stopped.or(late).map(JobError::from),
        }
    }
}

/// The id as it is, or as much of it as leaves room for a number; the same one each time, and another for another id.
fn shortened(id: &str) -> Cow<'_, str> {
    const ROOM: usize = LONGEST_ID - NUMBERED;
    let units = |text: &str| text.encode_utf16().count();
    if units(id) <= ROOM {
        return Cow::Borrowed(id);
    }
    let mut left = ROOM - DIGEST - 1;
    let begin: String = id
        .chars()
        .take_while(|letter| {
            let rest = left.checked_sub(letter.len_utf16());
            left = rest.unwrap_or(0);
            rest.is_some()
        })
        .collect();
    let digest = format!("{:x}", Sha256::digest(id));
    Cow::Owned(format!("{begin}~{}", &digest[..DIGEST]))
}

/// The end of the letter at this place.
fn settle(dispositions: &mut [Option<Disposition>], place: i64, disposition: Disposition) {
    if let Some(open) = usize::try_from(place)
        .ok()
        .and_then(|place| dispositions.get_mut(place))
    {
        *open = Some(disposition);
    }
}

/// The parts of `<event id>/r<n>`; of any other MessageId all of it, and 0.
///
/// The number says when it was sent (Unix time in microseconds), which makes it greater than the last one and new. It must
/// be new each time, because the topic drops a message whose id it has seen within ten minutes. Counting up from the id in
/// hand would use the same one for the dead letters that two subscriptions have of one event, and for a letter that was
/// resubmitted, failed again and was deleted while its first copy is resubmitted once more; then what is dropped is in
/// nobody's queue any more. The price is that a letter which was sent, and not taken out because of a kill, is delivered
/// twice after the next resubmission. That is harmless: an older or equal version changes no document.
fn numbered(message_id: &str) -> (&str, i64) {
    message_id
        .rsplit_once("/r")
        .and_then(|(event, number)| Some((event, number.parse().ok()?)))
        .filter(|(_, number)| (0..=GREATEST).contains(number))
        .filter(|(event, _)| !event.is_empty())
        .unwrap_or((message_id, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::TopicAddress;

    fn sender() -> Resubmitter {
        let address = "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k";
        let bus = TopicSender::new(TopicAddress::parse(address, "t").unwrap());
        Resubmitter::new(bus, "s".parse().unwrap())
    }

    #[test]
    fn an_id_never_outgrows_the_bus_and_stays_the_same() {
        let long = [
            "x".repeat(128),
            format!("{}y", "x".repeat(127)),
            "\u{1f4e6}".repeat(64),
            "\u{e9}".repeat(108),
        ];
        for id in &long {
            let first = sender().next_id(id);
            assert!(first.encode_utf16().count() <= LONGEST_ID, "{first}");
            let again = sender().next_id(&first);
            assert_eq!(numbered(&again).0, numbered(&first).0);
            assert_eq!(numbered(&sender().next_id(id)).0, numbered(&first).0);
        }
        assert_ne!(shortened(&long[0]), shortened(&long[1]));
        let fits = "x".repeat(107);
        assert_eq!(numbered(&sender().next_id(&fits)).0, fits);
    }

    #[test]
    fn a_number_is_replaced_by_a_greater_one_and_never_used_twice() {
        let mut sender = sender();
        let far = i64::MAX / 2;
        let ids = ["e", "e", "e/r3", &format!("e/r{far}")].map(|old| sender.next_id(old));
        let numbers = ids.each_ref().map(|id| numbered(id));
        assert!(numbers.iter().all(|(event, _)| *event == "e"), "{ids:?}");
        assert!(numbers.is_sorted_by(|(_, a), (_, b)| a < b), "{ids:?}");
        assert_eq!(numbers[3].1, far + 1);
    }

    #[test]
    fn an_id_that_only_looks_numbered_is_kept_whole() {
        for id in [
            "",
            "/r1",
            "a/r",
            "a/rx",
            "a/r-1",
            "a/b",
            "a/r9223372036854775807",
            "a/r9223372036854775806",
            "a/r99999999999999999999",
        ] {
            assert_eq!(numbered(id), (id, 0));
            if !id.is_empty() {
                let again = sender().next_id(id);
                assert_eq!(numbered(&again).0, id, "{again}");
            }
        }
        assert_eq!(numbered("a/r1/r2"), ("a/r1", 2));
    }
}
