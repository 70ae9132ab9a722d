//! The HTTP client for the handler, and a request body that survives a refused connection.
//! It never follows a redirect and never buffers a body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
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
pub(crate) struct Resendable(Arc<Mutex<(Body, bool)>>);

impl Resendable {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new((body, false))))
    }

    pub(crate) fn is_untouched(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl hyper::body::Body for Resendable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1 = true;
        Pin::new(&mut inner.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .size_hint()
    }
}
