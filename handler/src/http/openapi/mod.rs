//! The API's description, made of the calls themselves: OpenAPI 3.1 for people, 3.0.3 for API Management's import.
//! Never describes a call that is not served: there is one list for both.

mod operation;

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{api, endpoint::Doc, problem};

/// The page that shows the document; it needs nothing from elsewhere.
const PAGE: &str = include_str!("page.html");

/// Which OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.0, whose schemas are JSON Schema 2020-12.
    V31,
    /// 3.0.3, for importers that know no newer one.
    V30,
}

/// The OpenAPI document.
#[must_use]
pub fn document(version: Version) -> Value {
    let (number, settings) = match version {
        Version::V31 => ("3.1.0", SchemaSettings::draft2020_12()),
        Version::V30 => ("3.0.3", SchemaSettings::openapi3()),
    };
    let mut schemas = settings
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let problem = schemas.subschema_for::<problem::Body>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in api::endpoints() {
        let path = paths
            .entry(format!("/api{}", endpoint.path))
            .or_insert_with(|| json!({}));
        path[endpoint.method] = operation::operation(&endpoint, &mut schemas, &problem);
    }
    json!({
        "openapi": number,
        "info": {
            "title": "Orders",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Order management with CQRS: commands answer when they are committed, and reads follow.",
            "license": { "name": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "signedIn": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
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

pub(super) fn get_doc() -> Doc {
    Doc::new::<Map<String, Value>>("This document", json!({ "openapi": "3.1.0" }))
}

/// `GET /api/openapi.json`.
pub(super) async fn get() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| document(Version::V31).to_string());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

pub(super) fn docs_doc() -> Doc {
    Doc::new::<String>("This document, for people", json!("<!doctype html>"))
        .of_type("text/html; charset=utf-8")
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
