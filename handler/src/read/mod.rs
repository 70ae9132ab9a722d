//! The read side: what is read, how events come into it, and how it is asked.
//! Never talks to the write model's code: whatever a document needs has come with its event.

pub mod apply;
pub mod change;
pub mod connection;
pub mod cosmos;
pub mod document;
pub mod generation;
pub mod incoming;
pub mod jitter;
mod lag;
mod memory;
pub mod model;
mod plausible;
#[cfg(test)]
mod projection_tests;
pub mod projector;
pub mod store;
pub mod tables;
pub mod view;

pub use connection::{Account, Connection};
pub use generation::Generations;
pub use model::ReadModel;
pub use projector::Projector;
pub use tables::Tables;
