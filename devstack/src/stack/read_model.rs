//! The read model of a stack.
//! It never starts one.

use clap::ValueEnum;

/// Store of the documents that queries answer from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReadModel {
    /// In documents of Cosmos DB, which events reach over Service Bus.
    #[default]
    Cosmos,
    /// In PostgreSQL, beside the write model; neither Service Bus nor Cosmos DB is started.
    Postgres,
}
