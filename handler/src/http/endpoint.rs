//! One call of the API: the function's name, method and path, its access rule, what serves it, and its description.
//! Never a second list: the router, the access rules and the OpenAPI document are all made of these.

use std::{future::ready, sync::Arc};

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{Next, from_fn},
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{
    AppState,
    access::AccessRule,
    problem::{Problem, ProblemKind},
    query,
};
use crate::config::{Part, ServedParts};

/// A call; `path` is below the host's route prefix.
pub struct Endpoint {
    /// The function's name, and the operation's id.
    pub name: &'static str,
    /// In lower case.
    pub method: &'static str,
    /// As the router and function.json write it.
    pub path: &'static str,
    /// The roles that may make it.
    pub access: AccessRule,
    /// The part of the system that serves it; `None`: each part does.
    pub part: Option<Part>,
    /// Its description in OpenAPI.
    pub doc: EndpointDoc,
    serve: MethodRouter<AppState>,
}

/// A type's schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The description of a call.
#[derive(Clone)]
pub struct EndpointDoc {
    /// One line.
    pub summary: &'static str,
    /// More, where more is to be said.
    pub detail: &'static str,
    /// The body that is sent, with an example.
    pub body: Option<(SchemaOf, Value)>,
    /// Parameters of the URL's query part: name, what it is, its schema, whether it must be there.
    pub query: Vec<(&'static str, &'static str, Value, bool)>,
    /// Status, media type, schema and example of success.
    pub answer: (u16, &'static str, SchemaOf, Value),
    /// Problems of this call, besides those that any call has.
    pub problems: Vec<ProblemKind>,
}

impl EndpointDoc {
    /// A call that is answered with 200 and this JSON.
    pub fn new<T: JsonSchema>(summary: &'static str, example: Value) -> Self {
        Self {
            summary,
            detail: "",
            body: None,
            query: Vec::new(),
            answer: (
                200,
                "application/json",
                |schemas| schemas.subschema_for::<T>(),
                example,
            ),
            problems: Vec::new(),
        }
    }

    /// Takes a body of this type.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self, example: Value) -> Self {
        self.body = Some((|schemas| schemas.subschema_for::<T>(), example));
        self
    }

    /// Answers in pages; `filters` are the parameters besides those of paging.
    #[must_use]
    pub fn paged(mut self, filters: &[&'static str]) -> Self {
        if filters.contains(&"status") {
            let schema = json!({ "$ref": "#/components/schemas/OrderStatus" });
            self.query
                .push(("status", "Only orders that are so far.", schema, false));
        }
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        self.query
            .push(("limit", "Most items of the page.", limit, false));
        let cursor = "The `next` of the page before; opaque. `Link` with `rel=\"next\"` has it as well.";
        self.query
            .push(("cursor", cursor, json!({ "type": "string" }), false));
        self.errors(&[ProblemKind::InvalidQuery])
    }

    /// Takes a query parameter that is text.
    #[must_use]
    pub fn query(mut self, name: &'static str, description: &'static str) -> Self {
        let schema = json!({ "type": "string" });
        self.query.push((name, description, schema, false));
        self
    }

    /// Takes a subscription's name; `description` says what for.
    #[must_use]
    pub fn subscription(mut self, description: &'static str) -> Self {
        let schema =
            json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,50}$", "default": "read-model" });
        self.query.push(("subscription", description, schema, false));
        self.errors(&[ProblemKind::InvalidQuery])
    }

    /// Takes a range of days.
    #[must_use]
    pub fn day_range(mut self) -> Self {
        let day = json!({ "type": "string", "format": "date" });
        self.query.push(("from", "The first UTC day.", day.clone(), true));
        self.query.push(("to", "The last UTC day.", day, true));
        self.errors(&[ProblemKind::InvalidQuery])
    }

    /// Success has this status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.answer.0 = status;
        self
    }

    /// Success has this media type.
    #[must_use]
    pub fn media_type(mut self, media_type: &'static str) -> Self {
        self.answer.1 = media_type;
        self
    }

    /// Says more than the summary.
    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = detail;
        self
    }

    /// Adds problems of this call.
    #[must_use]
    pub fn errors(mut self, problems: &[ProblemKind]) -> Self {
        self.problems.extend(problems);
        self
    }
}

impl Endpoint {
    /// True for calls that run the system, not the shop.
    #[must_use]
    pub fn is_operation(&self) -> bool {
        self.access == AccessRule::Operator
    }

    /// The same call, served by this part alone.
    #[must_use]
    pub fn served_by(self, part: Part) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    /// A call by GET, and so by HEAD.
    pub fn get<T: 'static, H: Handler<T, AppState>>(
        name: &'static str,
        path: &'static str,
        access: AccessRule,
        handler: H,
        doc: EndpointDoc,
    ) -> Self {
        Self::new("get", on(MethodFilter::GET, handler), name, path, access, doc)
    }

    /// A call by POST.
    pub fn post<T: 'static, H: Handler<T, AppState>>(
        name: &'static str,
        path: &'static str,
        access: AccessRule,
        handler: H,
        doc: EndpointDoc,
    ) -> Self {
        Self::new("post", on(MethodFilter::POST, handler), name, path, access, doc)
    }

    /// A call by PUT.
    pub fn put<T: 'static, H: Handler<T, AppState>>(
        name: &'static str,
        path: &'static str,
        access: AccessRule,
        handler: H,
        doc: EndpointDoc,
    ) -> Self {
        Self::new("put", on(MethodFilter::PUT, handler), name, path, access, doc)
    }

    fn new(
        method: &'static str,
        serve: MethodRouter<AppState>,
        name: &'static str,
        path: &'static str,
        access: AccessRule,
        doc: EndpointDoc,
    ) -> Self {
        Self {
            name,
            method,
            path,
            access,
            part: None,
            doc,
            serve,
        }
    }

    /// Routes these calls, each with its access rule; one of a part that is not served here is answered in words.
    pub fn router(endpoints: Vec<Self>, parts: &ServedParts) -> Router<AppState> {
        endpoints.into_iter().fold(Router::new(), |router, endpoint| {
            let path = format!("/api{}", endpoint.path);
            let known: Arc<[&str]> = endpoint.doc.query.iter().map(|(name, ..)| *name).collect();
            let access = endpoint.access;
            // One layer for both: each costs every call a box and a clone of what is below.
            let admit = from_fn(move |mut request: Request, next| {
                request.extensions_mut().insert(access);
                query::refuse_unknown(Arc::clone(&known), request, next)
            });
            let serve: MethodRouter<AppState> = endpoint.serve;
            let name = endpoint.name;
            let serve = match endpoint.part.filter(|part| !parts.has(*part)) {
                None => serve.layer(admit),
                Some(part) => serve.layer(from_fn(move |_: Request, _: Next| ready(not_served(name, part)))),
            };
            router.route(&path, serve)
        })
    }
}

/// The answer to a call of a part that other processes serve.
fn not_served(name: &str, part: Part) -> Problem {
    let why = format!("{name} belongs to the part {part}, which this process does not serve");
    Problem::new(ProblemKind::PartNotServed, why)
}
