//! Calls an HTTP function as any other: `POST /<function>` with the request as JSON, answered by JSON.
//! It never streams: both are whole before they go on.

use axum::{body::Body, extract::Request, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    function::{Function, HttpTrigger},
    invoke::Invoker,
    members::Members,
    payload,
    proxy::BODY_LIMIT,
};

/// Bodies of these types are sent as base64.
const BINARY: [&str; 2] = ["application/octet-stream", "multipart/"];

/// Calls the function, and makes the answer of the output that is named.
pub(crate) async fn send(
    invoker: &Invoker,
    function: &Function,
    trigger: &HttpTrigger,
    id: Uuid,
    request: Request,
) -> Result<Response, String> {
    let payload = read(function, trigger, request).await?;
    let answer = invoker.call(&function.name, id, payload).await?;
    let outputs = member(&answer, "Outputs").and_then(Value::as_object);
    match outputs.and_then(|outputs| member(outputs, &trigger.output)) {
        None => Ok(Response::new(Body::empty())),
        Some(Value::Object(output)) => answered(output),
        Some(_) => Err(format!("the output {} is no object", trigger.output)),
    }
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = object.iter();
    let found = members.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

async fn read(function: &Function, trigger: &HttpTrigger, request: Request) -> Result<Vec<u8>, String> {
    let (head, body) = request.into_parts();
    let host = head.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let query: Map<String, Value> = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    let is_sent = head
        .headers
        .get(header::CONTENT_LENGTH)
        .is_some_and(|length| length != "0");
    let limit = usize::try_from(BODY_LIMIT).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let mut members = Members::default();
    members.put("Url", &format!("http://{host}{}", head.uri))?;
    members.put("Method", head.method.as_str())?;
    members.put("Query", &query)?;
    members.put("Headers", &listed(&head.headers))?;
    members.put("Params", &trigger.route.values(head.uri.path()))?;
    members.put("Identities", &json!([]))?;
    if is_sent {
        members.put("Body", &text(&head.headers, &body))?;
    }
    let mut metadata = Members::default();
    metadata.put("Query", &query)?;
    metadata.put("Headers", &single(&head.headers))?;
    payload::body(&function.name, &function.binding, &members, metadata)
}

fn texts(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    })
}

fn listed(headers: &HeaderMap) -> Map<String, Value> {
    texts(headers)
        .map(|(name, value)| (name, json!([value])))
        .collect()
}

fn single(headers: &HeaderMap) -> Map<String, Value> {
    texts(headers)
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

fn text(headers: &HeaderMap, body: &[u8]) -> String {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
    if BINARY.iter().any(|binary| media_type.starts_with(binary)) {
        STANDARD.encode(body)
    } else {
        String::from_utf8_lossy(body).into_owned()
    }
}

fn answered(output: &Map<String, Value>) -> Result<Response, String> {
    let status = member(output, "statusCode").or_else(|| member(output, "status"));
    let number = match status {
        None => Some(200),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    let status = number.and_then(|number| StatusCode::from_u16(number).ok());
    let status = status.ok_or("the output has a status that is none")?;
    let body = match member(output, "body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = member(output, "headers").and_then(Value::as_object);
    for (name, value) in headers.into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value = value.as_str().map(HeaderValue::from_str);
        let value = value.ok_or("a header of the output is no text")?;
        response
            .headers_mut()
            .insert(name, value.map_err(|error| error.to_string())?);
    }
    Ok(response)
}
