//! Decides whether a request can be carried, by what it is about.
//! It never lets one pass that the service in memory would answer wrongly: that is refused by name, or written anew.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use super::answer::AnswerChange;
use super::gateway::Gateway;
use super::refusal::Refusal;
use super::request::AccountRequest;
use super::{changes, documents, properties, query};

const PARTITION_KEY: &str = "x-ms-documentdb-partitionkey";

/// Refuses what clients ask for that mean to speak to the replicas themselves (direct mode), signed or not.
pub(super) fn addresses(asked: &AccountRequest) -> Result<(), Refusal> {
    if asked.segments().last().is_some_and(|part| part == "addresses") {
        let what = "direct mode: set the client's connection mode to Gateway";
        return Err(Refusal::unsupported(what));
    }
    Ok(())
}

pub(super) async fn admit(
    gateway: &Gateway,
    endpoint: &Url,
    asked: &mut AccountRequest,
) -> Result<AnswerChange, Refusal> {
    headers(asked)?;
    let parts = asked.segments();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let asks = asked.says("x-ms-documentdb-isquery")
        || asked.says("x-ms-documentdb-query")
        || asked.says("x-ms-cosmos-is-query-plan-request");
    let kept = definition(gateway, asked, &parts).await?;
    let container = kept.as_deref();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", []) => return Ok(AnswerChange::Account(endpoint.clone())),
        ("POST", ["dbs", _, "colls", _, "docs"]) if asks => {
            // Without a definition there is no container either, and the service says so.
            return container.map_or(Ok(AnswerChange::Nothing), |_| query::admit(asked, container));
        }
        ("POST", ["dbs"] | ["dbs", _, "colls"]) if asks => return query::admit(asked, None),
        ("POST", ["dbs", _, "colls", _, "docs"]) if asked.says("x-ms-cosmos-is-batch-request") => {
            batch(asked, container)?;
        }
        ("POST", ["dbs", _, "colls", _, "docs"]) | ("PUT", ["dbs", _, "colls", _, "docs", _]) => {
            document(asked, container)?;
        }
        ("PATCH", ["dbs", _, "colls", _, "docs", _]) => patch(asked, container)?,
        ("GET", ["dbs", _, "colls", _, "docs"]) => {
            feed(asked, container)?;
            changes::begin(gateway, asked).await?;
        }
        ("POST", [.., "operations", "partitionkeydelete"]) => {
            return Err(Refusal::unsupported("deleting all items of a partition"));
        }
        // The store says of an offer neither whose it is nor its id as clients read them.
        (_, ["offers", ..]) => return Err(Refusal::unsupported("reading and replacing throughput")),
        ("POST", ["dbs"]) => properties::of_database(asked)?,
        ("POST", ["dbs", _, "colls"]) | ("PUT", ["dbs", _, "colls", _]) => properties::of_container(asked)?,
        _ => {}
    }
    Ok(AnswerChange::Nothing)
}

/// The definition of the container of these items, where something depends on it.
async fn definition(
    gateway: &Gateway,
    asked: &AccountRequest,
    parts: &[&str],
) -> Result<Option<Arc<Value>>, Refusal> {
    let reads_one = asked.method == Method::GET && parts.len() > 5;
    match parts {
        ["dbs", database, "colls", container, "docs", ..] if !reads_one => Ok(gateway
            .definition(&format!("dbs/{database}/colls/{container}"))
            .await?),
        _ => Ok(None),
    }
}

/// Refuses what a header asks for that would be overlooked.
fn headers(asked: &AccountRequest) -> Result<(), Refusal> {
    for (header, what) in [
        ("x-ms-documentdb-pre-trigger-include", "triggers"),
        ("x-ms-documentdb-post-trigger-include", "triggers"),
        (
            "x-ms-cosmos-offer-autopilot-settings",
            "throughput that scales by itself",
        ),
        (
            "x-ms-offer-autopilot-settings",
            "throughput that scales by itself",
        ),
    ] {
        if asked.headers.contains_key(header) {
            return Err(Refusal::unsupported(what));
        }
    }
    let is = |header: &str, values: &[&str]| {
        let value = asked.header(header);
        value.is_some_and(|value| values.iter().any(|each| each.eq_ignore_ascii_case(value)))
    };
    if is("x-ms-indexing-directive", &["Exclude"]) {
        return Err(Refusal::unsupported("leaving an item out of the index"));
    }
    if is("x-ms-consistency-level", &["Strong", "BoundedStaleness"]) {
        let message = "The consistency level is stronger than the account's, which is Session.";
        return Err(Refusal::bad(message));
    }
    Ok(())
}

fn document(asked: &AccountRequest, definition: Option<&Value>) -> Result<(), Refusal> {
    // What is no JSON the service refuses itself.
    let document = asked.json();
    document.map_or(Ok(()), |document| documents::check(&document, definition))
}

fn patch(asked: &AccountRequest, definition: Option<&Value>) -> Result<(), Refusal> {
    let body = asked.json().unwrap_or_default();
    let operations = body["operations"].as_array().or(body.as_array());
    for operation in operations.into_iter().flatten() {
        let sets = operation["path"] == "/ttl" && operation["op"] != "remove";
        if sets {
            documents::check(&json!({ "ttl": operation["value"] }), definition)?;
        }
    }
    Ok(())
}

fn batch(asked: &AccountRequest, definition: Option<&Value>) -> Result<(), Refusal> {
    if !asked.headers.contains_key(PARTITION_KEY) {
        return Err(Refusal::unsupported("bulk requests"));
    }
    let Some(operations) = asked.json() else {
        let what = "batches in HybridRow (the encoding of Microsoft's .NET and Java clients)";
        return Err(Refusal::unsupported(what));
    };
    for operation in operations.as_array().into_iter().flatten() {
        if let Some(document) = operation.get("resourceBody") {
            documents::check(document, definition)?;
        }
    }
    Ok(())
}

fn feed(asked: &AccountRequest, definition: Option<&Value>) -> Result<(), Refusal> {
    if definition.is_some_and(|definition| query::prefix(asked, definition).is_some()) {
        let what = "reading a feed by the prefix of a hierarchical partition key";
        return Err(Refusal::unsupported(what));
    }
    let Some(changes) = asked.header("a-im") else {
        return Ok(());
    };
    if changes.eq_ignore_ascii_case("Full-Fidelity Feed") {
        return Err(Refusal::unsupported(
            "the change feed of all versions and deletes",
        ));
    }
    Ok(())
}

/// True when the request may change a container's definition.
pub(super) fn defines(asked: &AccountRequest) -> bool {
    asked.method != Method::GET && asked.segments().len() <= 4
}
