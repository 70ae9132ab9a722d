//! Does a patch under a condition, and an increment of what is not there yet, which the service in memory would not.
//! It never patches another version of the item than the one it looked at.

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::AnswerChange;
use super::gateway::Gateway;
use super::refusal::Refusal;
use super::request::AccountRequest;

/// The number of times that another writer may be faster.
const TRIES: usize = 20;

pub(super) async fn carry(gateway: &Gateway, mut asked: AccountRequest) -> Result<Response, Refusal> {
    let Some(mut patch) = asked.json() else {
        return Ok(gateway.carry(&asked, &AnswerChange::Nothing).await?);
    };
    if patch.is_array() {
        patch = json!({ "operations": patch });
    }
    let condition = patch.as_object_mut().and_then(|patch| patch.remove("condition"));
    let condition = condition.as_ref().and_then(Value::as_str);
    let operations = patch["operations"].as_array().cloned().unwrap_or_default();
    let increments = operations.iter().any(|operation| operation["op"] == "incr");
    let partition = asked.header("x-ms-documentdb-partitionkey").map(str::to_owned);
    let Some(partition) = partition.filter(|_| increments || condition.is_some()) else {
        asked.set_json(&patch);
        return Ok(gateway.carry(&asked, &AnswerChange::Nothing).await?);
    };
    let etag = asked.header("if-match").map(str::to_owned);
    let etag = etag.filter(|etag| etag != "*");
    for _ in 0..TRIES {
        let Some(item) = find(gateway, &asked, &partition, None).await? else {
            asked.set_json(&patch);
            return Ok(gateway.carry(&asked, &AnswerChange::Nothing).await?);
        };
        let current = item["_etag"].as_str().unwrap_or_default();
        if etag.as_ref().is_some_and(|etag| etag != current) {
            return Err(Refusal::overtaken());
        }
        if condition.is_some() {
            let met = find(gateway, &asked, &partition, condition).await?;
            if met.is_none_or(|met| met["_etag"] != item["_etag"]) {
                return Err(Refusal::overtaken());
            }
        }
        let version = HeaderValue::from_str(current).map_err(anyhow::Error::from)?;
        asked.headers.insert("if-match", version);
        patch["operations"] = begin(&operations, &item).into();
        asked.set_json(&patch);
        let response = gateway.carry(&asked, &AnswerChange::Nothing).await?;
        if response.status() != StatusCode::PRECONDITION_FAILED || etag.is_some() {
            return Ok(response);
        }
    }
    Err(Refusal::overtaken())
}

/// The item itself, if it meets the condition, which is a query from `FROM` on.
async fn find(
    gateway: &Gateway,
    asked: &AccountRequest,
    partition: &str,
    condition: Option<&str>,
) -> Result<Option<Value>, Refusal> {
    let segments = asked.segments();
    let Some((id, feed)) = segments.split_last() else {
        return Ok(None);
    };
    let text = format!("SELECT * {}", condition.unwrap_or("FROM c"));
    let query = super::query::plain(&text)?;
    let rows = gateway
        .rows(&feed.join("/"), partition, &json!({ "query": query }))
        .await?;
    if rows.is_none() && condition.is_some() {
        return Err(Refusal::bad("The condition of the patch cannot be evaluated."));
    }
    let named = |row: &Value| row["id"] == id.as_str();
    Ok(rows.into_iter().flatten().find(named))
}

/// The operations, with each increment of what is not there as its first value.
fn begin(operations: &[Value], item: &Value) -> Vec<Value> {
    let mut touched: Vec<&Value> = Vec::new();
    let mut begun = Vec::new();
    for operation in operations {
        let path = &operation["path"];
        let missing = path.as_str().is_some_and(|path| item.pointer(path).is_none());
        if operation["op"] == "incr" && missing && !touched.contains(&path) {
            begun.push(json!({ "op": "add", "path": path, "value": operation["value"] }));
        } else {
            begun.push(operation.clone());
        }
        touched.push(path);
    }
    begun
}
