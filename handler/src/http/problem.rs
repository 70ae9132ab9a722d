//! The only place where an error becomes a status: `application/problem+json` (RFC 9457).
//! Never shows a caller what went wrong inside; that is logged once, here, under the same `traceId`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{domain::rejection::Rejection, read::store::StoreError, telemetry, write};

/// An error as a caller sees it; `type` is stable, `errors` point into the body (RFC 6901).
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    errors: Vec<Value>,
}

impl Problem {
    /// A problem without pointers.
    #[must_use]
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// The same problem, pointing at a place of the request's body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors
            .push(json!({ "pointer": format!("#{}", pointer.into()), "detail": detail.into() }));
        self
    }

    /// This deployment lacks the settings for what was asked.
    #[must_use]
    pub fn not_configured(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-configured",
            format!("this deployment has no {what}"),
        )
    }

    /// The body has the right syntax and the wrong content.
    #[must_use]
    pub fn content(pointer: impl Into<String>, detail: impl Into<String> + Clone) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-content",
            detail.clone(),
        )
        .at(pointer, detail)
    }
}

/// What is answered when a function has panicked: a 500 for that request alone.
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    telemetry::panicked(panic.as_ref());
    let detail = "something is broken on our side";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

impl From<write::Error> for Problem {
    fn from(error: write::Error) -> Self {
        match error {
            write::Error::Rejected(rejection) => rejection.into(),
            write::Error::Stale(version) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale-version",
                version.map_or_else(
                    || "If-Match is for what exists, and this does not".to_owned(),
                    |version| format!("If-Match does not hold: the version is \"{version}\" by now"),
                ),
            ),
            write::Error::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "this Idempotency-Key was used for another request",
            ),
            write::Error::Unavailable(why) => {
                tracing::warn!(error = %why, "write_model_unavailable");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the order book cannot be reached; try again",
                )
            }
            write::Error::Internal(why) => {
                tracing::error!(error = %why, "command_failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something is broken on our side",
                )
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away { why, .. } => {
                tracing::warn!(error = %why, "read_store_unavailable");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the read model cannot be reached; try again",
                )
            }
            StoreError::Changed | StoreError::Refused(_) => {
                tracing::error!(%error, "query_failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "something is broken on our side",
                )
            }
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        use Rejection as R;
        let (status, kind) = match &rejection {
            R::UnknownOrder(_) => (StatusCode::NOT_FOUND, "unknown-order"),
            R::UnknownProduct(_) => (StatusCode::NOT_FOUND, "unknown-product"),
            R::UnknownCustomer(_) => (StatusCode::NOT_FOUND, "unknown-customer"),
            R::NotRegistered(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-customer"),
            R::UnknownProducts(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown-product"),
            R::AmountTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "amount-too-large"),
            R::CustomerExists(_) => (StatusCode::CONFLICT, "customer-exists"),
            R::ProductExists(_) => (StatusCode::CONFLICT, "product-exists"),
            R::NotEnoughStock(_) => (StatusCode::CONFLICT, "not-enough-stock"),
            R::MixedCurrencies(_) => (StatusCode::CONFLICT, "mixed-currencies"),
            R::WrongAmount { .. } => (StatusCode::CONFLICT, "wrong-amount"),
            R::WrongStatus { .. } => (StatusCode::CONFLICT, "wrong-status"),
        };
        let mut problem = Self::new(status, kind, rejection.to_string());
        match rejection {
            R::NotRegistered(_) => problem = problem.at("/customerId", "there is no such customer"),
            R::NotEnoughStock(shortages) => {
                for s in shortages {
                    let place = format!("#/lines/{}/quantity", s.line);
                    let detail = format!("{} left", s.available);
                    let entry =
                        json!({ "pointer": place, "detail": detail, "sku": s.sku, "available": s.available });
                    problem.errors.push(entry);
                }
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let trace_id = Uuid::now_v7().simple().to_string();
        tracing::info!(traceId = %trace_id, status = self.status.as_u16(), problem = self.kind, "request_refused");
        let mut body = json!({
            "type": format!("urn:problem:orders:{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "traceId": trace_id,
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
