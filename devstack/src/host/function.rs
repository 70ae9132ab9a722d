//! Finds the functions of the script root and reads their function.json.
//! It never looks below the direct subfolders, and a bad function never hides the others.

use std::path::Path;

use super::{
    error::Error,
    host_json::HostJson,
    json::{self, JsonNode},
    route::Route,
    schedule::Schedule,
    settings::Settings,
};

/// A function that can be called.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The name of the trigger binding, which is its key in `Data`.
    pub(crate) binding: String,
    pub(crate) trigger: Trigger,
    pub(crate) disabled: bool,
    /// function.json as it was read.
    pub(crate) config: serde_json::Value,
}

/// The event that makes a function run.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    Http(HttpTrigger),
    Timer {
        schedule: Schedule,
        run_on_startup: bool,
        use_monitor: bool,
    },
    ServiceBus {
        entity: String,
        connection: String,
        binary: bool,
    },
    /// Something that the host does not listen for, as the function is disabled.
    Nothing,
}

/// The requests that an HTTP function takes.
#[derive(Clone, Debug)]
pub(crate) struct HttpTrigger {
    pub(crate) route: Route,
    /// Empty for any.
    pub(crate) methods: Vec<String>,
    /// The name of the output binding.
    pub(crate) output: String,
}

impl HttpTrigger {
    pub(crate) fn takes(&self, method: &str, path: &str) -> bool {
        let is_meant = self.methods.is_empty() || self.methods.iter().any(|one| one == method);
        is_meant && self.route.matches(path)
    }
}

/// The functions that loaded, and one line for each that did not.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    pub(crate) loaded: Vec<Function>,
    pub(crate) failed: Vec<String>,
}

/// Reads every direct subfolder with a function.json, in the alphabetical order of the names.
///
/// What the real host would skip is listed as failed; what only the stand-in cannot do is an error.
pub(crate) fn discover(root: &Path, host: &HostJson, settings: &Settings) -> Result<Functions, Error> {
    let entries = std::fs::read_dir(root)
        .map_err(|error| Error::file(root.display().to_string(), error.to_string()))?;
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("function.json").is_file())
        .collect();
    // The order in which routes are tried.
    folders.sort_by_key(|folder| folder.to_string_lossy().to_ascii_lowercase());
    let mut functions = Functions::default();
    for folder in folders {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !host.functions.is_empty() && !host.functions.iter().any(|it| it.eq_ignore_ascii_case(&name)) {
            continue;
        }
        match load(&folder, &name, host, settings) {
            Ok(function) => functions.add(function),
            Err(error @ Error::Unsupported { .. }) => return Err(error),
            Err(error) => functions.failed.push(error.to_string()),
        }
    }
    Ok(functions)
}

impl Functions {
    fn add(&mut self, function: Function) {
        if let Trigger::Http(HttpTrigger { route, methods, .. }) = &function.trigger {
            let same = self.loaded.iter().find(|other| match &other.trigger {
                Trigger::Http(other) => {
                    let any = methods.is_empty() || other.methods.is_empty();
                    let both = any || methods.iter().any(|method| other.methods.contains(method));
                    both && route.same_as(&other.route)
                }
                _ => false,
            });
            if let Some(same) = same {
                let line = format!(
                    "{}/function.json: the route is taken by {}",
                    function.name, same.name
                );
                self.failed.push(line);
                return;
            }
        }
        self.loaded.push(function);
    }
}

fn valid_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && name.len() <= 128
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
        && !name.eq_ignore_ascii_case("host")
}

fn load(folder: &Path, name: &str, host: &HostJson, settings: &Settings) -> Result<Function, Error> {
    let file = format!("{name}/function.json");
    if !valid_name(name) {
        return Err(Error::file(
            file,
            format!("'{name}' is not a valid function name"),
        ));
    }
    let document = json::read(&folder.join("function.json"), &file)?;
    let node = JsonNode::root(&file, &document);
    let bindings = node.get("bindings").items()?;
    if bindings.is_empty() {
        return Err(node.get("bindings").error("is required and must not be empty"));
    }
    for key in ["retry", "entryPoint"] {
        if node.get(key).exists() {
            return Err(node.get(key).unsupported("the call is made once"));
        }
    }
    let mut triggers = Vec::new();
    for binding in &bindings {
        let kind = binding.get("type").required_text()?;
        if kind.to_ascii_lowercase().ends_with("trigger") {
            triggers.push((kind, binding));
        }
    }
    let [(kind, trigger)] = triggers[..] else {
        return Err(node.get("bindings").error("must hold exactly one trigger"));
    };
    let binding = trigger.get("name").required_text()?;
    if !binding.starts_with(|c: char| c.is_ascii_alphabetic())
        || !binding.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Err(trigger
            .get("name")
            .error("must be letters and digits and start with a letter"));
    }
    let others: Vec<&JsonNode<'_>> = bindings.iter().filter(|it| it.path() != trigger.path()).collect();
    let disabled = node.get("disabled").flag()?.unwrap_or(false) || switched_off(name, settings);
    let trigger = match kind.to_ascii_lowercase().as_str() {
        "httptrigger" => http(name, trigger, &others, host)?,
        // Nobody listens, so the settings that say to what need not be there. A disabled route is still a route.
        "timertrigger" | "servicebustrigger" if disabled => Trigger::Nothing,
        "timertrigger" => timer(trigger, &others, settings)?,
        "servicebustrigger" => service_bus(trigger, &others, settings)?,
        _ => {
            return Err(trigger
                .get("type")
                .unsupported(format!("'{kind}' is no trigger it knows")));
        }
    };
    Ok(Function {
        name: name.to_owned(),
        binding: binding.to_owned(),
        trigger,
        disabled,
        config: document.clone(),
    })
}

