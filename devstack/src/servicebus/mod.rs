//! A Service Bus emulator: topics, subscriptions and queues over AMQP 1.0, in memory.
//! Never stores anything, and never answers a feature it lacks with silence.

mod amqp;
mod azure_entrance;
mod broker;
mod clock;
pub mod command;
mod door;
mod entities;
mod facts;
mod faults;
mod message;
mod peer;
mod rule;
mod server;
mod shared;
mod switches;
mod token;

pub use broker::Counts;
pub use entities::{Entities, EntitiesError};
pub use server::ServiceBusEmulator;
pub use switches::ServiceBusSwitches;
