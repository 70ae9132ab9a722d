//! Service Bus over AMQP 1.0: the topic's messages, made from recorded events, and the link they go out on.
//! Never decides what to send or when: that is `relay`. Never receives: the Functions host does.

mod address;
pub mod cloud_event;
mod link;
mod sender;

pub use address::Address;
pub use cloud_event::{CONTENT_TYPE, CloudEvent};
pub use sender::{Bus, Envelope, SendError};
