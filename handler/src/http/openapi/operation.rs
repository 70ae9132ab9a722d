//! One call as an OpenAPI operation: parameters, body, answer, and every problem it may be answered with.
//! Never knows a particular call: all it says follows from the endpoint's own description.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::{
    domain::value::Sku,
    http::{
        access::AccessRule,
        answer::IDEMPOTENT_REPLAYED,
        consistency::{CONSISTENCY_TOKEN, READ_SOURCE},
        endpoint::Endpoint,
        problem::ProblemKind,
    },
};

/// Problems of every command.
const OF_COMMANDS: [ProblemKind; 10] = [
    ProblemKind::MalformedJson,
    ProblemKind::IncompleteBody,
    ProblemKind::InvalidIdempotencyKey,
    ProblemKind::TooManyChanges,
    ProblemKind::LostRace,
    ProblemKind::StaleVersion,
    ProblemKind::BodyTooLarge,
    ProblemKind::UnsupportedMediaType,
    ProblemKind::InvalidContent,
    ProblemKind::IdempotencyKeyReused,
];
/// Problems of every call that starts a job.
const OF_OPERATIONS: [ProblemKind; 7] = [
    ProblemKind::MalformedJson,
    ProblemKind::IncompleteBody,
    ProblemKind::InvalidIdempotencyKey,
    ProblemKind::BodyTooLarge,
    ProblemKind::UnsupportedMediaType,
    ProblemKind::InvalidContent,
    ProblemKind::StaleVersion,
];
/// Problems of every call that needs a signed-in caller.
const OF_CALLERS: [ProblemKind; 6] = [
    ProblemKind::Unauthenticated,
    ProblemKind::Forbidden,
    ProblemKind::NotConfigured,
    ProblemKind::Unavailable,
    ProblemKind::Internal,
    ProblemKind::InvalidQuery,
];

pub(super) fn operation(endpoint: &Endpoint, schemas: &mut SchemaGenerator, problem: &Schema) -> Value {
    let doc = &endpoint.doc;
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": doc.summary,
        "description": format!("{} {}", doc.detail, endpoint.access.in_words()).trim(),
        "tags": [tag(endpoint.path)],
        "parameters": parameters(endpoint, schemas),
        "responses": responses(endpoint, schemas, problem),
    });
    if let Some((schema, example)) = &doc.body {
        let content = json!({ "schema": schema(schemas), "example": example });
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
    }
    if endpoint.access == AccessRule::Anybody {
        operation["security"] = json!([]);
    }
    if let Some(part) = endpoint.part {
        operation["x-part"] = json!(part.name());
    }
    operation
}

/// The first word of the path.
fn tag(path: &str) -> &str {
    match path.split('/').nth(1) {
        Some(word @ ("orders" | "customers" | "products" | "sales" | "jobs" | "operations")) => word,
        _ => "service",
    }
}

fn parameters(endpoint: &Endpoint, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    if endpoint.path.contains("{id}") {
        let schema = json!({ "type": "string", "format": "uuid" });
        parameters.push(json!({ "name": "id", "in": "path", "required": true, "schema": schema }));
    }
    if endpoint.path.contains("{sku}") {
        let schema = schemas.subschema_for::<Sku>();
        parameters.push(json!({ "name": "sku", "in": "path", "required": true, "schema": schema }));
    }
    if endpoint.path.contains("{sequence}") {
        let schema = json!({ "type": "integer", "format": "int64", "minimum": 0 });
        parameters.push(json!({ "name": "sequence", "in": "path", "required": true, "schema": schema }));
    }
    for (name, description, schema, required) in &endpoint.doc.query {
        parameters.push(json!({
            "name": name, "in": "query", "description": description, "required": required, "schema": schema
        }));
    }
    if !endpoint.is_operation() {
        parameters.extend(request_headers(endpoint));
    }
    parameters
}

/// The header fields that a call of the shop reads.
fn request_headers(endpoint: &Endpoint) -> Vec<Value> {
    let mut parameters = Vec::new();
    let mut header = |name: &str, description: &str, schema: Value| {
        parameters
            .push(json!({ "name": name, "in": "header", "description": description, "schema": schema }));
    };
    if endpoint.doc.body.is_some() {
        let key = "The caller's name for this request: sent again under it, it happens once and gets the first answer.";
        let pattern = r#"^("[!#-~]{1,255}"|[!#-~]{1,255})$"#;
        header(
            "Idempotency-Key",
            key,
            json!({ "type": "string", "pattern": pattern }),
        );
        let tag = "The ETag that the command is meant for; 412 when the version is another by now.";
        // A product is read under its own version and its stock's.
        let one = match self::tag(endpoint.path) {
            "products" => r#""[0-9]{1,18}(-[0-9]{1,18})?""#,
            _ => r#""[0-9]{1,18}""#,
        };
        let pattern = format!(r"^(\*|{one}(, ?{one})*)$");
        header("If-Match", tag, json!({ "type": "string", "pattern": pattern }));
        let none = "412 when what is changed has one of these ETags; `*` when it is there at all.";
        header("If-None-Match", none, json!({ "type": "string" }));
        if self::tag(endpoint.path) != "products" {
            let since = "412 when it has changed after this; ignored beside `If-Match`. Whole seconds: prefer the ETag.";
            header("If-Unmodified-Since", since, json!({ "type": "string" }));
        }
    } else if endpoint.access != AccessRule::Anybody {
        let tag = "The ETag of what the caller has already; 304 when it is still so.";
        header("If-None-Match", tag, json!({ "type": "string" }));
        let tag = "The ETag that the caller is asking about; 412 when it is another by now.";
        header("If-Match", tag, json!({ "type": "string" }));
        let since = "304 when it has not changed after this; ignored beside `If-None-Match`. Whole seconds: prefer the ETag.";
        header("If-Modified-Since", since, json!({ "type": "string" }));
        let token = "What a command has answered with: the read waits until it shows that change.";
        header(
            "Consistency-Token",
            token,
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" }),
        );
        let prefer = "`wait=<seconds>`: how long to wait for that, 0 to 10; 2 if nothing is said (RFC 7240).";
        header("Prefer", prefer, json!({ "type": "string" }));
    }
    parameters
}

