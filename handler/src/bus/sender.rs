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

use crate::condition::{Reason, Trouble};

use super::{address::Address, connection::BusError, envelope::Envelope, link::Link};

/// Message format of a batch: each data section is one encoded message.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// Room for the sections around the messages of a batch.
const BATCH_OVERHEAD_BYTES: u64 = 2_048;

pub(super) type Transfer = Sendable<Body<Value>>;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The bus is away or slow: all of it can be sent again later.
    #[error("{0}")]
    Unavailable(String),
    /// The bus has answered that it does not take it now: all of it can be sent again later, and not before.
    #[error("{0}")]
    Busy(String),
    /// The bus will not take this content, ever.
    #[error("{0}")]
    Refused(String),
}

/// What takes batches of messages, one after the other: the topic on the bus, or the one of a simulation.
pub trait Topic: Send + Sync {
    /// How many bytes of messages fit into one batch.
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

/// Whatever keeps a link from being opened may pass.
impl From<BusError> for SendError {
    fn from(error: BusError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The topic, as one sender sees it.
pub struct Bus {
    address: Address,
    topic: String,
    link: Mutex<Option<Link>>,
}

impl Bus {
    /// A sender for this topic; connects when first used.
    #[must_use]
    pub fn new(address: Address, topic: String) -> Self {
        Self {
            address,
            topic,
            link: Mutex::new(None),
        }
    }

    /// How many bytes of messages fit into one batch.
    ///
    /// # Errors
    /// [`SendError::Unavailable`] when there is no link and none can be opened.
    pub async fn batch_bytes(&self) -> Result<u64, SendError> {
        let mut link = self.link.lock().await;
        let opened = match link.take() {
            Some(open) => open,
            None => Link::open(&self.address, &self.topic).await?,
        };
        let bytes = opened.max_bytes().saturating_sub(BATCH_OVERHEAD_BYTES);
        *link = Some(opened);
        Ok(bytes)
    }

    /// What keeps the bus from taking messages now, if anything does. A token is put, which takes a way there and back; for a
    /// sender that does nothing else, as it would wait behind what is being sent.
    pub async fn look(&self) -> Option<Trouble> {
        let mut link = self.link.lock().await;
        if let Some(mut open) = link.take()
            && open.prove(&self.topic).await.is_ok()
        {
            *link = Some(open);
            return None;
        }
        match Link::open(&self.address, &self.topic).await {
            Ok(fresh) => {
                *link = Some(fresh);
                None
            }
            Err(error @ BusError::NotFound(_)) => Some(Trouble::new(Reason::Missing, error.to_string())),
            Err(error) => Some(Trouble::new(Reason::Unreachable, error.to_string())),
        }
    }

    /// Sends all of it or nothing. A link that was open before and turns out to be dead is replaced once.
    ///
    /// # Errors
    /// See [`SendError`]; after `Unavailable` the messages may have arrived nevertheless.
    pub async fn send(&self, batch: &[Envelope]) -> Result<(), SendError> {
        let mut link = self.link.lock().await;
        if let Some(mut open) = link.take() {
            let sent = self.send_on(&mut open, batch).await;
            if let Err(SendError::Unavailable(why)) = &sent {
                tracing::debug!(error = %why, "bus_link_lost");
            } else {
                *link = good(&sent).then_some(open);
                return sent;
            }
        }
        let mut fresh = Link::open(&self.address, &self.topic).await?;
        let sent = self.send_on(&mut fresh, batch).await;
        *link = good(&sent).then_some(fresh);
        sent
    }

    async fn send_on(&self, link: &mut Link, batch: &[Envelope]) -> Result<(), SendError> {
        let sections = batch
            .iter()
            .map(|envelope| Data(Binary::from(envelope.encoded().to_vec())));
        let body: Body<Value> = Body::Data(Batch::new(sections.collect::<Vec<_>>()));
        let transfer = Sendable::builder()
            .message(Message::builder().body(body).build())
            .message_format(BATCH_FORMAT)
            .build();
        link.send(&self.topic, transfer).await
    }
}

impl Topic for Bus {
    async fn batch_bytes(&self) -> Result<u64, SendError> {
        self.batch_bytes().await
    }

    async fn send(&self, batch: &[Envelope]) -> Result<(), SendError> {
        self.send(batch).await
    }
}

/// Whether the link that this was sent on can be kept: one that the bus has closed would blame the next batch.
fn good(sent: &Result<(), SendError>) -> bool {
    matches!(sent, Ok(()) | Err(SendError::Busy(_)))
}
