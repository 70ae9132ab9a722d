//! The local stack: everything Azure would provide, as processes and servers on loopback.
//! It never depends on a crate of ours: it meets the handler as a process and on the wire.

mod api;
pub mod app_folder;
pub mod azurite;
mod bus_address;
pub mod cosmos;
pub mod demo;
pub mod escape;
pub mod host;
mod http;
pub mod identity;
mod npm;
pub mod operate;
mod platform;
mod ports;
pub mod postgres;
mod running;
pub mod servicebus;
pub mod stack;
pub mod tls;
pub mod up;
pub mod wire;
