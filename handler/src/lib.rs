//! The custom handler of the order system: one binary that the Azure Functions host starts and talks HTTP to.
//! Never holds state that another process would miss: everything that matters is in PostgreSQL.

pub mod app;
pub mod bus;
pub mod cli;
pub mod condition;
pub mod config;
pub mod domain;
pub mod error_chain;
mod escape;
pub mod health;
pub mod http;
pub mod identity;
pub mod inspect;
pub mod jobs;
pub mod json;
pub mod log;
pub mod migrate;
pub mod panics;
pub mod postgres;
pub mod read;
pub mod relay;
pub mod signals;
pub mod telemetry;
pub mod timer;
pub mod tls;
pub mod triggers;
pub mod write;
