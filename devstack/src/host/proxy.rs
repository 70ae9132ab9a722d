//! Proxies an HTTP function to the handler, streaming both ways with the headers of the real host.
//! It never passes on who callers say they are: `sign_in` replaces that by who is signed in.

use axum::{body::Body, extract::Request, response::Response};
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, StatusCode, Uri,
    body::{Body as _, Incoming},
    header,
};
use uuid::Uuid;

use super::{
    client::Resendable,
    error_chain::chain,
    handler::HandlerState,
    invoke::{CallTarget, Invoker, VERSION, traceparent},
    resend::{RequestContent, Resends, SendFailure},
    sign_in::SignIn,
};

const BODY_LIMIT: u64 = 104_857_600;
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

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Calls the function with the request as it came; a failed call is 500 with an empty body.
pub(crate) async fn forward(
    invoker: &Invoker,
    sign_in: &SignIn,
    name: &str,
    mut request: Request,
) -> Response {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let id = Uuid::new_v4();
    // First, so that a `Connection` header cannot name one of the platform's; and before any wait, because who is
    // signed in when the request comes is the caller.
    drop_hop(request.headers_mut());
    let signed = sign_in.apply(request.headers_mut());
    let result = match signed.and(invoker.wait_ready().await) {
        Ok(()) => {
            let target = CallTarget::default();
            let sending = send(invoker, &target, id, request);
            invoker.limited(name, id, &target, sending).await
        }
        Err(reason) => Err(reason),
    };
    match result {
        Ok(response) => response,
        Err(reason) => {
            invoker
                .logger
                .error(format!("Executed 'Functions.{name}' (Failed, Id={id}): {reason}"));
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

async fn send(
    invoker: &Invoker,
    target: &CallTarget,
    id: Uuid,
    request: Request,
) -> Result<Response, String> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("http://127.0.0.1:{}{path}", invoker.handler.port());
    let url: Uri = url
        .parse()
        .map_err(|error| format!("the path cannot be sent on: {error}"))?;
    add(&mut head.headers, id)?;
    let limit = usize::try_from(BODY_LIMIT).unwrap_or(usize::MAX);
    let mut resends = Resends::new(content(&head.headers, &body));
    let body = Resendable::new(Body::new(Limited::new(body, limit)));
    loop {
        let mut again = hyper::Request::new(Body::new(body.clone()));
        *again.method_mut() = head.method.clone();
        *again.uri_mut() = url.clone();
        *again.headers_mut() = head.headers.clone();
        target.is_now(&invoker.handler);
        let error = match invoker.client.request(again).await {
            Ok(response) => return Ok(answer(response)),
            Err(error) => error,
        };
        // The caller's fault, and not the function's.
        if let Some(status) = body.bad() {
            return Ok(empty(status));
        }
        let failure = if error.is_connect() {
            SendFailure::Refused
        } else {
            SendFailure::Broken
        };
        let stopped = matches!(*invoker.handler.state().borrow(), HandlerState::Stopped(_));
        match resends.after(failure) {
            Some(pause) if !stopped => tokio::time::sleep(pause).await,
            _ => return Err(format!("Failed to proxy request: {}", chain(&error))),
        }
    }
}

fn content(headers: &HeaderMap, body: &Body) -> RequestContent {
    if !body.is_end_stream() {
        RequestContent::Body
    } else if headers.contains_key(header::CONTENT_LENGTH) {
        RequestContent::Empty
    } else {
        RequestContent::Absent
    }
}

fn answer(response: hyper::Response<Incoming>) -> Response {
    let (mut head, body) = response.into_parts();
    drop_hop(&mut head.headers);
    // A length is the handler's to tell: of an answer to HEAD, what is sent is not what it is about.
    let announced = head.headers.contains_key(header::CONTENT_LENGTH);
    let body = if announced {
        Body::new(body)
    } else {
        Body::from_stream(body.into_data_stream())
    };
    Response::from_parts(head, body)
}

fn drop_hop(headers: &mut HeaderMap) {
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

fn add(headers: &mut HeaderMap, id: Uuid) -> Result<(), String> {
    let value = |text: &str| text.parse().map_err(|_| "a header cannot be written".to_owned());
    headers.insert("x-azure-functions-hostversion", value(VERSION)?);
    headers.insert("x-azure-functions-invocationid", value(&id.to_string())?);
    headers.insert("x-ms-invocation-id", value(&id.to_string())?);
    if !headers.contains_key("traceparent") {
        headers.insert("traceparent", value(&traceparent())?);
    }
    Ok(())
}
