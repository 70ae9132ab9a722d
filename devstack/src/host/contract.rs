//! Reads an app folder as the Functions host does: host.json, local.settings.json, and the direct subfolders' function.json.
//! Never guesses: what this stand-in cannot run is refused by its name.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::Error;

/// What the host needs to know about an app.
#[derive(Debug)]
pub(super) struct App {
    pub(super) executable: String,
    pub(super) route_prefix: String,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) functions: Vec<Function>,
}

/// A function with exactly one HTTP trigger and one HTTP output: the kind that is proxied.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) route: String,
    /// Empty means any.
    pub(super) methods: Vec<String>,
}

#[derive(Deserialize)]
struct FunctionFile {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    r#type: String,
    route: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
}

impl App {
    /// Reads the folder; functions come back in the order of their names.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let host: Value = read_json(&folder.join("host.json"))?;
        if host["version"] != "2.0" {
            return Err(Error::App("host.json: version must be \"2.0\"".to_owned()));
        }
        if host["customHandler"]["enableProxyingHttpRequest"] != true {
            return Err(Error::App(
                "host.json: this stand-in needs customHandler.enableProxyingHttpRequest".to_owned(),
            ));
        }
        let executable = host["customHandler"]["description"]["defaultExecutablePath"]
            .as_str()
            .unwrap_or_default();
        if executable.is_empty() {
            return Err(Error::App(
                "host.json: WorkerDescription DefaultExecutablePath cannot be empty".to_owned(),
            ));
        }
        let prefix = host["extensions"]["http"]["routePrefix"]
            .as_str()
            .unwrap_or("api");
        Ok(Self {
            executable: executable.to_owned(),
            route_prefix: prefix.trim_matches('/').to_owned(),
            settings: settings(folder)?,
            functions: functions(folder)?,
        })
    }
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, Error> {
    let wrong = |why: String| Error::App(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// `Values` of local.settings.json; there need be no such file.
fn settings(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    #[derive(Deserialize)]
    struct File {
        #[serde(rename = "Values")]
        values: BTreeMap<String, String>,
    }
    let file = folder.join("local.settings.json");
    if file.exists() {
        Ok(read_json::<File>(&file)?.values)
    } else {
        Ok(BTreeMap::new())
    }
}

fn functions(folder: &Path) -> Result<Vec<Function>, Error> {
    let wrong = |error: std::io::Error| Error::App(format!("{}: {error}", folder.display()));
    let mut functions = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let file = entry.path().join("function.json");
        if file.is_file() {
            functions.push(function(entry.file_name().to_string_lossy().into_owned(), &file)?);
        }
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(functions)
}

fn function(name: String, file: &Path) -> Result<Function, Error> {
    let refused = |why: &str| Err(Error::App(format!("function {name}: {why}")));
    let mut characters = name.chars();
    let sound = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && name.len() <= 127;
    if !sound {
        return refused("a name is a letter, then letters, digits, _ or -");
    }
    let FunctionFile { bindings } = read_json(file)?;
    let [trigger, output] = bindings.as_slice() else {
        return refused("only one httpTrigger and one http output can be run here");
    };
    if trigger.r#type != "httpTrigger" || output.r#type != "http" {
        return refused("only an httpTrigger with an http output can be run here");
    }
    let route = trigger.route.clone().unwrap_or_else(|| name.clone());
    if route.contains([':', '?', '*']) {
        return refused("route constraints, optional and catch-all parameters are not understood here");
    }
    let methods = trigger
        .methods
        .iter()
        .map(|method| method.to_uppercase())
        .collect();
    Ok(Function {
        route: route.trim_matches('/').to_owned(),
        methods,
        name,
    })
}
