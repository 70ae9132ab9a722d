//! Makes a query one that the service in memory answers as Azure does, or refuses it.
//! It never runs one.

mod checks;
mod clauses;
mod membership;
mod names;
mod order;
mod parts;
mod resume;
mod rewrite;
mod tokens;

use serde_json::Value;

use clauses::Clauses;
pub(super) use parts::AggregateParts;
pub(super) use rewrite::GATHERED;
use tokens::Token;

use super::answer::AnswerChange;
use super::refusal::Refusal;
use super::request::AccountRequest;

/// The header that lets an answer come in binary.
const FORMATS: &str = "x-ms-cosmos-supported-serialization-formats";

/// Rewrites the query in the body. `definition` is the container's, where the query is about items.
pub(super) fn admit(asked: &mut AccountRequest, definition: Option<&Value>) -> Result<AnswerChange, Refusal> {
    let Some(mut body) = asked.json() else {
        return Ok(AnswerChange::Nothing);
    };
    let Some(text) = body["query"].as_str() else {
        return Ok(AnswerChange::Nothing);
    };
    let mut tokens = tokens::cut(text)?;
    rewrite::use_dots(&mut tokens);
    let Some(clauses) = clauses::find(&tokens) else {
        return Ok(AnswerChange::Nothing);
    };
    checks::no_subquery(&tokens)?;
    let sources = names::sources(&tokens, &clauses)?;
    checks::check(&tokens, &clauses, &sources, &body["parameters"])?;
    let plans = asked.says("x-ms-cosmos-is-query-plan-request") && checks::gathers(&tokens, &clauses);
    if plans || parts::is_marked(text) {
        return in_parts(asked, &body, text, &tokens, &clauses);
    }
    let mut conditions = Vec::new();
    if let Some(definition) = definition {
        let sorted = order::sorted(&tokens, &clauses.order);
        order::check(&tokens, &sorted, &sources, definition)?;
        if let Some(filter) = body.as_object_mut().and_then(|body| body.remove("resumeFilter")) {
            conditions.push(resume::condition(&tokens, &sorted, &filter)?);
        }
        if let Some(prefix) = prefix(asked, definition) {
            let Some(item) = &sources.item else {
                let what = "FROM a list with the prefix of a hierarchical partition key";
                return Err(Refusal::unsupported_query(what));
            };
            conditions.extend(prefix.iter().map(|(path, value)| equals(item, path, value)));
            asked.headers.remove("x-ms-documentdb-partitionkey");
        }
    }
    let gathered = rewrite::gathered_value(&tokens, &clauses);
    body["query"] = rewrite::write(tokens, &sources, conditions)?.into();
    asked.set_json(&body);
    if gathered {
        asked.headers.remove(FORMATS);
        return Ok(AnswerChange::Values);
    }
    Ok(AnswerChange::Nothing)
}

/// A query whose answer is put together by the client: the plan of it, or the parts that the plan told the client to ask.
fn in_parts(
    asked: &mut AccountRequest,
    body: &Value,
    text: &str,
    tokens: &[Token],
    clauses: &Clauses,
) -> Result<AnswerChange, Refusal> {
    let Some(parts) = parts::read(tokens, clauses) else {
        let what =
            "more than aggregates and groups alone in a query that is planned (by Microsoft's .NET client)";
        return Err(Refusal::unsupported_query(what));
    };
    let mut body = body.clone();
    let marked = parts::is_marked(text);
    let query = if marked {
        parts.flat_query()
    } else {
        parts.items_query()
    };
    body["query"] = plain_with(&query, &body["parameters"])?.into();
    asked.set_json(&body);
    if marked {
        // The rows are changed, so they must come as text.
        asked.headers.remove(FORMATS);
        return Ok(AnswerChange::AggregateParts(parts));
    }
    Ok(AnswerChange::Plan(parts.plan(text)))
}

/// A query of our own making, checked and written anew like any other.
pub(super) fn plain(text: &str) -> Result<String, Refusal> {
    plain_with(text, &Value::Null)
}

fn plain_with(text: &str, parameters: &Value) -> Result<String, Refusal> {
    let tokens = tokens::cut(text)?;
    let clauses = clauses::find(&tokens).ok_or_else(|| Refusal::bad("Syntax error: no query."))?;
    checks::no_subquery(&tokens)?;
    let sources = names::sources(&tokens, &clauses)?;
    checks::check(&tokens, &clauses, &sources, parameters)?;
    rewrite::write(tokens, &sources, Vec::new())
}

/// The partition key of the request with its paths, where it is not the whole key: the service in memory would take it
/// for no key at all.
pub(super) fn prefix(asked: &AccountRequest, definition: &Value) -> Option<Vec<(String, Value)>> {
    let key: Vec<Value> = serde_json::from_str(asked.header("x-ms-documentdb-partitionkey")?).ok()?;
    let paths = definition["partitionKey"]["paths"].as_array()?;
    let path = |path: &Value| path.as_str().map(str::to_owned);
    let paths: Vec<String> = paths.iter().filter_map(path).collect();
    (!key.is_empty() && key.len() < paths.len()).then(|| paths.into_iter().zip(key).collect())
}

fn equals(item: &str, path: &str, value: &Value) -> String {
    let mut property = item.to_owned();
    for name in path.split('/').skip(1) {
        property.push_str(&format!("[{}]", rewrite::text(&name.replace('"', ""))));
    }
    match value {
        Value::Object(_) => format!("NOT IS_DEFINED({property})"),
        Value::Null => format!("IS_NULL({property})"),
        Value::String(value) => format!("{property} = {}", rewrite::text(value)),
        value => format!("{property} = {value}"),
    }
}
