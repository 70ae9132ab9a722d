//! The Cosmos DB account over the wire, with the client the handler uses.
//! It never looks inside the emulator.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod account;
mod dotnet;
mod identities;
mod parts;
mod patches;
mod queries;
mod refusals;
mod switches;
mod wire;

use std::net::SocketAddr;
use std::path::Path;

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::options::Region;
use azure_data_cosmos::{AccountReference, CosmosClient, RoutingStrategy};
use devstack::cosmos::CosmosOptions;

fn options(advertise: Option<SocketAddr>) -> CosmosOptions {
    CosmosOptions {
        containers: Path::new(env!("CARGO_MANIFEST_DIR")).join("../bicep/cosmos-containers.json"),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        advertise,
    }
}

async fn container(endpoint: &str, key: &str, name: &str) -> azure_data_cosmos::Result<ContainerClient> {
    let account = AccountReference::with_authentication_key(endpoint.parse().unwrap(), key.to_owned());
    let routing = RoutingStrategy::PreferredRegions(vec![Region::WEST_EUROPE]);
    let client = CosmosClient::builder().build(account, routing).await?;
    client
        .database_client("orders")
        .container_client(name, None)
        .await
}
