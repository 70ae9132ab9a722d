//! The Service Bus emulator as a client on the network sees it.
//! Never looks inside the emulator, and never waits longer than a deadline.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod client;
mod command;
mod configuration;
mod dead_letters;
mod delivery;
mod dispositions;
mod duplicates;
mod expiry;
mod identities;
mod peeks;
mod raw;
mod refusal;
mod rejection;
mod rules;
mod switches;
mod tokens;
