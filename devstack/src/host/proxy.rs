//! Proxies an HTTP function to the handler, streaming both ways.
//! It never looks at who calls, nor which function that is: `call` has done so.

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
    headers,
    invoke::{CallTarget, Invoker},
    resend::{RequestContent, Resends, SendFailure},
};

/// The longest body, in bytes.
pub(crate) const BODY_LIMIT: u64 = 104_857_600;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sends the request on, and again where the real host does.
pub(crate) async fn send(
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
    headers::add(&mut head.headers, id)?;
    let own = id.to_string().parse();
    let own = own.map_err(|_| "a header cannot be written".to_owned())?;
    head.headers.insert("x-ms-invocation-id", own);
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
    headers::drop_hop(&mut head.headers);
    // A length is the handler's to tell: of an answer to HEAD, what is sent is not what it is about.
    let announced = head.headers.contains_key(header::CONTENT_LENGTH);
    let body = if announced {
        Body::new(body)
    } else {
        Body::from_stream(body.into_data_stream())
    };
    Response::from_parts(head, body)
}
