//! Requests to the identity endpoint, as an app makes them.
//! Never retries.

use std::collections::BTreeMap;

use axum::body::Bytes;
use devstack::identity::{Directory, IdentityEndpoint, ManagedIdentity};
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An endpoint with one identity in its directory.
pub(crate) struct Asker {
    pub(crate) directory: Directory,
    pub(crate) endpoint: IdentityEndpoint,
    pub(crate) identity: ManagedIdentity,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Asker {
    pub(crate) async fn start(name: &str) -> Self {
        let directory = Directory::default();
        let identity = directory.create(name);
        let endpoint = IdentityEndpoint::start(directory.clone()).await.unwrap();
        let settings = endpoint.environment(&identity);
        Self {
            directory,
            endpoint,
            identity,
            settings,
        }
    }

    /// The status and the answer to this query under this secret; `None` without an answer.
    pub(crate) async fn ask(&self, query: &str, secret: Option<&str>) -> Option<(u16, Value)> {
        let url = format!("{}?{query}", self.settings["IDENTITY_ENDPOINT"]);
        let mut request = Request::get(url);
        if let Some(secret) = secret {
            request = request.header("x-identity-header", secret);
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.request(request.body(Empty::new()).unwrap()).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).unwrap()))
    }

    pub(crate) fn query(&self, resource: &str) -> String {
        let id = &self.settings["AZURE_CLIENT_ID"];
        format!("api-version=2019-08-01&resource={resource}&client_id={id}")
    }

    /// A good answer for this resource.
    pub(crate) async fn token(&self, resource: &str) -> Value {
        let (query, secret) = (self.query(resource), &self.settings["IDENTITY_HEADER"]);
        let (status, body) = self.ask(&query, Some(secret)).await.unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }
}
