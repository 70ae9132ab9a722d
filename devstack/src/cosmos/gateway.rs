//! Carries HTTP requests to the in-memory service and its answers back.
//! It never decides what may be carried.

use std::net::SocketAddr;
use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::response::Response;
use azure_core::http::{Method as CoreMethod, RawResponse, Request, StatusCode as CoreStatus};
use azure_data_cosmos_driver::in_memory_emulator::{
    ConsistencyLevel, ContainerConfig, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
};
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::Value;
use url::Url;

use super::answer::AnswerChange;
use super::batches::Batches;
use super::definitions::Definitions;
use super::request::AccountRequest;
use super::switches::CosmosSwitches;

const REGION: &str = "West Europe";
const ROWS: &str = "x-ms-item-count";
/// Headers that describe one connection and not the message.
const HOP: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];

/// The service behind its front door.
pub(super) struct Gateway {
    service: Batches,
    base: Url,
    pub(super) switches: CosmosSwitches,
    pub(super) definitions: Definitions,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.base)
    }
}

impl Gateway {
    pub(super) fn new(advertised: SocketAddr, switches: CosmosSwitches) -> Result<Self> {
        let base = Url::parse(&format!("http://{advertised}/"))?;
        let account = VirtualAccountConfig::new(vec![VirtualRegion::new(REGION, base.clone())])?
            .with_consistency(ConsistencyLevel::Session)
            .with_throttling_enabled(false);
        let service = Batches::new(InMemoryEmulatorHttpClient::new(account));
        Ok(Self {
            service,
            base,
            switches,
            definitions: Definitions::default(),
        })
    }

    /// Makes a container in so many physical partitions.
    pub(super) fn spread(&self, database: &str, container: &Value, partitions: u32) -> Result<()> {
        let id = container["id"].as_str().context("a container without an id")?;
        let key: PartitionKeyDefinition = serde_json::from_value(container["partitionKey"].clone())?;
        let config = ContainerConfig::new().with_partition_count(partitions).build()?;
        self.service
            .service()
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

    /// A resource or feed; for our own use. Nothing when it is not there.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Value>> {
        let request = Request::new(self.place(path), CoreMethod::Get);
        let answer = self.ask(&request).await?;
        if answer.status() != CoreStatus::Ok {
            return Ok(None);
        }
        Ok(serde_json::from_slice(answer.body().as_ref())?)
    }

    /// A container's definition, if the container is there.
    pub(super) async fn definition(&self, path: &str) -> Result<Option<Arc<Value>>> {
        if let Some(known) = self.definitions.get(path) {
            return Ok(Some(known));
        }
        let read = self.read(path).await?;
        Ok(read.map(|definition| self.definitions.keep(path, definition)))
    }

    /// The rows of a query within one partition; for our own use. Nothing when it cannot be run.
    pub(super) async fn rows(
        &self,
        feed: &str,
        partition: &str,
        query: &Value,
    ) -> Result<Option<Vec<Value>>> {
        let mut request = Request::new(self.place(feed), CoreMethod::Post);
        request.insert_header("content-type", "application/query+json");
        request.insert_header("x-ms-documentdb-isquery", "true");
        request.insert_header("x-ms-documentdb-partitionkey", partition.to_owned());
        request.set_body(serde_json::to_vec(query)?);
        let answer = self.ask(&request).await?;
        if answer.status() != CoreStatus::Ok {
            return Ok(None);
        }
        let body: Value = serde_json::from_slice(answer.body().as_ref())?;
        Ok(body["Documents"].as_array().cloned())
    }

    /// The URL of a path of plain names.
    fn place(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut place) = url.path_segments_mut() {
            place.clear().extend(path.split('/'));
        }
        url
    }

    /// The service's answer, its body read in full.
    async fn ask(&self, request: &Request) -> Result<RawResponse> {
        self.service.ask(request).await
    }

    /// The service's answer to a request, unchanged.
    pub(super) async fn ask_as(&self, asked: &AccountRequest) -> Result<RawResponse> {
        // The service knows itself by its own address, whatever name or proxy a client came through.
        let mut url = self.base.clone();
        url.set_path(asked.path.trim_end_matches('/'));
        url.set_query(asked.query.as_deref());
        let mut request = Request::new(url, CoreMethod::from_str(asked.method.as_str())?);
        for (name, value) in &asked.headers {
            let value = value
                .to_str()
                .with_context(|| format!("the header {name} is not text"))?;
            if !HOP.contains(&name.as_str()) {
                request.insert_header(name.as_str().to_owned(), value.to_owned());
            }
        }
        request.set_body(asked.body.clone());
        self.ask(&request).await
    }

    pub(super) async fn carry(&self, asked: &AccountRequest, afterwards: &AnswerChange) -> Result<Response> {
        let answer = self.ask_as(asked).await?;
        let mut body = answer.body().as_ref().to_vec();
        if answer.status() == CoreStatus::Ok {
            body = afterwards.apply(body);
        }
        let rows = afterwards.rows(&body);
        let carried = |name: &str| !(HOP.contains(&name) || (name == ROWS && rows.is_some()));
        let mut response = Response::builder().status(u16::from(answer.status()));
        for (name, value) in answer.headers().iter().filter(|(name, _)| carried(name.as_str())) {
            response = response.header(name.as_str(), value.as_str());
        }
        if let Some(rows) = rows {
            response = response.header(ROWS, rows);
        }
        if asked.headers.contains_key("a-im") && answer.status() == CoreStatus::NotModified {
            response = response.header(ROWS, "0");
        }
        Ok(response.body(Body::from(body))?)
    }
}
