//! The devstack as `devstack up` runs it, with a handler that is built already.
//! Never with wires that can be broken: they would be on the way.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use devstack::{
    app_folder,
    host::{HostTimes, HttpOptions, Log},
    stack::{PartsLayout, Ports, PostgresChoice, ReadModel, Stack, StackOptions, StorageChoice},
};

use super::parent::{tell, until_alone};

pub(super) async fn run(handler: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = app_folder::workspace_root();
    let app_dir = folder.path().join("app");
    app_folder::assemble(&root, handler, &app_dir)?;
    let stack = Stack::start(StackOptions {
        like_azure: None,
        root,
        ports: Ports::default(),
        app_dir,
        log: Log::File(folder.path().join("host.log")),
        faults: false,
        environment: BTreeMap::new(),
        postgres: PostgresChoice::Own,
        read_model: ReadModel::Cosmos,
        storage: StorageChoice::Inner,
        times: HostTimes::default(),
        parts: PartsLayout::default(),
        http: HttpOptions::default(),
    })
    .await?;
    let address = stack.url().strip_prefix("http://").context("no address")?;
    tell(address.parse()?);
    until_alone(|| 0).await?;
    stack.stop().await
}
