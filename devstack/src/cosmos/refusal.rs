//! Why the account does not do what it was asked, in the service's own form.
//! It never stands for what the service in memory says itself: those answers are carried unchanged.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request that is not carried, or not on.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Says more than the status, where clients look for it.
    substatus: Option<u16>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            substatus: None,
        }
    }

    pub(super) fn with_substatus(mut self, substatus: u16) -> Self {
        self.substatus = Some(substatus);
        self
    }

    /// Refuses as Azure Cosmos DB does.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// Refuses something that Azure Cosmos DB does and this emulator would do wrongly.
    pub(super) fn unsupported(what: &str) -> Self {
        let message = format!("This emulator does not support {what}.");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    /// The same within a query, where clients expect a fault of the query.
    pub(super) fn unsupported_query(what: &str) -> Self {
        Self::bad(format!("This emulator does not support {what} in a query."))
    }

    pub(super) fn overtaken() -> Self {
        let message = "One of the specified pre-condition is not met.";
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::bad(format!("{error:#}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message });
        let kind = [("content-type", "application/json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some(substatus) = self.substatus {
            let headers = response.headers_mut();
            headers.insert("x-ms-substatus", HeaderValue::from(substatus));
        }
        response
    }
}
