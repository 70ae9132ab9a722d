//! What the host does with an app folder, seen from outside: over HTTP, AMQP and its log.
//! Never sleeps: every wait is for something, and has a deadline.
#![expect(clippy::expect_used, reason = "helpers of tests fail the test")]

mod app;
#[path = "../shared/broker.rs"]
mod broker;
mod bus;
mod bus_client;
mod cors;
mod folder;
mod guard;
mod http;
mod identities;
mod process;
mod routes;
mod sign_in;
mod storage;
mod trigger;
