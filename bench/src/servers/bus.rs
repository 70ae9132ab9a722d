//! The devstack's Service Bus emulator alone, with the deployment's own topic and subscription.
//! Never holds messages at the start.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::Result;
use devstack::{
    app_folder,
    servicebus::{Entities, ServiceBusEmulator},
};

use super::parent::{tell, until_alone};

pub(super) async fn run() -> Result<()> {
    let config = app_folder::workspace_root().join("devstack/servicebus/Config.json");
    let emulator =
        ServiceBusEmulator::start(Entities::from_file(&config)?, ([127, 0, 0, 1], 0).into()).await?;
    let switches = emulator.switches();
    tell(emulator.address());
    until_alone(move || switches.counts().accepted).await
}

/// A handler's settings to reach it; the key is Microsoft's emulator's, and guards nothing.
pub(super) fn settings(address: SocketAddr) -> BTreeMap<String, String> {
    let connection = format!(
        "Endpoint=sb://{address};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    );
    let settings = [
        ("ServiceBusConnection", connection),
        ("ServiceBusTopic", "order-events".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}
