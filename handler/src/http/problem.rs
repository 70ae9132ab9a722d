//! The only place where an error becomes an answer: `application/problem+json` (RFC 9457), with the status of its kind.
//! Never shows a caller what went wrong inside; that is logged once, here, under the same `traceId`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::content::BodyFaults;
pub use super::problem_kind::ProblemKind;
use crate::{
    domain::{quote, rejection::Rejection},
    error_chain::chain,
    panics,
    read::store::StoreError,
    write::{FailedPrecondition, WriteError},
};

/// Detail of every fault of ours: the log says more.
const BROKEN: &str = "something is broken on our side";

/// An error as a caller sees it.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    errors: Vec<ProblemPlace>,
    /// The cause: for the log alone.
    cause: Option<String>,
}

/// The body of every error (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem", extend("examples" = [{
    "type": "urn:problem:orders:not-enough-stock",
    "title": "Conflict",
    "status": 409,
    "detail": "not enough stock: MUG-BLUE has 3 left, 4 wanted",
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "errors": [{ "pointer": "#/lines/0/quantity", "detail": "3 left", "sku": "MUG-BLUE", "available": 3 }]
}]))]
pub(super) struct ProblemBody {
    /// Kind of problem: stable, and described in docs/problems.md.
    #[schemars(extend("enum" = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect::<Vec<_>>()))]
    r#type: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The problem in words.
    detail: String,
    /// Under this the server's log knows more.
    trace_id: String,
    /// Places in the request's body that are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<ProblemPlace>,
}

/// A place in the request's body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProblemPlace")]
pub(super) struct ProblemPlace {
    /// JSON Pointer (RFC 6901), as a URI fragment.
    pointer: String,
    /// The fault at that place.
    detail: String,
    /// Of a shortage: the SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    /// Of a shortage: how many are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
}

impl Problem {
    /// A problem without pointers.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            cause: None,
        }
    }

    /// The same problem, pointing at a place of the request's body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(ProblemPlace {
            pointer: fragment(&pointer.into()),
            detail: detail.into(),
            sku: None,
            available: None,
        });
        self
    }

    /// A problem of ours; `cause` goes to the log, under the answer's `traceId`.
    fn ours(kind: ProblemKind, detail: &str, cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(kind, detail)
        }
    }

    /// Something is broken on our side; `cause` is for the log alone.
    #[must_use]
    pub fn broken(cause: String) -> Self {
        Self::ours(ProblemKind::Internal, BROKEN, cause)
    }

    /// A store cannot be reached; `cause` is for the log alone.
    #[must_use]
    pub fn away(detail: &str, cause: String) -> Self {
        Self::ours(ProblemKind::Unavailable, detail, cause)
    }

    /// This deployment lacks the settings for what was asked.
    #[must_use]
    pub fn not_configured(what: &str) -> Self {
        Self::new(
            ProblemKind::NotConfigured,
            format!("this deployment has no {what}"),
        )
    }

    /// The body has the right syntax and the wrong content.
    #[must_use]
    pub fn content(pointer: impl Into<String>, detail: impl Into<String> + Clone) -> Self {
        Self::new(ProblemKind::InvalidContent, detail.clone()).at(pointer, detail)
    }
}

/// A JSON Pointer as a URI fragment (RFC 6901, section 6): UTF-8, percent-encoded but for what a fragment may hold
/// (RFC 3986, section 3.5).
fn fragment(pointer: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'?')
        .remove(b':')
        .remove(b'@')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'!')
        .remove(b'$')
        .remove(b'&')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'*')
        .remove(b'+')
        .remove(b',')
        .remove(b';')
        .remove(b'=');
    format!("#{}", utf8_percent_encode(pointer, ENCODED))
}

/// All that is wrong with a body.
impl From<BodyFaults> for Problem {
    fn from(faults: BodyFaults) -> Self {
        let (count, listed) = (faults.count(), faults.into_listed());
        let detail = match &listed[..] {
            [fault] if fault.pointer.is_empty() => format!("the body {}", fault.detail),
            [fault] => format!("{} {}", quote::brief(&fault.pointer), fault.detail),
            listed if listed.len() < count => {
                format!(
                    "{count} things are wrong with the body; `errors` has the first {}",
                    listed.len()
                )
            }
            _ => format!("{count} things are wrong with the body; `errors` has each of them"),
        };
        let problem = Self::new(ProblemKind::InvalidContent, detail);
        listed
            .into_iter()
            .fold(problem, |problem, fault| problem.at(fault.pointer, fault.detail))
    }
}

