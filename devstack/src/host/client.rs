//! The HTTP client for the handler, and a request body that survives a refused connection.
//! It never follows a redirect and never buffers a body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use hyper::{
    StatusCode,
    body::{Frame, SizeHint},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// A pooled HTTP/1.1 client.
pub(crate) type Http = Client<HttpConnector, Body>;

pub(crate) fn new() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// A body that is taken when it is first read, so that an unread one can be sent again.
#[derive(Clone)]
pub(crate) struct Resendable(Arc<Mutex<TakenBody>>);

struct TakenBody {
    body: Body,
    /// The answer to its sender, once it has turned out not to be what was announced.
    bad: Option<StatusCode>,
}

impl Resendable {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(TakenBody { body, bad: None })))
    }

    /// The answer to its sender, if it broke off or is too long.
    pub(crate) fn bad(&self) -> Option<StatusCode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bad
    }
}

/// 500 for a body that is too long, as the real host has it; 400 for one that broke off.
fn status(error: &axum::Error) -> StatusCode {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        cause = error.source();
    }
    StatusCode::BAD_REQUEST
}

impl hyper::body::Body for Resendable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = Pin::new(&mut inner.body).poll_frame(context);
        if let Poll::Ready(Some(Err(error))) = &polled {
            inner.bad = Some(status(error));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .body
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .body
            .size_hint()
    }
}
