//! Transactional batches, each as point operations with no other between them: the service in memory would copy a whole physical
//! partition for each, which takes the longer the more is in it. Never half of one: what does not hold is found before anything is
//! written, and what is not plain is left to the service itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Method, RawResponse, Request, StatusCode};
use azure_data_cosmos_driver::in_memory_emulator::InMemoryEmulatorHttpClient;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::RwLock;
use url::Url;

const IS_BATCH: HeaderName = HeaderName::from_static("x-ms-cosmos-is-batch-request");
const IS_UPSERT: HeaderName = HeaderName::from_static("x-ms-documentdb-is-upsert");
const PARTITION_KEY: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkey");
const CONTENT_RESPONSE: HeaderName =
    HeaderName::from_static("x-ms-cosmos-populate-content-response-on-write");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const CHARGE: HeaderName = HeaderName::from_static("x-ms-request-charge");
const ETAG: HeaderName = HeaderName::from_static("etag");
/// A batch has 100 operations at most; the service refuses more.
const MOST: usize = 100;
/// Larger ones are left to the service, which knows how much a document may have.
const LARGEST: usize = 1 << 20;
/// The charge that the service in memory states for each operation.
const COST: f64 = 1.24;
/// The status of an operation when another one of its batch did not hold.
const FAILED_DEPENDENCY: u16 = 424;

/// The service, one batch at a time in each container.
#[derive(Clone)]
pub(super) struct Batches {
    service: Arc<InMemoryEmulatorHttpClient>,
    /// By the container's path; the writer of a batch has it alone.
    containers: Arc<Mutex<HashMap<String, Arc<RwLock<()>>>>>,
}

/// One operation of a batch, of the kinds that are known here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BatchOperation {
    operation_type: OperationKind,
    id: Option<String>,
    resource_body: Option<Value>,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
enum OperationKind {
    Create,
    Upsert,
    Replace,
    Read,
    Delete,
}

/// A batch that can be done here.
struct Batch {
    /// Of the feed of documents.
    feed: Url,
    partition: String,
    /// True when written documents are answered.
    content: bool,
    /// Each with its id.
    operations: Vec<(String, BatchOperation)>,
}

/// A document as it is before the batch.
struct FoundDocument {
    etag: String,
    body: Value,
}

impl Batches {
    pub(super) fn new(service: InMemoryEmulatorHttpClient) -> Self {
        Self {
            service: Arc::new(service),
            containers: Arc::default(),
        }
    }

    /// The service as it is.
    pub(super) fn service(&self) -> &InMemoryEmulatorHttpClient {
        &self.service
    }

    /// The service's answer, its body read in full.
    pub(super) async fn ask(&self, request: &Request) -> Result<RawResponse> {
        let Some(container) = self.turns(request.url()) else {
            return self.pass(request).await;
        };
        if request.headers().get_optional_str(&IS_BATCH).is_none() {
            let _others = container.read().await;
            return self.pass(request).await;
        }
        let (batches, request) = (self.clone(), request.clone());
        // To its end, also when the client has gone.
        let doing = async move {
            let _alone = container.write().await;
            match batches.plain(&request).await? {
                Some(batch) => batches.perform(&batch).await,
                None => batches.pass(&request).await,
            }
        };
        tokio::spawn(doing).await?
    }

