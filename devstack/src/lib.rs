//! The local stack: the real parts and stand-ins that the handler runs against on one machine.
//! Never linked with the handler: it meets it as a process and on the wire.

pub mod app_folder;
pub mod cosmos;
pub mod handler_binary;
pub mod host;
pub mod postgres;
pub mod servicebus;
pub mod up;
pub mod wire;
