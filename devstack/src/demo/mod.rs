//! The `demo` command: one order from its placing to its shipment, followed through every hop.
//! It never asks the system how far it is: each hop is read where it lies, in the table, topic and document.

mod hops;
mod topic;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use crate::api::{self, Api};
use crate::host::{HostTimes, HttpOptions, Log};
use crate::servicebus::Entities;
use crate::stack::{PartsLayout, Ports, PostgresChoice, ReadModel, Stack, StackOptions, StorageChoice};
use crate::{app_folder, escape, up};

use hops::HopWatch;

/// The demo's subscription of the topic, beside the app's own.
const LISTENER: &str = "demo";

/// Drives one order through the system and prints each hop with its time.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArguments {
    /// A host and a handler for all parts of the system, or for each.
    #[arg(long, value_enum, default_value_t)]
    pub parts: PartsLayout,
}

/// Runs the demo on free ports; an error names the hop that was late.
pub async fn run(args: DemoArguments) -> Result<()> {
    let root = app_folder::workspace_root();
    let folder = tempfile::Builder::new().prefix("orders-demo-").tempdir()?;
    let app_dir = folder.path().join("app");
    app_folder::assemble(&root, &up::build_handler().await?, &app_dir)?;
    let entities = Entities::from_file(&root.join("devstack/servicebus/Config.json"))?;
    let log = folder.path().join("host.log");
    let options = StackOptions {
        root,
        ports: Ports::default(),
        app_dir,
        log: Log::File(log.clone()),
        faults: false,
        environment: BTreeMap::new(),
        postgres: PostgresChoice::Own,
        read_model: ReadModel::Cosmos,
        storage: StorageChoice::Inner,
        times: HostTimes::default(),
        parts: args.parts,
        like_azure: None,
        http: HttpOptions::default(),
    };
    let stack = Stack::start_with(options, entities.with_listener(LISTENER)).await?;
    let driven = tokio::select! {
        driven = drive(&stack) => driven,
        reason = stack.stopped() => Err(anyhow::anyhow!("the host ended by itself: {reason}")),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    stack.stop().await?;
    if driven.is_err() {
        // The folder goes with us, and the log is what explains a failure.
        eprint!("{}", std::fs::read_to_string(&log).unwrap_or_default());
    }
    driven
}

async fn drive(stack: &Stack) -> Result<()> {
    stack.check_health().await?;
    let api = Api::new(stack);
    let customer = api.seed().await?;
    let mut watch = HopWatch::start(stack, LISTENER).await?;
    let order = json!({ "customerId": customer, "lines": [{ "sku": "MUG-BLUE", "quantity": 2 }] });
    let placed = watch.command("PlaceOrder", api.post("/orders", &order)).await?;
    let id = api::id(&placed)?;
    watch.hops(&id, 1).await?;
    let total = json!({ "amount": placed["total"] });
    watch
        .command("PayOrder", api.post(&format!("/orders/{id}/payment"), &total))
        .await?;
    watch.hops(&id, 2).await?;
    let parcel = json!({ "carrier": "DHL", "trackingNumber": "JD014600003" });
    watch
        .command("ShipOrder", api.post(&format!("/orders/{id}/shipment"), &parcel))
        .await?;
    watch.hops(&id, 3).await?;
    let document = api.get(&format!("/orders/{id}")).await?.body;
    println!();
    for line in serde_json::to_string_pretty(&document)?.lines() {
        println!("{}", escape::line(line));
    }
    Ok(())
}
