//! Reads one document over signed HTTP, to see what a projection has written.
//! It never writes, and is no client library: one request, no retry.

use anyhow::{Result, bail};
use axum::http::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::authorization;
use crate::http::Client;

const API_VERSION: &str = "2018-12-31";

/// Reads documents of one account.
#[derive(Clone, Debug)]
pub(crate) struct DocumentReader {
    client: Client,
    endpoint: String,
    key: String,
}

impl DocumentReader {
    pub(crate) fn new(endpoint: &str, key: &str) -> Self {
        Self {
            client: Client::new(),
            endpoint: endpoint.to_owned(),
            key: key.to_owned(),
        }
    }

    /// The document at `path` (`dbs/…/colls/…/docs/…`), if it is there.
    pub(crate) async fn read(&self, path: &str, partition: &str) -> Result<Option<Value>> {
        let date = OffsetDateTime::now_utc()
            .format(&Rfc2822)?
            .replace("+0000", "GMT");
        let token = authorization::sign(&Method::GET, path, &date, &self.key)?;
        let partition = json!([partition]).to_string();
        let headers = [
            ("authorization", token.as_str()),
            ("x-ms-date", &date),
            ("x-ms-version", API_VERSION),
            ("x-ms-documentdb-partitionkey", &partition),
        ];
        let answer = self
            .client
            .get(&format!("{}{path}", self.endpoint), &headers)
            .await?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            status => bail!("Cosmos DB answered {status} {}", answer.body),
        }
    }
}
