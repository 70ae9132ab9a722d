//! The subscriptions and queues that functions listen to, by their function.json and the app's settings.
//! It never connects.

use std::path::Path;

use super::{
    credential::Credential,
    namespace::{BusNamespace, IdentityNamespace},
};
use crate::{
    bus_address::Address,
    host::{
        error::Error,
        function::{Function, Trigger},
        settings::Settings,
    },
    tls::TlsClient,
};

/// AMQP within TLS.
const TLS_PORT: u16 = 5671;

/// The queue or subscription that one function listens to.
#[derive(Clone, Debug)]
pub(crate) struct TriggerSource {
    pub(crate) function: String,
    pub(crate) binding: String,
    pub(crate) binary: bool,
    pub(crate) entity: String,
    pub(crate) namespace: BusNamespace,
}

/// The sources of all functions that have such a trigger.
pub(crate) fn sources(functions: &[Function], settings: &Settings) -> Result<Vec<TriggerSource>, Error> {
    let mut sources = Vec::new();
    for function in functions {
        let Trigger::ServiceBus {
            entity,
            connection,
            binary,
        } = &function.trigger
        else {
            continue;
        };
        let problem = |problem: String| Error::Setting {
            name: connection.clone(),
            problem,
        };
        let namespace = namespace(settings, connection).map_err(problem)?;
        let needed = || problem(format!("is not set, and {} needs it", function.name));
        sources.push(TriggerSource {
            function: function.name.clone(),
            binding: function.binding.clone(),
            binary: *binary,
            entity: entity.clone(),
            namespace: namespace.ok_or_else(needed)?,
        });
    }
    Ok(sources)
}

/// A connection string comes before a section of settings, as in the real host (`ServiceBusClientFactory`).
fn namespace(settings: &Settings, connection: &str) -> Result<Option<BusNamespace>, String> {
    let prefixed = format!("AzureWebJobs{connection}");
    if let Some(text) = settings.get(connection).or_else(|| settings.get(&prefixed)) {
        return Ok(Some(BusNamespace::Key(Address::parse(text)?)));
    }
    let of_section = |name: &str| {
        let found = settings.get(&format!("{connection}__{name}"));
        found.or_else(|| settings.get(&format!("{prefixed}__{name}")))
    };
    let Some(name) = of_section("fullyQualifiedNamespace") else {
        return Ok(None);
    };
    if of_section("credential") != Some("managedidentity") {
        return Err("must have __credential=managedidentity: the stand-in signs nobody in".to_owned());
    }
    let client_id =
        of_section("clientId").ok_or("needs __clientId: an app here has no identity of its own")?;
    let roots = settings.get("SSL_CERT_FILE");
    let roots = roots.ok_or("needs SSL_CERT_FILE: the stand-in reaches namespaces of this machine only")?;
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| "has a namespace with a bad port")?),
        None => (name, TLS_PORT),
    };
    Ok(Some(BusNamespace::Identity(Box::new(IdentityNamespace {
        host: host.to_owned(),
        port,
        tls: TlsClient::trusting_file(Path::new(roots)).map_err(|error| format!("{error:#}"))?,
        credential: Credential::new(settings, client_id)?,
    }))))
}
