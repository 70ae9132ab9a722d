//! host.json as the real host reads it, with the `AzureFunctionsJobHost__` settings laid over it.
//! It never creates the file: the real host writes a default one, the stand-in asks for yours.

use std::{path::Path, path::PathBuf, time::Duration};

use serde_json::{Map, Value};

use super::{
    error::Error,
    json::{self, JsonNode},
    settings::Settings,
};

const FILE: &str = "host.json";
const OVERRIDE: &str = "AzureFunctionsJobHost__";

/// The part of host.json that the stand-in follows.
#[derive(Clone, Debug)]
pub(crate) struct HostJson {
    pub(crate) route_prefix: String,
    /// `None` when the timeout is switched off with `-1`.
    pub(crate) function_timeout: Option<Duration>,
    /// The allow list of functions; empty allows all.
    pub(crate) functions: Vec<String>,
    pub(crate) handler: HandlerJson,
    pub(crate) service_bus: ServiceBusJson,
}

/// `customHandler`.
#[derive(Clone, Debug)]
pub(crate) struct HandlerJson {
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) working_directory: PathBuf,
    pub(crate) errors_only_on_stderr: bool,
    pub(crate) proxying: bool,
    pub(crate) forwarding: bool,
    pub(crate) port: Option<u16>,
    pub(crate) initialization_timeout: Duration,
}

/// `extensions.serviceBus`.
#[derive(Clone, Debug)]
pub(crate) struct ServiceBusJson {
    pub(crate) max_concurrent_calls: u32,
    pub(crate) max_auto_lock_renewal: Duration,
}

impl HostJson {
    pub(crate) fn read(root: &Path, settings: &Settings) -> Result<Self, Error> {
        let mut document = json::read(&root.join(FILE), FILE)?;
        if !document.is_object() {
            return Err(Error::file(FILE, "the document must be an object"));
        }
        lay_over(&mut document, settings);
        let document = JsonNode::root(FILE, &document);
        if document.get("version").required_text()? != "2.0" {
            return Err(document.get("version").error("must be \"2.0\""));
        }
        let extensions = document.get("extensions");
        let prefix = extensions.get("http").get("routePrefix").text()?.unwrap_or("api");
        Ok(Self {
            route_prefix: prefix.trim_matches('/').to_owned(),
            function_timeout: function_timeout(&document.get("functionTimeout"))?,
            functions: document
                .get("functions")
                .texts()?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            handler: handler(root, settings, &document)?,
            service_bus: service_bus(&extensions.get("serviceBus"))?,
        })
    }
}

fn lay_over(document: &mut Value, settings: &Settings) {
    for (name, text) in settings.iter() {
        let Some(path) = name
            .get(..OVERRIDE.len())
            .filter(|head| head.eq_ignore_ascii_case(OVERRIDE))
        else {
            continue;
        };
        let keys: Vec<&str> = name[path.len()..].split("__").collect();
        // Only a list can be given as JSON; everything else is read from its text.
        let list = serde_json::from_str::<Value>(text).ok().filter(Value::is_array);
        set(
            document,
            &keys,
            list.unwrap_or_else(|| Value::String(text.to_owned())),
        );
    }
}

fn set(target: &mut Value, keys: &[&str], value: Value) {
    let Some((first, rest)) = keys.split_first() else {
        *target = value;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    let known = members
        .keys()
        .find(|key| key.eq_ignore_ascii_case(first))
        .cloned();
    set(
        members
            .entry(known.unwrap_or_else(|| (*first).to_owned()))
            .or_insert(Value::Null),
        rest,
        value,
    );
}

fn function_timeout(node: &JsonNode<'_>) -> Result<Option<Duration>, Error> {
    if node.text()? == Some("-1") {
        return Ok(None);
    }
    Ok(Some(node.duration()?.unwrap_or(Duration::from_secs(30 * 60))))
}

fn handler(root: &Path, settings: &Settings, document: &JsonNode<'_>) -> Result<HandlerJson, Error> {
    let section = document.get("customHandler");
    if document.get("httpWorker").exists() {
        return Err(document.get("httpWorker").unsupported("write customHandler"));
    }
    for name in ["http", "type"] {
        let node = section.get(name);
        if node.exists() && !(name == "type" && node.text()?.is_some_and(|t| t.eq_ignore_ascii_case("http")))
        {
            return Err(node.unsupported("functions are read from function.json"));
        }
    }
    let description = section.get("description");
    if !description.exists() {
        return Err(description.error("is required (Missing worker Description)"));
    }
    for name in ["defaultWorkerPath", "workerArguments"] {
        if description.get(name).exists() {
            return Err(description.get(name).unsupported("write arguments"));
        }
    }
    let folder = |name| -> Result<PathBuf, Error> {
        let text = description.get(name).text()?.map(|text| settings.expand(text));
        Ok(text.map_or_else(|| root.to_owned(), |text| root.join(text)))
    };
    let executable = description.get("defaultExecutablePath");
    let executable = PathBuf::from(settings.expand(executable.required_text()?));
    let beside = folder("workerDirectory")?.join(&executable);
    let port = section.get("port");
    let port = match port.number()? {
        None | Some(0) => None,
        Some(number) => Some(u16::try_from(number).map_err(|_| port.error("must be a port"))?),
    };
    Ok(HandlerJson {
        // A name without a file below the worker directory is left to PATH.
        executable: if beside.is_file() { beside } else { executable },
        arguments: description
            .get("arguments")
            .texts()?
            .into_iter()
            .map(str::to_owned)
            .collect(),
        working_directory: folder("workingDirectory")?,
        errors_only_on_stderr: description
            .get("useStdErrorStreamForErrorsOnly")
            .flag()?
            .unwrap_or(true),
        proxying: section.get("enableProxyingHttpRequest").flag()?.unwrap_or(false),
        forwarding: section
            .get("enableForwardingHttpRequest")
            .flag()?
            .unwrap_or(false),
        port,
        initialization_timeout: section
            .get("initializationTimeout")
            .duration()?
            .unwrap_or(Duration::from_secs(30)),
    })
}

fn service_bus(section: &JsonNode<'_>) -> Result<ServiceBusJson, Error> {
    if section.get("autoCompleteMessages").flag()? == Some(false) {
        return Err(section
            .get("autoCompleteMessages")
            .unsupported("a handler cannot settle by itself"));
    }
    if section.get("prefetchCount").number()?.unwrap_or(0) != 0 {
        return Err(section
            .get("prefetchCount")
            .unsupported("credit is given for free slots only"));
    }
    let calls = section.get("maxConcurrentCalls");
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let max = calls.number()?.unwrap_or(16 * cores);
    let max = u32::try_from(max).ok().filter(|max| *max > 0);
    let renewal = section.get("maxAutoLockRenewalDuration").duration()?;
    Ok(ServiceBusJson {
        max_concurrent_calls: max.ok_or_else(|| calls.error("must be at least 1"))?,
        max_auto_lock_renewal: renewal.unwrap_or(Duration::from_secs(300)),
    })
}
