//! Puts names into a path that calls databases and containers by the ids that the service gave them (`_rid`).
//! It never takes a name for such an id: what exists under that name goes first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::gateway::Gateway;
use super::refusal::Refusal;
use super::request::AccountRequest;

/// Bytes in the id of a database, and of a container with its database's.
const DATABASE: usize = 4;
const CONTAINER: usize = 8;

pub(super) async fn put_names(gateway: &Gateway, asked: &mut AccountRequest) -> Result<(), Refusal> {
    let mut parts = asked.segments();
    let named = parts.first().is_none_or(|part| part != "dbs");
    if named || !parts.get(1).is_some_and(|part| has_bytes(part, DATABASE)) {
        return Ok(());
    }
    let Some(database) = name(gateway, "dbs", "Databases", &parts[1]).await? else {
        return Ok(());
    };
    parts[1] = database;
    if parts.len() > 3 && parts[2] == "colls" && has_bytes(&parts[3], CONTAINER) {
        let feed = format!("dbs/{}/colls", parts[1]);
        if let Some(container) = name(gateway, &feed, "DocumentCollections", &parts[3]).await? {
            parts[3] = container;
        }
    }
    if parts.len() > 5 && parts[4] == "docs" {
        return Err(Refusal::unsupported("items called by their resource ids"));
    }
    asked.path = encode(&parts);
    Ok(())
}

/// The name of what has this id in a feed, unless something there is named so.
async fn name(gateway: &Gateway, feed: &str, list: &str, id: &str) -> Result<Option<String>, Refusal> {
    let all = gateway.read(feed).await?;
    let all = all.as_ref().and_then(|body| body[list].as_array());
    let find = |property: &str| {
        let found = all.into_iter().flatten().find(|each| each[property] == id);
        found.and_then(|each| each["id"].as_str()).map(str::to_owned)
    };
    Ok(find("id").or_else(|| find("_rid")))
}

fn has_bytes(text: &str, count: usize) -> bool {
    STANDARD
        .decode(text.replace('-', "/"))
        .is_ok_and(|bytes| bytes.len() == count)
}

fn encode(parts: &[String]) -> String {
    let mut url = Url::parse("http://account/").ok();
    if let Some(mut path) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        path.clear().extend(parts);
    }
    url.map(|url| url.path().to_owned()).unwrap_or_default()
}
