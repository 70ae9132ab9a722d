//! The way to Service Bus: by a connection string, or by a namespace's name and an identity, as the Functions host reads them
//! (Microsoft: "Azure Functions, Service Bus trigger, identity-based connections").
//! Never takes both: they could name two namespaces.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    credentials,
    error::{ConfigError, invalid},
    group::group,
};
use crate::{
    bus::{NamespaceAddress, SubscriptionName, TopicAddress},
    identity::{Identity, TokenAudience},
};

type Environment = BTreeMap<String, String>;

const CONNECTION: &str = "ServiceBusConnection";
const TOPIC: &str = "ServiceBusTopic";
const SUBSCRIPTION: &str = "ServiceBusSubscription";
const NAMESPACE: &str = "ServiceBusConnection__fullyQualifiedNamespace";
const CREDENTIAL: &str = "ServiceBusConnection__credential";
const CLIENT_ID: &str = "ServiceBusConnection__clientId";

/// True for a setting that leads to the bus.
pub(super) fn is_setting(name: &str) -> bool {
    name.starts_with(CONNECTION) || [TOPIC, SUBSCRIPTION].contains(&name)
}

/// True where there is a bus.
pub(super) fn is_there(environment: &Environment) -> bool {
    environment.contains_key(CONNECTION) || environment.contains_key(NAMESPACE)
}

/// The topic; `None` when no setting leads to one.
pub(super) fn bus(
    environment: &Environment,
    identity: &Identity,
) -> Result<Option<TopicAddress>, ConfigError> {
    let parts = environment
        .keys()
        .filter(|name| name.starts_with("ServiceBusConnection_"));
    let parts: Vec<&str> = parts.map(String::as_str).collect();
    if parts.is_empty() {
        return by_connection_string(environment);
    }
    if environment.contains_key(CONNECTION) {
        let why = format!("is there beside {CONNECTION}: two ways for one bus");
        return Err(invalid(parts[0], &why));
    }
    if let Some(unknown) = parts
        .iter()
        .find(|name| ![NAMESPACE, CREDENTIAL, CLIENT_ID].contains(name))
    {
        return Err(invalid(unknown, "is not kept here: leave it away"));
    }
    by_identity(environment, identity).map(Some)
}

fn by_connection_string(environment: &Environment) -> Result<Option<TopicAddress>, ConfigError> {
    let Some([connection, topic]) = group(environment, [CONNECTION, TOPIC])? else {
        return Ok(None);
    };
    let address = TopicAddress::parse(connection, topic);
    Ok(Some(address.map_err(|why| invalid(CONNECTION, &why))?))
}

fn by_identity(environment: &Environment, identity: &Identity) -> Result<TopicAddress, ConfigError> {
    // The host takes no other identity that an app in Azure has; a developer's host takes its person's without the word.
    if environment
        .get(CREDENTIAL)
        .is_some_and(|word| word != "managedidentity")
    {
        return Err(invalid(CREDENTIAL, "is not managedidentity"));
    }
    credentials::check_client_id(environment, CLIENT_ID)?;
    let Some([namespace, topic]) = group(environment, [NAMESPACE, TOPIC])? else {
        return Err(invalid(
            NAMESPACE,
            "is missing; other ServiceBusConnection settings are there",
        ));
    };
    let tokens = identity.tokens(TokenAudience::ServiceBus);
    let tokens = tokens.map_err(|error| invalid(NAMESPACE, &error.to_string()))?;
    let address = NamespaceAddress::of_identity(namespace, Arc::clone(&tokens));
    Ok(TopicAddress {
        address: address.map_err(|why| invalid(NAMESPACE, &why))?,
        name: topic.to_owned(),
    })
}

/// The subscription that the projector listens at.
pub(super) fn subscription(environment: &Environment) -> Result<SubscriptionName, ConfigError> {
    let Some(name) = environment.get(SUBSCRIPTION) else {
        return Ok(SubscriptionName::default());
    };
    let name = name.parse::<SubscriptionName>();
    name.map_err(|rule| invalid(SUBSCRIPTION, &rule.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<TopicAddress>, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        bus(&pairs.collect(), &Identity::SignedIn).map_err(|error| error.to_string())
    }

    #[test]
    fn a_namespace_is_named_once_and_every_part_of_it_kept() {
        let namespace = (NAMESPACE, "orders.servicebus.windows.net");
        let topic = (TOPIC, "order-events");
        let managed = (CREDENTIAL, "managedidentity");
        let client = [(CLIENT_ID, "id"), ("AZURE_CLIENT_ID", "id")];
        assert!(read(&[namespace, topic]).unwrap().is_some());
        let whole = [&[namespace, topic, managed][..], &client].concat();
        assert!(read(&whole).unwrap().is_some());
        for (pairs, named) in [
            (&[namespace][..], TOPIC),
            (&[topic, managed], NAMESPACE),
            (&[namespace, topic, (CONNECTION, "x")], NAMESPACE),
            (&[namespace, topic, (CREDENTIAL, "workloadidentity")], CREDENTIAL),
            (&[namespace, topic, client[0]], CLIENT_ID),
            (
                &[namespace, topic, client[0], ("AZURE_CLIENT_ID", "other")],
                CLIENT_ID,
            ),
            (
                &[namespace, topic, ("ServiceBusConnection__clientSecret", "s")],
                "ServiceBusConnection__clientSecret",
            ),
            (
                &[topic, (NAMESPACE, "orders.servicebus.windows.net:5671")],
                NAMESPACE,
            ),
            (
                &[topic, (NAMESPACE, "sb://orders.servicebus.windows.net")],
                NAMESPACE,
            ),
            (
                &[topic, (NAMESPACE, "orders.servicebus.windows.net/x")],
                NAMESPACE,
            ),
            (
                &[topic, (NAMESPACE, "u@orders.servicebus.windows.net")],
                NAMESPACE,
            ),
            (&[topic, (NAMESPACE, "")], NAMESPACE),
        ] {
            let error = read(pairs).unwrap_err();
            assert!(error.contains(named), "{pairs:?}: {error}");
        }
        assert!(read(&[topic, (NAMESPACE, "localhost:5671")]).unwrap().is_some());
    }
}
