//! Service Bus over AMQP 1.0: the topic's messages, made from recorded events, and the links they go out and come back on.
//! Never decides what to send, or what becomes of a message: that is for `relay` and `jobs`. Never receives for the
//! projector: the Functions host does.

mod address;
mod batches;
pub mod cloud_event;
mod connection;
mod envelope;
mod error;
mod link;
mod lock;
mod management;
mod queue;
mod received;
mod receiver;
mod rule;
mod sections;
mod sender;
mod settlement;
mod subscription;
mod value_json;

pub use address::{NamespaceAddress, TopicAddress};
pub use batches::{BatchSender, OutgoingMessage, RefusedMessage, SendReport, send_in_batches};
pub use cloud_event::{CONTENT_TYPE, CloudEvent};
pub use envelope::Envelope;
pub use error::{BusError, SendError};
pub use lock::{Completion, LockedMessage, MessageLock, ReceivedBatch};
pub use queue::{MessageQueue, rules};
pub use received::ReceivedMessage;
pub use rule::{ReplayAdmission, SubscriptionRule};
pub use sender::TopicSender;
pub use settlement::MessageSettlement;
pub use subscription::SubscriptionName;
