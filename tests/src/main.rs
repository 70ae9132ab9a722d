//! The system as its users meet it: the shipped binary, a real PostgreSQL, HTTP.
//! Never sleeps for luck: a test waits for a condition with a deadline.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on panics"
)]

mod bad_input;
mod batches;
mod bodies;
mod borders;
mod catalogue;
mod changes;
mod consistency;
mod contention;
mod contract;
mod dead_letters;
mod drainers;
mod explain;
mod flood;
mod functions;
mod health;
mod histories;
mod host;
mod house;
mod idempotency;
mod identities;
mod jobs;
mod kill_points;
mod kills;
mod migrations;
mod openapi;
mod orders;
mod outages;
mod owners;
mod parts;
mod pgbouncer;
mod pooler;
mod postgres_roles;
mod preconditions;
mod process;
mod projections;
mod projector;
mod queries;
mod read_side;
mod rebuild;
mod relay;
mod repeats;
mod roles;
mod routing;
mod session_settings;
mod shutdown;
mod sign_in;
mod support;
mod survival;
mod sweeps;
mod system;
mod tables;
mod tables_upkeep;
mod times;
mod topic;
mod trust;
mod unreadable;
mod whole;