fn responses(endpoint: &Endpoint, schemas: &mut SchemaGenerator, problem: &Schema) -> Map<String, Value> {
    let doc = &endpoint.doc;
    let (status, media_type, schema, example) = &doc.answer;
    let content = json!({ (*media_type): { "schema": schema(schemas), "example": example } });
    let success = json!({ "description": "Done.", "headers": headers(endpoint), "content": content });
    let mut responses = Map::from_iter([(status.to_string(), success)]);
    let signed_in = endpoint.access != AccessRule::Anybody;
    if signed_in && doc.body.is_none() && !endpoint.is_operation() {
        responses.insert(
            "304".to_owned(),
            json!({
                "description": "It is still what `If-None-Match`, or `If-Modified-Since` alone, says.",
                "headers": { "ETag": header("The version, in quotes; for a list, a digest of the page.") },
            }),
        );
    }
    let always: Vec<ProblemKind> = match (signed_in, &doc.body) {
        (false, _) => vec![ProblemKind::InvalidQuery],
        (true, None) if endpoint.is_operation() => OF_CALLERS.to_vec(),
        (true, Some(_)) if endpoint.is_operation() => [&OF_OPERATIONS[..], &OF_CALLERS].concat(),
        (true, None) => [
            &[ProblemKind::InvalidConsistencyToken, ProblemKind::StaleVersion],
            &OF_CALLERS[..],
        ]
        .concat(),
        (true, Some(_)) => [&OF_COMMANDS[..], &OF_CALLERS].concat(),
    };
    let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    let elsewhere = endpoint.part.map(|_| &ProblemKind::PartNotServed);
    for kind in doc.problems.iter().chain(&always).chain(elsewhere) {
        let kinds = by_status.entry(kind.status().as_u16()).or_default();
        if !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    responses.extend(
        by_status
            .into_iter()
            .map(|(status, kinds)| (status.to_string(), refusal(status, &kinds, problem))),
    );
    responses
}

/// A header of an answer.
fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

/// All problems of one status.
fn refusal(status: u16, kinds: &[ProblemKind], problem: &Schema) -> Value {
    let described = kinds
        .iter()
        .map(|kind| format!("`{}`: {}", kind.name(), kind.meaning()));
    let mut refusal = json!({
        "description": described.collect::<Vec<_>>().join("\n\n"),
        "content": { "application/problem+json": { "schema": problem } },
    });
    match status {
        401 => refusal["headers"] = json!({ "WWW-Authenticate": header("Always `Bearer`.") }),
        503 => {
            refusal["headers"] = json!({ "Retry-After": header("After how many seconds it may be tried again; absent where settings are missing.") })
        }
        _ => {}
    }
    refusal
}

fn headers(endpoint: &Endpoint) -> Map<String, Value> {
    let mut headers = Map::new();
    let mut header = |name: &str, description: &str| {
        headers.insert(name.to_owned(), header(description));
    };
    if endpoint.doc.answer.0 == 202 {
        header("Location", "The address of the job.");
    }
    if endpoint.access == AccessRule::Anybody || endpoint.is_operation() {
        return headers;
    }
    header(
        "ETag",
        "The version, in quotes; for a list, a digest of the page.",
    );
    if endpoint.doc.body.is_none() {
        header("Cache-Control", "Always `private, no-cache`.");
        let when = "When it changed last, where that is known, in whole seconds.";
        header("Last-Modified", when);
        let source = "`read-model` or `write-model`, where a Consistency-Token was about what is read.";
        header(READ_SOURCE, source);
        header("Preference-Applied", "The `wait` that was granted.");
    }
    if !endpoint.doc.query.is_empty() && endpoint.doc.query.iter().any(|(name, ..)| *name == "cursor") {
        header(
            "Link",
            "The next page, `rel=\"next\"`, relative to this address; absent on the last page.",
        );
    }
    if endpoint.doc.body.is_some() {
        header(
            CONSISTENCY_TOKEN,
            "Hand it in with a read that must see this change. Opaque.",
        );
        header(
            IDEMPOTENT_REPLAYED,
            "`true` when this is the first answer to the same Idempotency-Key again.",
        );
    }
    if endpoint.doc.answer.0 == 201 {
        header("Location", "Where to read it.");
    }
    headers
}
