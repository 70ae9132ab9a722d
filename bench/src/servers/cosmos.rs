//! The devstack's Cosmos DB emulator alone.
//! Never holds documents at the start.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Result;
use devstack::{
    app_folder,
    cosmos::{CosmosEmulator, CosmosOptions},
};

use super::parent::{tell, until_alone};

/// The key that the emulator is known by; it guards nothing.
const KEY: &str = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

pub(super) async fn run(partitions: Option<u32>) -> Result<()> {
    let options = CosmosOptions {
        containers: app_folder::workspace_root().join("bicep/cosmos-containers.json"),
        listen: ([127, 0, 0, 1], 0).into(),
        advertise: None,
    };
    let emulator = match partitions {
        None => CosmosEmulator::start(options).await?,
        Some(partitions) => CosmosEmulator::start_spread(options, partitions).await?,
    };
    tell(emulator.address());
    until_alone(move || emulator.requests()).await
}

/// A handler's settings to reach the account at this address.
pub(super) fn settings(address: SocketAddr) -> BTreeMap<String, String> {
    let settings = [
        ("COSMOS_ENDPOINT", format!("http://{address}/")),
        ("COSMOS_KEY", KEY.to_owned()),
        ("COSMOS_DATABASE", "orders".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}
