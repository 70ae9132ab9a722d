//! The command line: `handler serve` (default), `handler migrate`, `handler openapi`, and what operators do, from `handler status`
//! to `handler rebuild`: docs/operations.md.
//! Never takes a setting as an argument: settings come from the environment, as the Functions host gives them.

mod dead_letters;
mod explain;
mod follow;
mod jobs;
mod letter_view;
mod outbox;
mod progress;
mod rebuild;
mod report;
mod say;
mod start;
mod status;

use std::{collections::BTreeMap, process::ExitCode};

use clap::{Parser, Subcommand};
use uuid::Uuid;

use follow::open;
use say::say;
use start::{Start, StartPlanned, plan, run_now};

use crate::{
    app,
    bus::SubscriptionName,
    config::{AuthMode, Config, ReadModelKind},
    error_chain::chain,
    escape,
    http::{
        api,
        openapi::{self, OpenApiVersion},
    },
    jobs::{Replay, Reprojection, Verification},
    migrate::{AppRole, EntraRole, MigrationRequest, migrate},
    postgres::PoolerMode,
    telemetry::{self, LogTarget},
};

#[derive(Debug, Parser)]
#[command(about = "The custom handler of the order system")]
struct Cli {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve the functions on 127.0.0.1:$FUNCTIONS_CUSTOMHANDLER_PORT (default).
    Serve,
    /// Bring the database to this version, and make it where it is missing; connect with the PG* variables as an administrator
    /// (CREATEROLE, CREATEDB; no superuser is needed).
    Migrate {
        /// Make the login role of a principal of Microsoft Entra, by its object id: `service`, `user` or `group` (Azure only).
        #[arg(long = "entra-role", value_name = "NAME=OID:TYPE")]
        entra_roles: Vec<EntraRole>,
        /// Login role that the app connects with; it gets the rights of these parts (command, query, operator) and no others
        /// [default: of all].
        #[arg(long = "app-role", value_name = "NAME[=PART,…]")]
        app_roles: Vec<AppRole>,
        /// `postgres`: keep the read model in this database from now on, and fill it. `cosmos`: stop keeping it
        /// [default: leave that as it is].
        #[arg(long)]
        read_model: Option<ReadModelKind>,
    },
    /// Rebuild the read model in Cosmos DB from the log, beside the one that is read. Exit code 0: done; 1: failed, and running
    /// it again goes on; 3: differences were found, and nothing was switched.
    Rebuild {
        #[command(subcommand)]
        step: rebuild::Step,
    },
    /// Compare the read model in Cosmos DB with the log. Exit code 0: the same; 1: failed; 3: differences were found.
    Verify(Start<Verification>),
    /// Show one order over every hop: its events, the outbox, and the documents in Cosmos DB. Exit code 0: all agree; 1: failed; 3:
    /// they differ.
    Explain {
        /// The order's id.
        order: Uuid,
        /// The subscription that the projector listens at.
        #[arg(long, env = "ServiceBusSubscription", default_value_t)]
        subscription: SubscriptionName,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send events of the log once more to one subscription. Shows the plan first. Exit code 0: done; 1: failed, stopped, or some
    /// events were refused; 2: wrong usage.
    Replay(StartPlanned<Replay>),
    /// Bring events of the log right into the documents in Cosmos DB, without the bus. Shows the plan first. Exit codes as of replay.
    Reproject(StartPlanned<Reprojection>),
    /// Show how things are: what waits in the outbox and at the subscription, which documents are read, what is under way.
    Status {
        /// The subscription whose messages are counted.
        #[arg(long, env = "ServiceBusSubscription", default_value_t)]
        subscription: SubscriptionName,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Ends with exit code 0: all is well; 1: a person is needed; 2: neither can be said, as something could not be asked.
        #[arg(long)]
        check: bool,
    },
    /// List the events that the bus has refused for their content, or let the relay try them again.
    #[command(after_help = outbox::AFTER_HELP)]
    Outbox {
        #[command(subcommand)]
        action: outbox::OutboxAction,
    },
    /// List, show, run, pause or cancel jobs: replays, rebuilds, verifications and others.
    #[command(after_help = jobs::AFTER_HELP)]
    Jobs {
        #[command(subcommand)]
        action: jobs::JobAction,
    },
    /// List, show, resubmit or delete the dead letters of a subscription. Exit code 0: done; 1: failed, or not all of it could be
    /// done; 3: nothing was selected.
    #[command(after_help = dead_letters::AFTER_HELP)]
    DeadLetters {
        #[command(subcommand)]
        action: dead_letters::DeadLetterAction,
    },
    /// Print the API's description, OpenAPI 3.1.
    Openapi {
        /// OpenAPI 3.0.3 instead, for importers that know no newer one.
        #[arg(long)]
        v3_0: bool,
    },
}

/// Parses the arguments and does what they say.
pub async fn run() -> ExitCode {
    let action = Cli::parse().action.unwrap_or(Action::Serve);
    let logs = match action {
        Action::Serve | Action::Migrate { .. } => LogTarget::Stdout,
        Action::Rebuild { .. }
        | Action::Verify(_)
        | Action::Explain { .. }
        | Action::Status { .. }
        | Action::Replay(_)
        | Action::Reproject(_)
        | Action::Jobs { .. }
        | Action::Outbox { .. }
        | Action::DeadLetters { .. }
        | Action::Openapi { .. } => LogTarget::Stderr,
    };
    telemetry::start(logs);
    let environment = std::env::vars().collect();
    let config = match action {
        Action::Serve => Config::to_serve(&environment),
        _ => Config::from_environment(&environment),
    };
    let outcome = match config {
        Err(error) => Err(error.to_string()),
        Ok(config) => act(action, config, &environment).await,
    };
    outcome.unwrap_or_else(|error| {
        match logs {
            LogTarget::Stdout => tracing::error!(%error, "cannot_start"),
            LogTarget::Stderr => eprintln!("handler: {}", escape::line(&error)),
        }
        ExitCode::FAILURE
    })
}

async fn act(
    action: Action,
    config: Config,
    environment: &BTreeMap<String, String>,
) -> Result<ExitCode, String> {
    match action {
        Action::Serve => {
            let port = config.port;
            let auth = AuthMode::from_environment(environment).map_err(|error| error.to_string())?;
            app::serve(config, auth)
                .await
                .map_err(|error| format!("port {port}: {error}"))
        }
        Action::Openapi { v3_0 } => {
            let version = if v3_0 {
                OpenApiVersion::V30
            } else {
                OpenApiVersion::V31
            };
            say!("{:#}", openapi::document(version, &api::endpoints()));
            Ok(ExitCode::SUCCESS)
        }
        Action::Rebuild { step } => rebuild::step(step, config).await,
        Action::Explain {
            order,
            subscription,
            json,
        } => explain::explain(order, &subscription, json, config).await,
        Action::Status {
            subscription,
            json,
            check,
        } => status::run(&subscription, json, check, config).await,
        Action::Replay(start) => plan(&open(&config)?, start).await,
        Action::Reproject(start) => plan(&open(&config)?, start).await,
        Action::Outbox { action } => outbox::run(action, config).await,
        Action::Jobs { action } => jobs::run(action, config).await,
        Action::DeadLetters { action } => dead_letters::run(action, config).await,
        Action::Verify(start) => run_now(&open(&config)?, start).await,
        Action::Migrate {
            entra_roles,
            app_roles,
            read_model,
        } => {
            let keep_read_model = read_model.map(|chosen| chosen == ReadModelKind::Postgres);
            let wanted = MigrationRequest {
                entra_roles,
                app_roles,
                keep_read_model,
            };
            migrate_schemas(&wanted, config).await
        }
    }
}

async fn migrate_schemas(wanted: &MigrationRequest, config: Config) -> Result<ExitCode, String> {
    if config.pooler != PoolerMode::None {
        let why = "setting PG_POOLER: migrate must reach the server itself, for a lock of its session";
        return Err(why.to_owned());
    }
    let postgres = config.postgres.ok_or("setting PGHOST: is missing")?;
    let version = migrate(&postgres, wanted).await;
    let version = version.map_err(|error| chain(&error).to_string())?;
    tracing::info!(version, "schema_ready");
    Ok(ExitCode::SUCCESS)
}
