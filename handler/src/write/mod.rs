//! The write side: a command is two statements (read, then one guarded write), and the outbox rows it leaves behind.
//! Never talks to the bus or the read model, and never holds a lock between the two statements.

mod batch;
mod cache;
mod change;
mod columns;
pub mod command;
mod decide;
mod look;
pub mod lookup;
mod order_rows;
pub mod pool;
mod snapshot;
mod statement;
mod working;
mod writer;

pub use command::{Accepted, Command, Context, Once, Preconditions, State, Unmet, Versions};
pub use look::look;
pub use pool::NEEDED_SCHEMA;
pub use writer::{Error, Writer};
