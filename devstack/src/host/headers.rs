//! Headers on their way to the handler: what belongs to one connection, what is joined, and what the host adds.
//! It never reads a value to decide anything.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use uuid::Uuid;

use super::invoke::VERSION;

/// Headers of one connection, which do not belong to the next one.
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What the proxy takes away besides; it says anew where a request came from.
const DROPPED: [&str; 3] = ["forwarded", "upgrade-insecure-requests", "host"];
/// The headers that .NET takes for the body's; forwarding keeps the first of them only.
const OF_CONTENT: [&str; 10] = [
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-md5",
    "content-range",
    "allow",
    "expires",
    "last-modified",
    "content-type",
];
/// Forwarding loses the trace.
const OF_TRACES: [&str; 2] = ["traceparent", "tracestate"];

/// Drops the headers of the connection, and those that it names.
pub(crate) fn drop_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_owned()))
        .collect();
    for name in HOP.iter().copied().chain(named.iter().map(String::as_str)) {
        headers.remove(name);
    }
}

/// Makes one line of a header that came on several, as .NET writes it.
pub(crate) fn join(headers: &mut HeaderMap) {
    let repeated: Vec<HeaderName> = headers
        .keys()
        .filter(|name| headers.get_all(*name).iter().nth(1).is_some())
        .cloned()
        .collect();
    for name in repeated {
        let separator: &[u8] = match name {
            header::COOKIE => b"; ",
            header::USER_AGENT => b" ",
            _ => b", ",
        };
        let lines: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        // Values joined by a separator are as valid as each was.
        if let Ok(line) = HeaderValue::from_bytes(&lines.join(separator)) {
            headers.insert(name, line);
        }
    }
}

/// What the proxy changes: the handler is the host of the request now, and is told whose request it was.
pub(crate) fn proxied(headers: &mut HeaderMap, caller: Option<IpAddr>) {
    let host = headers.get(header::HOST).cloned();
    for name in DROPPED {
        headers.remove(name);
    }
    let caller = caller.and_then(|caller| HeaderValue::from_str(&caller.to_string()).ok());
    let said = [
        ("x-forwarded-for", caller),
        ("x-forwarded-host", host),
        ("x-forwarded-proto", Some(HeaderValue::from_static("http"))),
    ];
    for (name, value) in said {
        match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    }
}

/// What forwarding loses; of the body's headers only its type goes on, and with an empty body not even that.
pub(crate) fn forwarded(headers: &mut HeaderMap, has_body: bool) {
    let lost = if has_body {
        &OF_CONTENT[..9]
    } else {
        &OF_CONTENT[..]
    };
    for name in lost.iter().chain(&OF_TRACES) {
        headers.remove(*name);
    }
    let own = format!("Azure-Functions-Host/{VERSION}");
    let agent = match headers.get(header::USER_AGENT).map(HeaderValue::to_str) {
        Some(Ok(agent)) => format!("{agent} {own}"),
        _ => own,
    };
    if let Ok(agent) = HeaderValue::from_str(&agent) {
        headers.insert(header::USER_AGENT, agent);
    }
}

/// True when .NET cannot write one of the values.
pub(crate) fn are_unsendable(headers: &HeaderMap) -> bool {
    headers.values().any(|value| !value.as_bytes().is_ascii())
}

/// Says which host calls, and which call it is.
pub(crate) fn add(headers: &mut HeaderMap, id: Uuid) -> Result<(), String> {
    let value = |text: &str| text.parse().map_err(|_| "a header cannot be written".to_owned());
    headers.insert("x-azure-functions-hostversion", value(VERSION)?);
    headers.insert("x-azure-functions-invocationid", value(&id.to_string())?);
    Ok(())
}