/// Answers for a function that has panicked: a 500 for that request alone.
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!(panic = panics::text(panic.as_ref()), "panicked");
    Problem::new(ProblemKind::Internal, BROKEN).into_response()
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Rejected(rejection) => rejection.into(),
            WriteError::PreconditionFailed(unmet, version) => Self::new(
                ProblemKind::StaleVersion,
                match (unmet, version) {
                    (_, Some(version)) => {
                        format!(
                            "{} does not hold: the version is \"{version}\" by now",
                            unmet.name()
                        )
                    }
                    (FailedPrecondition::IfMatch, None) => {
                        "If-Match is for what exists, and this does not".to_owned()
                    }
                    (_, None) => format!("{} does not hold", unmet.name()),
                },
            ),
            WriteError::KeyReused => Self::new(
                ProblemKind::IdempotencyKeyReused,
                "this Idempotency-Key was used for another request",
            ),
            WriteError::Contended => Self::new(ProblemKind::LostRace, error.to_string()),
            WriteError::Unavailable(cause) => Self::ours(
                ProblemKind::Unavailable,
                "the order book cannot be reached; try again",
                chain(&cause).to_string(),
            ),
            WriteError::Internal(cause) => Self::broken(chain(&cause).to_string()),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let told = chain(&error).to_string();
        match error {
            StoreError::Away { .. } | StoreError::Busy { .. } => Self::ours(
                ProblemKind::Unavailable,
                "the read model cannot be reached; try again",
                told,
            ),
            StoreError::Unreadable { .. } => Self::ours(
                ProblemKind::UnreadableDocument,
                "what the read model holds there cannot be read",
                told,
            ),
            StoreError::Changed | StoreError::Refused(_) => Self::broken(told),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        use Rejection as R;
        let kind = match &rejection {
            R::UnknownOrder(_) => ProblemKind::UnknownOrder,
            R::UnknownProduct(_) => ProblemKind::UnknownProduct,
            R::UnknownCustomer(_) => ProblemKind::UnknownCustomer,
            R::NotRegistered(_) => ProblemKind::UnregisteredCustomer,
            R::UnknownProducts(_) => ProblemKind::UnlistedProduct,
            R::AmountTooLarge => ProblemKind::AmountTooLarge,
            R::TooManyChanges => ProblemKind::TooManyChanges,
            R::CustomerExists(_) => ProblemKind::CustomerExists,
            R::ProductExists(_) => ProblemKind::ProductExists,
            R::NotEnoughStock(_) => ProblemKind::NotEnoughStock,
            R::MixedCurrencies(_) => ProblemKind::MixedCurrencies,
            R::PriceChanged { .. } => ProblemKind::PriceChanged,
            R::WrongAmount { .. } => ProblemKind::WrongAmount,
            R::WrongStatus { .. } => ProblemKind::WrongStatus,
        };
        let mut problem = Self::new(kind, rejection.to_string());
        match rejection {
            R::NotRegistered(_) => problem = problem.at("/customerId", "there is no such customer"),
            R::PriceChanged { total, .. } => problem = problem.at("/expectedTotal", total.to_string()),
            R::WrongAmount { expected, .. } => problem = problem.at("/amount", expected.to_string()),
            R::UnknownProducts(missing) => {
                for product in missing {
                    let detail = format!("there is no product {}", product.sku);
                    problem = problem.at(format!("/lines/{}/sku", product.line), detail);
                }
            }
            R::NotEnoughStock(shortages) => {
                problem
                    .errors
                    .extend(shortages.into_iter().map(|short| ProblemPlace {
                        pointer: fragment(&format!("/lines/{}/quantity", short.line)),
                        detail: format!("{} left", short.available),
                        sku: Some(short.sku),
                        available: Some(short.available),
                    }))
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name) = (self.kind.status(), self.kind.name());
        let trace_id = Uuid::now_v7().simple().to_string();
        match (status, self.cause) {
            (StatusCode::SERVICE_UNAVAILABLE, Some(cause)) => {
                tracing::warn!(traceId = %trace_id, problem = name, %cause, "request_failed");
            }
            (_, Some(cause)) => {
                tracing::error!(traceId = %trace_id, problem = name, %cause, "request_failed")
            }
            (_, None) => {
                tracing::info!(traceId = %trace_id, status = status.as_u16(), problem = name, "request_refused");
            }
        }
        let body = ProblemBody {
            r#type: self.kind.uri(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail,
            trace_id,
            errors: self.errors,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // Settings do not come by waiting.
        if status == StatusCode::SERVICE_UNAVAILABLE && self.kind != ProblemKind::NotConfigured {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
