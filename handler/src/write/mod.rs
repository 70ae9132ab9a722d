//! The write side: a command is two statements (read, then one guarded write), and the outbox rows it leaves behind.
//! Never talks to the bus or the read model, and never holds a lock between the two statements.

mod batch;
mod batch_state;
mod cache;
mod change;
mod columns;
mod context;
mod decide;
pub mod lookup;
mod order_rows;
mod outcome;
pub mod pool;
mod preconditions;
mod readiness;
mod snapshot;
mod statement;
mod writer;

pub use context::{CommandContext, IdempotencyKey};
pub use outcome::{AcceptedCommand, CommandResult, WriteError};
pub use pool::NEEDED_SCHEMA;
pub use preconditions::{FailedPrecondition, Preconditions, Versions};
pub use readiness::probe;
pub use writer::Writer;
