//! The identity endpoint, the certificates of a stack, and PostgreSQL that takes tokens, as a client sees them.
//! It never looks into a token: what opens a store is a good one.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod asking;
mod certificates;
mod endpoint;
mod passwords;