    /// The turns of the container whose documents are asked for.
    fn turns(&self, url: &Url) -> Option<Arc<RwLock<()>>> {
        let container = container(url)?;
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(containers.entry(container).or_default()))
    }

    async fn pass(&self, request: &Request) -> Result<RawResponse> {
        let answer = self.service.execute_request(request).await?;
        Ok(answer.try_into_raw_response().await?)
    }

    /// The batch, if nothing of it can be refused for another reason than what is there already.
    async fn plain(&self, request: &Request) -> Result<Option<Batch>> {
        let body = Bytes::from(request.body());
        let Ok(operations) = serde_json::from_slice::<Vec<BatchOperation>>(&body) else {
            return Ok(None);
        };
        let partition = request.headers().get_optional_str(&PARTITION_KEY);
        let partition = partition.unwrap_or_default().to_owned();
        let Ok(key @ Value::Array(_)) = serde_json::from_str(&partition) else {
            return Ok(None);
        };
        let feed = request.url().clone();
        let above = feed.path().trim_end_matches("/docs").to_owned();
        let mut place = feed.clone();
        place.set_path(&above);
        let definition = self.pass(&Request::new(place, Method::Get)).await?;
        let definition: Value = serde_json::from_slice(definition.body().as_ref())?;
        let unique = &definition["uniqueKeyPolicy"]["uniqueKeys"];
        let has_unique = unique.as_array().is_some_and(|keys| !keys.is_empty());
        if has_unique || operations.is_empty() || operations.len() > MOST || body.len() > LARGEST {
            return Ok(None);
        }
        let mut ids = BTreeSet::new();
        let mut named = Vec::with_capacity(operations.len());
        for operation in operations {
            let id = operation.id(&definition, &key);
            let Some(id) = id.filter(|id| ids.insert(id.clone())) else {
                return Ok(None);
            };
            named.push((id, operation));
        }
        Ok(Some(Batch {
            content: answers_content(request.headers()),
            feed,
            partition,
            operations: named,
        }))
    }

    /// All of it, or, when one operation does not hold, nothing.
    async fn perform(&self, batch: &Batch) -> Result<RawResponse> {
        let mut found = Vec::with_capacity(batch.operations.len());
        for (at, (id, operation)) in batch.operations.iter().enumerate() {
            let read = self.pass(&batch.request(Method::Get, Some(id))).await?;
            let document = FoundDocument::of(&read)?;
            if let Some(status) = operation.breaks(document.as_ref()) {
                let failed = |place| if place == at { status } else { FAILED_DEPENDENCY };
                let results = (0..batch.operations.len()).map(|place| result(failed(place), None, None));
                return Ok(answer(StatusCode::MultiStatus, &read, results.collect()));
            }
            found.push((read, document));
        }
        let mut results = Vec::with_capacity(batch.operations.len());
        let mut last = None;
        for ((id, operation), (read, document)) in batch.operations.iter().zip(found) {
            let Some(request) = batch.write(id, operation)? else {
                results.push(operation.read(document));
                last.get_or_insert(read);
                continue;
            };
            let written = self.pass(&request).await?;
            let status = u16::from(written.status());
            // Unreachable as far as we know: all that is refused was found before.
            ensure!(
                status < 300,
                "half a batch: {operation:?} of {id} answered {status}"
            );
            let etag = written.headers().get_optional_str(&ETAG).map(str::to_owned);
            let etag = etag.or(document.map(|document| document.etag));
            let body: &[u8] = written.body().as_ref();
            let content = batch.content && !body.is_empty();
            let content = content.then(|| serde_json::from_slice(body)).transpose()?;
            results.push(result(status, content, etag.as_deref()));
            last = Some(written);
        }
        let last = last.context("a batch of nothing")?;
        // As the service says it, 304 of a read too.
        let all_done = results
            .iter()
            .all(|result| result["statusCode"].as_u64() < Some(300));
        let status = if all_done {
            StatusCode::Ok
        } else {
            StatusCode::MultiStatus
        };
        Ok(answer(status, &last, results))
    }
}

impl BatchOperation {
    /// Its document's id, if it and what goes with it are plain.
    fn id(&self, definition: &Value, key: &Value) -> Option<String> {
        let needs_body = matches!(
            self.operation_type,
            OperationKind::Create | OperationKind::Upsert | OperationKind::Replace
        );
        let own = self.resource_body.as_ref().map(|body| body["id"].as_str());
        let id = match (needs_body, &self.id, own) {
            (true, Some(id), Some(Some(own))) if id == own => id.as_str(),
            (true, None, Some(Some(own))) if self.operation_type != OperationKind::Replace => own,
            (false, Some(id), None) => id.as_str(),
            _ => return None,
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if id.is_empty()
            || id.len() > 255
            || !id.chars().all(is_plain)
            || id.chars().all(|letter| letter == '.')
        {
            return None;
        }
        let in_place = self
            .resource_body
            .as_ref()
            .is_none_or(|body| is_of(body, definition, key));
        in_place.then(|| id.to_owned())
    }

    /// The status that says why this cannot be done to what is there.
    fn breaks(&self, found: Option<&FoundDocument>) -> Option<u16> {
        let is_other = |found: &FoundDocument| self.if_match.as_ref().is_some_and(|etag| *etag != found.etag);
        match (self.operation_type, found) {
            (OperationKind::Create, Some(_)) => Some(409),
            (OperationKind::Replace | OperationKind::Read | OperationKind::Delete, None) => Some(404),
            (OperationKind::Upsert, Some(_)) if self.if_none_match.as_deref() == Some("*") => Some(412),
            (
                OperationKind::Upsert | OperationKind::Replace | OperationKind::Read | OperationKind::Delete,
                Some(found),
            ) if is_other(found) => Some(412),
            _ => None,
        }
    }

    /// The answer of a reading operation.
    fn read(&self, found: Option<FoundDocument>) -> Value {
        let Some(FoundDocument { etag, body }) = found else {
            return result(404, None, None);
        };
        match self.if_none_match.as_ref() == Some(&etag) {
            true => result(304, None, Some(&etag)),
            false => result(200, Some(body), Some(&etag)),
        }
    }
}

impl Batch {
    /// The point operation that does this; none for one that reads.
    fn write(&self, id: &str, operation: &BatchOperation) -> Result<Option<Request>> {
        let mut request = match operation.operation_type {
            OperationKind::Read => return Ok(None),
            OperationKind::Delete => return Ok(Some(self.request(Method::Delete, Some(id)))),
            OperationKind::Create | OperationKind::Upsert => self.request(Method::Post, None),
            OperationKind::Replace => self.request(Method::Put, Some(id)),
        };
        if operation.operation_type == OperationKind::Upsert {
            request.insert_header(IS_UPSERT, "true");
        }
        request.set_body(serde_json::to_vec(&operation.resource_body)?);
        Ok(Some(request))
    }

