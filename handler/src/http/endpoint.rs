//! One call of the API: the function's name, method and path, who may make it, what serves it, and how it is described.
//! Never a second list: the router, the access rules and the OpenAPI document are all made of these.

use axum::{
    Extension, Router,
    handler::Handler,
    middleware::from_fn,
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{Reach, access::Who, problem::Kind, query};

/// A call; `path` is below the host's route prefix.
pub struct Endpoint {
    /// The function's name, and the operation's id.
    pub name: &'static str,
    /// In lower case.
    pub method: &'static str,
    /// As the router and function.json write it.
    pub path: &'static str,
    /// Who may make it.
    pub who: Who,
    /// How it is described.
    pub doc: Doc,
    serve: MethodRouter<Reach>,
}

/// A type's schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The description of a call.
#[derive(Clone)]
pub struct Doc {
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
    /// What can go wrong, besides what can always go wrong.
    pub problems: Vec<Kind>,
}

impl Doc {
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

    /// A body of this shape is sent.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self, example: Value) -> Self {
        self.body = Some((|schemas| schemas.subschema_for::<T>(), example));
        self
    }

    /// Answered in pages; `filters` are the parameters besides those of paging.
    #[must_use]
    pub fn pages(mut self, filters: &[&'static str]) -> Self {
        if filters.contains(&"status") {
            let schema = json!({ "$ref": "#/components/schemas/Status" });
            self.query
                .push(("status", "Only orders that are so far.", schema, false));
        }
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        self.query
            .push(("limit", "Most items of the page.", limit, false));
        let cursor = "The `next` of the page before; opaque. `Link` with `rel=\"next\"` has it as well.";
        self.query
            .push(("cursor", cursor, json!({ "type": "string" }), false));
        self.refuses(&[Kind::InvalidQuery])
    }

    /// Takes a parameter without a value.
    #[must_use]
    pub fn asks(mut self, name: &'static str, description: &'static str) -> Self {
        let schema = json!({ "type": "string" });
        self.query.push((name, description, schema, false));
        self
    }

    /// Takes a subscription's name; `description` says what for.
    #[must_use]
    pub fn of_subscription(mut self, description: &'static str) -> Self {
        let schema =
            json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,50}$", "default": "read-model" });
        self.query.push(("subscription", description, schema, false));
        self.refuses(&[Kind::InvalidQuery])
    }

    /// Asked for a range of days.
    #[must_use]
    pub fn days(mut self) -> Self {
        let day = json!({ "type": "string", "format": "date" });
        self.query.push(("from", "The first UTC day.", day.clone(), true));
        self.query.push(("to", "The last UTC day.", day, true));
        self.refuses(&[Kind::InvalidQuery])
    }

    /// Success is 201.
    #[must_use]
    pub fn creates(mut self) -> Self {
        self.answer.0 = 201;
        self
    }

    /// Success is 202: it is written down, and done later.
    #[must_use]
    pub fn accepts(mut self) -> Self {
        self.answer.0 = 202;
        self
    }

    /// Success has this media type.
    #[must_use]
    pub fn of_type(mut self, media_type: &'static str) -> Self {
        self.answer.1 = media_type;
        self
    }

    /// What else is to be said.
    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = detail;
        self
    }

    /// What can go wrong.
    #[must_use]
    pub fn refuses(mut self, problems: &[Kind]) -> Self {
        self.problems.extend(problems);
        self
    }
}

impl Endpoint {
    /// It is about running the system, not about the shop.
    #[must_use]
    pub fn is_operation(&self) -> bool {
        self.who == Who::Operator
    }

    /// A call by GET, and so by HEAD.
    pub fn get<T: 'static, H: Handler<T, Reach>>(
        name: &'static str,
        path: &'static str,
        who: Who,
        handler: H,
        doc: Doc,
    ) -> Self {
        Self::new("get", on(MethodFilter::GET, handler), name, path, who, doc)
    }

    /// A call by POST.
    pub fn post<T: 'static, H: Handler<T, Reach>>(
        name: &'static str,
        path: &'static str,
        who: Who,
        handler: H,
        doc: Doc,
    ) -> Self {
        Self::new("post", on(MethodFilter::POST, handler), name, path, who, doc)
    }

    /// A call by PUT.
    pub fn put<T: 'static, H: Handler<T, Reach>>(
        name: &'static str,
        path: &'static str,
        who: Who,
        handler: H,
        doc: Doc,
    ) -> Self {
        Self::new("put", on(MethodFilter::PUT, handler), name, path, who, doc)
    }

    fn new(
        method: &'static str,
        serve: MethodRouter<Reach>,
        name: &'static str,
        path: &'static str,
        who: Who,
        doc: Doc,
    ) -> Self {
        Self {
            name,
            method,
            path,
            who,
            doc,
            serve,
        }
    }

    /// Serves these calls, each for whom it is meant.
    pub fn router(endpoints: Vec<Self>) -> Router<Reach> {
        endpoints.into_iter().fold(Router::new(), |router, endpoint| {
            let path = format!("/api{}", endpoint.path);
            let known: Vec<&str> = endpoint.doc.query.iter().map(|(name, ..)| *name).collect();
            let only_known = from_fn(move |request, next| query::only(known.clone(), request, next));
            let serve: MethodRouter<Reach> = endpoint.serve.layer(only_known);
            router.route(&path, serve.layer(Extension(endpoint.who)))
        })
    }
}
