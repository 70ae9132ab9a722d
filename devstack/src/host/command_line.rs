//! The handler's command line, environment and port, as the real host and `func` give them.
//! It never starts the handler.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use super::{error::Error, handler::Handler, host_json::HostJson, log::Logger, settings::Settings};

/// The handler with its arguments and the environment that the real host and `func` give it.
pub(super) fn prepare(
    root: &Path,
    json: &HostJson,
    settings: &Settings,
    address: SocketAddr,
    logger: &Logger,
) -> Result<Handler, Error> {
    let handler = &json.handler;
    let port = match handler.port {
        Some(port) => port,
        // Closed again before the handler opens it: a small race, which the real host has as well.
        None => std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|probe| probe.local_addr())
            .map_err(|source| Error::Listen {
                address: (Ipv4Addr::LOCALHOST, 0).into(),
                source,
            })?
            .port(),
    };
    let mut environment: Vec<(String, String)> = settings
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (port_text, id) = (port.to_string(), uuid::Uuid::new_v4().to_string());
    let root = root.display().to_string();
    let own = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port_text.as_str()),
        ("FUNCTIONS_HTTPWORKER_PORT", &port_text),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id),
        ("FUNCTIONS_HTTPWORKER_ID", &id),
        ("FUNCTIONS_APP_ROOT_PATH", &root),
        ("AzureWebJobsScriptRoot", &root),
        ("WEBSITE_HOSTNAME", &address.to_string()),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("FUNCTIONS_CORETOOLS_ENVIRONMENT", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    environment.extend(own.clone());
    let arguments = handler.arguments.iter().map(|text| {
        let text = text.replace("%FUNCTIONS_CUSTOMHANDLER_PORT%", &port_text);
        settings.expand(&text)
    });
    // The real host joins the arguments with spaces, so one with spaces is two unless it brings quotes.
    let line = arguments.collect::<Vec<_>>().join(" ");
    Ok(Handler::new(
        handler.clone(),
        words(&line),
        environment,
        port,
        logger.clone(),
    ))
}

/// Splits a command line at spaces outside double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            letter => {
                word.push(letter);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}
