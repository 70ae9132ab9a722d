//! The read side: documents in Cosmos DB, how events become them, and how they are read.
//! Never talks to the write model: whatever a document needs has come with its event.

pub mod document;
pub mod incoming;
pub mod projector;
pub mod store;
pub mod view;

pub use projector::Projector;
pub use store::Store;
