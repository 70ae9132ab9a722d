//! The API's description, made of the calls themselves: OpenAPI 3.1 for people, 3.0.3 for API Management's import.
//! Never describes a call that is not served: `api` has one list for both.

mod flat;
mod older;
mod operation;
mod reference;
mod simple;

use std::collections::BTreeSet;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    AppState,
    endpoint::{Endpoint, EndpointDoc},
    problem,
};

/// The page that shows the document; it needs nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

/// Tags: the first word of a path, and its description.
const TAGS: [(&str, &str); 7] = [
    ("orders", "Orders, from placed to delivered or cancelled."),
    ("customers", "Who orders."),
    (
        "products",
        "What can be ordered, at what price, and how many are left.",
    ),
    ("sales", "What was sold on each day."),
    (
        "jobs",
        "Long-running work: rebuilds, replays, verifications, dead letters dealt with. For operators.",
    ),
    (
        "operations",
        "Looking at the system: its state, dead letters, one order over every hop. For operators.",
    ),
    ("service", "The service itself: its health and its description."),
];

/// A version of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// 3.1.0, whose schemas are JSON Schema 2020-12.
    V31,
    /// 3.0.3, for importers that know no newer one.
    V30,
}

/// The OpenAPI document of these calls.
#[must_use]
pub fn document(version: OpenApiVersion, endpoints: &[Endpoint]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<problem::ProblemBody>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let path = paths
            .entry(format!("/api{}", endpoint.path))
            .or_insert_with(|| json!({}));
        path[endpoint.method] = operation::operation(endpoint, &mut schemas, &problem);
    }
    let mut definitions = schemas.take_definitions(true);
    let sent = sent(&paths, &definitions);
    simple::simplify(&mut definitions, &sent);
    let (number, license) = match version {
        OpenApiVersion::V31 => ("3.1.0", json!({ "name": "MIT", "identifier": "MIT" })),
        OpenApiVersion::V30 => (
            "3.0.3",
            json!({ "name": "MIT", "url": "https://opensource.org/license/mit" }),
        ),
    };
    if version == OpenApiVersion::V30 {
        definitions.values_mut().for_each(older::rewrite);
    }
    json!({
        "openapi": number,
        "info": {
            "title": "Orders",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Order management with CQRS: commands answer when they are committed, and reads follow.",
            "contact": { "name": "The team that runs this deployment" },
            "license": license,
        },
        "servers": [{ "url": "http://127.0.0.1:7071", "description": "The Functions host on a developer's machine" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "security": [{ "signedIn": [] }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "signedIn": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A Microsoft Entra ID token, validated by App Service authentication.",
                },
            },
        },
    })
}

/// The names of the definitions that bodies of requests are made of.
fn sent(paths: &Map<String, Value>, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for operation in paths.values().filter_map(Value::as_object).flat_map(Map::values) {
        reference::reached(&operation["requestBody"], definitions, &mut names);
    }
    names
}

/// An OpenAPI 3.1 document.
#[derive(JsonSchema)]
struct OpenApiDocument(#[expect(dead_code, reason = "only its schema is used")] Map<String, Value>);

pub(super) fn get_doc() -> EndpointDoc {
    EndpointDoc::new::<OpenApiDocument>("This document", json!({ "openapi": "3.1.0" }))
}

/// `GET /api/openapi.json`.
pub(super) async fn get(State(state): State<AppState>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        state.openapi.as_str(),
    )
}

pub(super) fn docs_doc() -> EndpointDoc {
    EndpointDoc::new::<String>("This document, for people", json!("<!doctype html>"))
        .media_type("text/html; charset=utf-8")
}

/// `GET /api/docs`.
pub(super) async fn docs() -> Response {
    let mut page = Html(PAGE).into_response();
    let policy = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    page.headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    page
}
