//! The local stack: emulators of the services the system runs on.
//! Never part of what is deployed.

pub mod servicebus;
