//! Service Bus over AMQP 1.0: the topic's messages, made from recorded events, and the links they go out and come back on.
//! Never decides what to send, or what becomes of a message: that is for `relay` and `operations`. Never receives for the
//! projector: the Functions host does.

mod address;
pub mod cloud_event;
mod connection;
mod envelope;
mod link;
mod management;
mod queue;
mod received;
mod rule;
mod sections;
mod sender;
mod settlement;

pub use address::{Address, TopicAddress};
pub use cloud_event::{CONTENT_TYPE, CloudEvent};
pub use connection::BusError;
pub use envelope::{Envelope, fitting};
pub use queue::{Batch, Lock, Locked, Queue, rules};
pub use received::Received;
pub use rule::{Admits, Rule};
pub use sender::{Bus, SendError, Topic};
pub use settlement::Settlement;
