//! Begins a change feed at a point in time, which the service in memory would begin at the first change.
//! It never keeps anything: where the feed begins is said to the service in its own tokens.

use anyhow::{Context as _, Result};
use axum::http::HeaderValue;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::gateway::Gateway;
use super::refusal::Refusal;
use super::request::AccountRequest;

/// Turns `If-Modified-Since` into the token after the last change before it. A token of the client goes first.
pub(super) async fn begin(gateway: &Gateway, asked: &mut AccountRequest) -> Result<(), Refusal> {
    let is_first = asked.headers.contains_key("a-im") && !asked.headers.contains_key("if-none-match");
    let Some(since) = asked.headers.remove("if-modified-since").filter(|_| is_first) else {
        return Ok(());
    };
    let since = seconds(&since).map_err(|error| Refusal::bad(format!("If-Modified-Since: {error:#}")))?;
    let mut all = asked.clone();
    all.headers.remove("x-ms-max-item-count");
    all.headers.remove("x-ms-cosmos-changefeed-wire-format-version");
    let (changes, _) = page(gateway, &all).await?;
    let is_before = |change: &&Value| change["_ts"].as_i64().is_some_and(|at| at < since);
    let before = changes.iter().filter(is_before).count();
    if changes.iter().take_while(is_before).count() < before {
        // Changes of several partitions are not in the order of their times.
        let what = "the change feed from a point in time over more than one partition at once";
        return Err(Refusal::unsupported(what));
    }
    if before > 0 {
        all.headers
            .insert("x-ms-max-item-count", HeaderValue::from(before));
        if let (_, Some(token)) = page(gateway, &all).await? {
            asked.headers.insert("if-none-match", token);
        }
    }
    Ok(())
}

/// The changes, and the token after them.
async fn page(gateway: &Gateway, asked: &AccountRequest) -> Result<(Vec<Value>, Option<HeaderValue>)> {
    let answer = gateway.ask_as(asked).await?;
    let mut headers = answer.headers().iter();
    let token = headers.find(|(name, _)| name.as_str() == "etag");
    let token = token.map(|(_, token)| HeaderValue::from_str(token.as_str()));
    let body: Value = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
    let changes = body["Documents"].as_array().cloned();
    Ok((changes.unwrap_or_default(), token.transpose()?))
}

fn seconds(date: &HeaderValue) -> Result<i64> {
    let date = date.to_str()?;
    let time = OffsetDateTime::parse(date, &Rfc2822).with_context(|| format!("{date} is no date"))?;
    Ok(time.unix_timestamp())
}
