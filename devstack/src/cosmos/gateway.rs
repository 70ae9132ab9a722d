//! Carries HTTP requests to the in-memory service and its answers back.
//! It never changes what the service decides; it only refuses what is not signed, and what a switch is set to refuse.

use std::net::SocketAddr;
use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use azure_core::http::{Method as CoreMethod, RawResponse, Request};
use azure_data_cosmos_driver::in_memory_emulator::{
    ConsistencyLevel, ContainerConfig, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
};
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::authorization::is_signed;
use super::switches::Switches;

const REGION: &str = "West Europe";
/// Headers that describe one connection and not the message.
const HOP: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];

/// The service behind its front door.
pub(super) struct Gateway {
    service: InMemoryEmulatorHttpClient,
    base: Url,
    key: Vec<u8>,
    switches: Switches,
}

impl Gateway {
    pub(super) fn new(advertised: SocketAddr, key: &str, switches: Switches) -> Result<Self> {
        let base = Url::parse(&format!("http://{advertised}/"))?;
        let account = VirtualAccountConfig::new(vec![VirtualRegion::new(REGION, base.clone())])?
            .with_consistency(ConsistencyLevel::Session)
            .with_throttling_enabled(false);
        let service = InMemoryEmulatorHttpClient::new(account);
        Ok(Self {
            service,
            base,
            key: STANDARD.decode(key)?,
            switches,
        })
    }

    /// Makes a container in so many physical partitions.
    pub(super) fn spread(&self, database: &str, container: &Value, partitions: u32) -> Result<()> {
        let id = container["id"].as_str().context("a container without an id")?;
        let key: PartitionKeyDefinition = serde_json::from_value(container["partitionKey"].clone())?;
        let config = ContainerConfig::new().with_partition_count(partitions).build()?;
        self.service
            .store()
            .create_container_with_config(database, id, key, config);
        Ok(())
    }

    /// Makes a resource in a feed; for our own use, so unsigned.
    pub(super) async fn create(&self, feed: &str, resource: &Value) -> Result<(u16, String)> {
        let mut request = Request::new(self.base.join(feed)?, CoreMethod::Post);
        request.insert_header("content-type", "application/json");
        request.set_body(serde_json::to_vec(resource)?);
        let answer = self.ask(&request).await?;
        Ok((
            answer.status().into(),
            String::from_utf8_lossy(answer.body().as_ref()).into_owned(),
        ))
    }

    /// What the service answers, its body read in full.
    async fn ask(&self, request: &Request) -> Result<RawResponse> {
        let answer = self.service.execute_request(request).await?;
        Ok(answer.try_into_raw_response().await?)
    }

    async fn carry(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Response> {
        // The service knows itself by its own address, whatever name or proxy a client came through.
        let mut url = self.base.clone();
        url.set_path(uri.path().trim_end_matches('/'));
        url.set_query(uri.query());
        let mut request = Request::new(url, CoreMethod::from_str(method.as_str())?);
        for (name, value) in headers.iter().filter(|(name, _)| !HOP.contains(&name.as_str())) {
            let value = value
                .to_str()
                .with_context(|| format!("the header {name} is not text"))?;
            request.insert_header(name.as_str().to_owned(), value.to_owned());
        }
        request.set_body(body);
        let answer = self.ask(&request).await?;
        let mut response = Response::builder().status(u16::from(answer.status()));
        for (name, value) in answer
            .headers()
            .iter()
            .filter(|(name, _)| !HOP.contains(&name.as_str()))
        {
            response = response.header(name.as_str(), value.as_str());
        }
        Ok(response.body(Body::from(answer.body().as_ref().to_vec()))?)
    }
}

/// Answers any request to the account.
pub(super) async fn answer(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_signed(&method, uri.path(), &headers, &gateway.key) {
        let message = "The input authorization token can't serve the request.";
        return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", message);
    }
    if let Some(refused) = gateway.switches.meet(uri.path(), &headers).await {
        return refused;
    }
    match gateway.carry(&method, &uri, &headers, body).await {
        Ok(response) => response,
        Err(error) => refusal(StatusCode::BAD_REQUEST, "BadRequest", &format!("{error:#}")),
    }
}

pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "code": code, "message": message });
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}
