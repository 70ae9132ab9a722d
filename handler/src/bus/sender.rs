//! Sends messages to the topic in batches, over a link that is opened when first needed and opened anew when it breaks.
//! Never reorders, and has one transfer on its way at most: an aggregate's messages stay in version order.

use fe2o3_amqp::{
    Sendable,
    types::{
        messaging::{Batch, Body, Data, Message},
        primitives::{Binary, Value},
    },
};
use tokio::sync::Mutex;

use crate::{
    condition::{StoreReason, StoreTrouble},
    error_chain::chain,
};

use super::{
    address::TopicAddress,
    batches::BatchSender,
    envelope::Envelope,
    error::{BusError, SendError},
    link::SenderLink,
};

/// Message format of a batch: each data section is one encoded message.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// Room for the sections around the messages of a batch.
const BATCH_OVERHEAD_BYTES: u64 = 2_048;

/// A sender to one topic.
pub struct TopicSender {
    topic: TopicAddress,
    link: Mutex<Option<SenderLink>>,
}

impl TopicSender {
    /// A sender for this topic; connects when first used.
    #[must_use]
    pub fn new(topic: TopicAddress) -> Self {
        Self {
            topic,
            link: Mutex::new(None),
        }
    }

    /// Trouble that keeps the bus from taking messages now. A token is put, which takes a way there and back; for a
    /// sender that does nothing else, as it would wait behind what is being sent.
    pub async fn probe(&self) -> Option<StoreTrouble> {
        let mut link = self.link.lock().await;
        if let Some(mut open) = link.take()
            && open.prove().await.is_ok()
        {
            *link = Some(open);
            return None;
        }
        match SenderLink::open(&self.topic).await {
            Ok(fresh) => {
                *link = Some(fresh);
                None
            }
            Err(error) => {
                let is_missing = matches!(error, BusError::NotFound(_));
                let reason = if is_missing {
                    StoreReason::Missing
                } else {
                    StoreReason::Unreachable
                };
                Some(StoreTrouble::new(reason, chain(&error).to_string()))
            }
        }
    }

    async fn send_on(&self, link: &mut SenderLink, batch: &[Envelope]) -> Result<(), SendError> {
        let sections = batch
            .iter()
            .map(|envelope| Data(Binary::from(envelope.encoded().to_vec())));
        let body: Body<Value> = Body::Data(Batch::new(sections.collect::<Vec<_>>()));
        let transfer = Sendable::builder()
            .message(Message::builder().body(body).build())
            .message_format(BATCH_FORMAT)
            .build();
        link.send(transfer).await
    }
}

impl BatchSender for TopicSender {
    async fn batch_bytes(&self) -> Result<u64, SendError> {
        let mut link = self.link.lock().await;
        let opened = match link.take() {
            Some(open) => open,
            None => SenderLink::open(&self.topic).await?,
        };
        let bytes = opened.max_bytes().saturating_sub(BATCH_OVERHEAD_BYTES);
        *link = Some(opened);
        Ok(bytes)
    }

    /// A link that was open before and turns out to be dead is replaced once.
    async fn send(&self, batch: &[Envelope]) -> Result<(), SendError> {
        let mut link = self.link.lock().await;
        if let Some(mut open) = link.take() {
            let sent = self.send_on(&mut open, batch).await;
            if let Err(SendError::Unavailable(why)) = &sent {
                tracing::debug!(error = %chain(why), "bus_link_lost");
            } else {
                *link = is_reusable(&sent).then_some(open);
                return sent;
            }
        }
        let mut fresh = SenderLink::open(&self.topic).await?;
        let sent = self.send_on(&mut fresh, batch).await;
        *link = is_reusable(&sent).then_some(fresh);
        sent
    }
}

/// True when the link that this was sent on can be kept: one that the bus has closed would blame the next batch.
fn is_reusable(sent: &Result<(), SendError>) -> bool {
    matches!(sent, Ok(()) | Err(SendError::Busy(_)))
}