    fn request(&self, method: Method, id: Option<&str>) -> Request {
        let mut url = self.feed.clone();
        if let Ok(mut place) = url.path_segments_mut() {
            place.pop_if_empty().extend(id);
        }
        let mut request = Request::new(url, method);
        request.insert_header(PARTITION_KEY, self.partition.clone());
        request.insert_header("content-type", "application/json");
        request.insert_header(CONTENT_RESPONSE, if self.content { "true" } else { "false" });
        request
    }
}

impl FoundDocument {
    fn of(answer: &RawResponse) -> Result<Option<Self>> {
        match answer.status() {
            StatusCode::NotFound => Ok(None),
            StatusCode::Ok => {
                let body: Value = serde_json::from_slice(answer.body().as_ref())?;
                let etag = body["_etag"].as_str().context("a document without an etag")?;
                Ok(Some(Self {
                    etag: etag.to_owned(),
                    body,
                }))
            }
            status => anyhow::bail!("a document of a batch could not be read: {status:?}"),
        }
    }
}

/// The path of the container whose documents a request is about.
fn container(url: &Url) -> Option<String> {
    let mut path = url.path_segments()?;
    let parts: Vec<&str> = path.by_ref().take(4).collect();
    let of_documents = matches!(parts.as_slice(), ["dbs", _, "colls", _]) && path.next() == Some("docs");
    of_documents.then(|| parts.join("/"))
}

/// True when the document has this partition key, value by value.
fn is_of(body: &Value, definition: &Value, key: &Value) -> bool {
    let Some(paths) = definition["partitionKey"]["paths"].as_array() else {
        return false;
    };
    let values = paths.iter().map(|path| body.pointer(path.as_str()?).cloned());
    values.collect::<Option<Vec<_>>>().map(Value::Array).as_ref() == Some(key)
}

/// As the service decides it.
fn answers_content(headers: &Headers) -> bool {
    match headers.get_optional_str(&CONTENT_RESPONSE) {
        Some(wanted) => wanted.eq_ignore_ascii_case("true"),
        None => !headers
            .get_optional_str(&PREFER)
            .is_some_and(|prefer| prefer.contains("return=minimal")),
    }
}

fn result(status: u16, body: Option<Value>, etag: Option<&str>) -> Value {
    let mut result = json!({ "statusCode": status, "requestCharge": COST });
    if let Some(body) = body {
        result["resourceBody"] = body;
    }
    if let Some(etag) = etag {
        result["eTag"] = json!(etag);
    }
    result
}

/// The answer to the whole, with what a point operation said of the partition.
fn answer(status: StatusCode, point: &RawResponse, results: Vec<Value>) -> RawResponse {
    const OF_ONE: [&str; 4] = ["etag", "content-type", "content-length", "x-ms-request-charge"];
    let mut headers = Headers::new();
    for (name, value) in point.headers().iter() {
        if !OF_ONE.contains(&name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    let charge: f64 = results.iter().map(|_| COST).sum();
    headers.insert(CHARGE, format!("{charge:.2}"));
    headers.insert("content-type", "application/json");
    RawResponse::from_bytes(status, headers, Value::Array(results).to_string())
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
