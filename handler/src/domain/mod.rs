//! The rules of the shop: values, events, and for each aggregate its `decide` and `evolve`.
//! Never async, never I/O, never a clock or an id generator: times and ids come in with the command.

mod blank;
pub mod customer;
pub mod event;
pub mod order;
mod pricing;
pub mod product;
pub mod quote;
pub mod rejection;
pub mod some;
pub mod utc;
pub mod value;

#[cfg(test)]
pub(crate) mod testing;
