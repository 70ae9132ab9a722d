//! The custom handler of the order system: one binary that the Azure Functions host starts and talks HTTP to.
//! Never holds state that another process would miss: everything that matters is in PostgreSQL.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod telemetry;
pub mod write;
