//! The AMQP 1.0 wire: values, their encoding, frames and the codes of the performatives.
//! Never holds state and never panics on bytes from a peer.

pub(crate) mod code;
mod decode;
mod encode;
pub(crate) mod frame;
mod performative;
mod value;

pub(crate) use decode::{Malformed, decode};
pub(crate) use encode::{encode, encode_described};
pub(crate) use performative::{AmqpError, Performative};
pub(crate) use value::Value;
