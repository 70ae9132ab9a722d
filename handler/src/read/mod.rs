//! The read side: documents in Cosmos DB, how events become them, and how they are read; or the schema `read_model`.
//! Never talks to the write model's code: whatever a document needs has come with its event.

pub mod document;
pub mod incoming;
pub mod projector;
pub mod store;
pub mod tables;
pub mod view;

pub use projector::Projector;
pub use store::Store;
pub use tables::Tables;
