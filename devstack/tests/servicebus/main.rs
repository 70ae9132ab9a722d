//! The Service Bus emulator as a client on the network sees it.
//! Never looks inside the emulator, and never waits longer than a deadline.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod client;
mod configuration;
mod dead_letters;
mod delivery;
mod dispositions;
mod duplicates;
mod peeks;
mod refusal;
mod rules;
mod switches;
mod tokens;
