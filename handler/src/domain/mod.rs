//! The rules of the shop: values, events, and for each aggregate its `decide` and `evolve`.
//! Never async, never I/O, never a clock or an id generator: times and ids come in with the command.

pub mod aggregate;
mod blank;
pub mod command;
pub mod customer;
pub mod event;
pub mod fold;
pub mod order;
pub mod product;
pub mod quote;
pub mod rejection;
pub mod some;
pub mod timestamp;
pub mod value;

#[cfg(test)]
pub(crate) mod testing;