fn switched_off(name: &str, settings: &Settings) -> bool {
    let names = [
        format!("AzureWebJobs.{name}.Disabled"),
        format!("AzureWebJobs_{name}_Disabled"),
    ];
    let on = |value: &str| value.eq_ignore_ascii_case("true") || value == "1";
    names.iter().any(|name| settings.get(name).is_some_and(on))
}

fn http(
    name: &str,
    node: &JsonNode<'_>,
    others: &[&JsonNode<'_>],
    host: &HostJson,
) -> Result<Trigger, Error> {
    let [output] = others else {
        return Err(node.unsupported("an HTTP function has one httpTrigger and one http output"));
    };
    if !output.get("type").required_text()?.eq_ignore_ascii_case("http") {
        return Err(output
            .get("type")
            .unsupported("an HTTP function has one http output"));
    }
    if let Some(level) = node.get("authLevel").text()?
        && !["anonymous", "function", "admin"]
            .iter()
            .any(|known| level.eq_ignore_ascii_case(known))
    {
        return Err(node
            .get("authLevel")
            .error("must be anonymous, function or admin"));
    }
    let template = node.get("route");
    let route = Route::parse(&host.route_prefix, template.text()?.unwrap_or(name));
    let route = route.map_err(|problem| template.error(problem))?;
    if route.is_reserved() {
        return Err(template.error("conflicts with a built-in route (admin, runtime)"));
    }
    let methods = node.get("methods").texts()?;
    let methods = methods
        .into_iter()
        .map(str::to_ascii_uppercase)
        .collect::<Vec<_>>();
    let output = output.get("name").text()?.unwrap_or_default().to_owned();
    Ok(Trigger::Http(HttpTrigger {
        route,
        methods,
        output,
    }))
}

fn alone(others: &[&JsonNode<'_>]) -> Result<(), Error> {
    others.first().map_or(Ok(()), |other| {
        Err(other.get("type").unsupported("no other binding is filled"))
    })
}

fn resolved(node: &JsonNode<'_>, settings: &Settings) -> Result<String, Error> {
    let text = settings.resolve(node.required_text()?);
    text.map_err(|name| node.error(format!("names %{name}%, which is not set")))
}

fn timer(node: &JsonNode<'_>, others: &[&JsonNode<'_>], settings: &Settings) -> Result<Trigger, Error> {
    alone(others)?;
    let schedule = Schedule::parse(&resolved(&node.get("schedule"), settings)?);
    Ok(Trigger::Timer {
        schedule: schedule.map_err(|problem| node.get("schedule").error(problem))?,
        run_on_startup: node.get("runOnStartup").flag()?.unwrap_or(false),
        use_monitor: node.get("useMonitor").flag()?.unwrap_or(true),
    })
}

fn service_bus(node: &JsonNode<'_>, others: &[&JsonNode<'_>], settings: &Settings) -> Result<Trigger, Error> {
    alone(others)?;
    if node.get("isSessionsEnabled").flag()? == Some(true) {
        return Err(node
            .get("isSessionsEnabled")
            .unsupported("sessions are not received"));
    }
    if node
        .get("cardinality")
        .text()?
        .is_some_and(|text| !text.eq_ignore_ascii_case("one"))
    {
        return Err(node
            .get("cardinality")
            .unsupported("messages are delivered one by one"));
    }
    if node.get("autoCompleteMessages").flag()? == Some(false) {
        return Err(node
            .get("autoCompleteMessages")
            .unsupported("a handler cannot settle by itself"));
    }
    let binary = match node
        .get("dataType")
        .text()?
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None | Some("string") => false,
        Some("binary") => true,
        Some(_) => return Err(node.get("dataType").unsupported("write string or binary")),
    };
    let entity = match (node.get("queueName").exists(), node.get("topicName").exists()) {
        (true, false) => resolved(&node.get("queueName"), settings)?,
        (false, true) => {
            let topic = resolved(&node.get("topicName"), settings)?;
            format!(
                "{topic}/Subscriptions/{}",
                resolved(&node.get("subscriptionName"), settings)?
            )
        }
        _ => return Err(node.error("must have either queueName or topicName and subscriptionName")),
    };
    let connection = node
        .get("connection")
        .text()?
        .unwrap_or("AzureWebJobsServiceBus")
        .to_owned();
    Ok(Trigger::ServiceBus {
        entity,
        connection,
        binary,
    })
}
