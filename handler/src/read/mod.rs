//! The read side: the read model, the projections that keep it, and the queries.
//! Never calls the write model's code: everything that a document needs comes with its event.

pub mod apply;
mod cache;
mod cached_store;
pub mod change;
mod combining;
pub mod connection;
pub mod cosmos;
pub mod document;
pub mod generation;
pub mod incoming;
pub mod jitter;
mod lag;
pub mod model;
mod plausible;
pub mod position;
#[cfg(test)]
mod projection_tests;
pub mod projector;
pub mod store;
pub mod tables;
pub mod view;

pub use connection::{CosmosAccount, CosmosConnection, CosmosCredential};
pub use generation::PointerCache;
pub use model::ReadModel;
pub use projector::Projector;
pub use tables::TableReadModel;
