//! The subscriptions and queues that functions listen to, by their function.json and the app's settings.
//! It never connects.

use crate::{
    bus_address::Address,
    host::{
        error::Error,
        function::{Function, Trigger},
        settings::Settings,
    },
};

/// The queue or subscription that one function listens to.
#[derive(Clone, Debug)]
pub(crate) struct TriggerSource {
    pub(crate) function: String,
    pub(crate) binding: String,
    pub(crate) binary: bool,
    pub(crate) entity: String,
    pub(crate) address: Address,
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
        let prefixed = format!("AzureWebJobs{connection}");
        let text = settings.get(connection).or_else(|| settings.get(&prefixed));
        let problem = |problem: String| Error::Setting {
            name: connection.clone(),
            problem,
        };
        let text = text.ok_or_else(|| problem(format!("is not set, and {} needs it", function.name)))?;
        sources.push(TriggerSource {
            function: function.name.clone(),
            binding: function.binding.clone(),
            binary: *binary,
            entity: entity.clone(),
            address: Address::parse(text).map_err(problem)?,
        });
    }
    Ok(sources)
}
