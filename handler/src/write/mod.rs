//! The write side: a command is two statements (read, then one guarded write), and the outbox rows it leaves behind.
//! Never talks to the bus or the read model, and never holds a lock between the two statements.

mod change;
pub mod command;
pub mod migrate;
mod order_rows;
pub mod outbox;
pub mod pool;
mod snapshot;
mod writer;

pub use command::{Accepted, Command, Context, Expected, Once};
pub use writer::{Error, Writer};
