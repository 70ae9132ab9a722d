//! Every kind of problem that this API knows: its stable name, its status, and what it means. docs/problems.md lists them.
//! Never two statuses for one kind.

use axum::http::StatusCode;

/// Makes the enum with its table: `Variant, status, "name", "meaning"`.
macro_rules! kinds {
    ($($kind:ident, $status:ident, $name:literal, $meaning:literal;)*) => {
        /// Kind of problem; `type` is `urn:problem:orders:<name>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $(#[doc = $meaning] $kind,)*
        }

        impl ProblemKind {
            /// All of them, by status.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)* }
            }

            /// The stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Its meaning and what to do about it.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)* }
            }
        }
    };
}

kinds! {
    MalformedJson, BAD_REQUEST, "malformed-json", "The body is empty, or is not JSON.";
    IncompleteBody, BAD_REQUEST, "incomplete-body",
        "The body broke off, took too long, or is not as long as its headers or its chunks say.";
    InvalidIdempotencyKey, BAD_REQUEST, "invalid-idempotency-key",
        "The Idempotency-Key header is not one value of 1 to 255 visible ASCII characters.";
    InvalidQuery, BAD_REQUEST, "invalid-query",
        "A parameter of the URL is unknown, there twice, or has a value that it cannot have; `detail` names it.";
    InvalidConsistencyToken, BAD_REQUEST, "invalid-consistency-token",
        "The Consistency-Token header is not one value that one of our commands has answered with.";
    Unauthenticated, UNAUTHORIZED, "unauthenticated", "Nobody is signed in, or somebody who may not sign in here.";
    Forbidden, FORBIDDEN, "forbidden", "None of the caller's roles includes this call.";
    UnknownRoute, NOT_FOUND, "unknown-route", "There is nothing at this path.";
    PartNotServed, NOT_FOUND, "part-not-served",
        "The call belongs to a part of the system that this process does not serve; `detail` names it.";
    UnknownOrder, NOT_FOUND, "unknown-order", "There is no such order, or it is not the caller's.";
    UnknownCustomer, NOT_FOUND, "unknown-customer", "There is no such customer, or it is not the caller.";
    UnknownProduct, NOT_FOUND, "unknown-product", "There is no such product.";
    UnknownJob, NOT_FOUND, "unknown-job", "There is no such operation.";
    UnknownDeadLetter, NOT_FOUND, "unknown-dead-letter", "There is no such dead letter, or no more.";
    MethodNotAllowed, METHOD_NOT_ALLOWED, "method-not-allowed", "This path has other methods; `Allow` names them.";
    CustomerExists, CONFLICT, "customer-exists", "The customer is registered already.";
    ProductExists, CONFLICT, "product-exists", "The SKU is in the catalogue already.";
    NotEnoughStock, CONFLICT, "not-enough-stock",
        "At least one line asks for more than there is; `errors` name the SKUs and how many are left.";
    MixedCurrencies, CONFLICT, "mixed-currencies", "The products of an order must be priced in one currency.";
    PriceChanged, CONFLICT, "price-changed", "The order costs something else than `expectedTotal`; ask the customer again.";
    WrongAmount, CONFLICT, "wrong-amount", "The payment is not exactly the order's total.";
    WrongStatus, CONFLICT, "wrong-status", "The order is in a state in which this cannot be done.";
    NotPossible, CONFLICT, "not-possible", "It cannot be done as things are; `detail` says why.";
    JobUnderWay, CONFLICT, "job-under-way", "A rebuild, a rollback or a retirement has to end first.";
    NotApplicable, CONFLICT, "not-applicable", "The read model of this deployment is kept by each command itself.";
    TooManyChanges, CONFLICT, "too-many-changes", "It has been changed a million times, and has no more versions.";
    LostRace, CONFLICT, "lost-race", "Others changed the same things again and again; nothing was written. Try again.";
    StaleVersion, PRECONDITION_FAILED, "stale-version", "`If-Match`, `If-None-Match` or `If-Unmodified-Since` does not hold; `detail` says which. Read it again.";
    BodyTooLarge, PAYLOAD_TOO_LARGE, "body-too-large", "A body has at most 1 MiB.";
    UnsupportedMediaType, UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type",
        "Bodies are application/json, by one Content-Type and without a Content-Encoding.";
    InvalidContent, UNPROCESSABLE_ENTITY, "invalid-content",
        "The body is JSON of the wrong shape or with a value that breaks its rule; `errors` say where.";
    UnregisteredCustomer, UNPROCESSABLE_ENTITY, "unregistered-customer", "Nobody is registered under `customerId`.";
    UnlistedProduct, UNPROCESSABLE_ENTITY, "unlisted-product",
        "At least one line names a SKU that is not in the catalogue; `errors` say which.";
    AmountTooLarge, UNPROCESSABLE_ENTITY, "amount-too-large", "The sum is more than 9007199254740991 minor units.";
    IdempotencyKeyReused, UNPROCESSABLE_ENTITY, "idempotency-key-reused",
        "The Idempotency-Key was used for another request within the last day.";
    Internal, INTERNAL_SERVER_ERROR, "internal", "Something is broken on our side; the log knows it by `traceId`.";
    UnreadableDocument, INTERNAL_SERVER_ERROR, "unreadable-document",
        "What is stored there is not what it should be; the log names it by `traceId`, and a person has to mend it.";
    NotConfigured, SERVICE_UNAVAILABLE, "not-configured", "This deployment lacks the settings for what was asked.";
    ReadModelBehind, SERVICE_UNAVAILABLE, "read-model-behind",
        "The read model does not show yet what the Consistency-Token asks for. Try again after `Retry-After`, or without the token.";
    Unavailable, SERVICE_UNAVAILABLE, "unavailable",
        "A store cannot be reached, or something is too busy. Try again after `Retry-After`, best under an Idempotency-Key.";
}

impl ProblemKind {
    /// The problem's `type`.
    #[must_use]
    pub fn uri(self) -> String {
        format!("urn:problem:orders:{}", self.name())
    }
}
