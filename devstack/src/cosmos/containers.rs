//! Reads the container definitions shared with the deployment and makes them in the emulator.
//! It never invents a default: what the file leaves out, the account does not have.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::gateway::Gateway;

/// One database; each container is the resource as the service takes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Containers {
    database: String,
    containers: Vec<Value>,
}

/// The file of the system's own, in the repository.
const FILE: &str = "bicep/cosmos-containers.json";

/// The names of the system's database and of its containers.
pub(crate) fn names(root: &Path) -> Result<(String, Vec<String>)> {
    let read = read(&root.join(FILE))?;
    let names = read
        .containers
        .iter()
        .filter_map(|container| container["id"].as_str());
    Ok((read.database.clone(), names.map(str::to_owned).collect()))
}

pub(super) fn read(file: &Path) -> Result<Containers> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not a list of containers", file.display()))
}

/// Makes all of it; each container in as many physical partitions as the service thinks right, or in so many.
pub(super) async fn make(gateway: &Gateway, containers: &Containers, partitions: Option<u32>) -> Result<()> {
    create(gateway, "dbs", &json!({ "id": containers.database })).await?;
    let path = format!("dbs/{}/colls", containers.database);
    for container in &containers.containers {
        match partitions {
            None => create(gateway, &path, container).await?,
            Some(partitions) => gateway.spread(&containers.database, container, partitions)?,
        }
    }
    Ok(())
}

async fn create(gateway: &Gateway, path: &str, resource: &Value) -> Result<()> {
    let (status, body) = gateway.create(path, resource).await?;
    if status != 201 {
        bail!("cannot make {} in {path}: {status} {body}", resource["id"]);
    }
    Ok(())
}
