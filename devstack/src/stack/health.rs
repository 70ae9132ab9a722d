//! Asks every part of a stack whether it is there, in the way its clients would.
//! It never starts or mends anything.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpStream;

use super::Stack;
use crate::cosmos::DocumentReader;
use crate::http::Client;

const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

impl Stack {
    /// Passes when every part that was started answers; else names the first that does not.
    pub async fn check_health(&self) -> Result<()> {
        let session = self.database.connect().await;
        let (client, connection) = session.context("PostgreSQL is not healthy")?;
        let answer = client.simple_query("SELECT 1").await;
        connection.abort();
        answer.context("PostgreSQL is not healthy")?;
        if let Some(servicebus) = &self.servicebus {
            TcpStream::connect(servicebus.address())
                .await
                .context("Service Bus is not healthy")?;
        }
        if let Some(cosmos) = &self.cosmos {
            let reader = DocumentReader::new(&cosmos.endpoint(), cosmos.key());
            let control = reader
                .read("dbs/orders/colls/control", "")
                .await
                .context("Cosmos DB is not healthy")?;
            control.context("Cosmos DB is not healthy: it has no container `control`")?;
        }
        for (_, url) in self.urls() {
            wait_for_handler(url).await?;
        }
        Ok(())
    }
}

/// The handler connects to its services after it began to listen, so it is given a while.
async fn wait_for_handler(url: &str) -> Result<()> {
    let client = Client::new();
    let url = format!("{url}/api/health");
    let mut seen = "no answer".to_owned();
    let asking = async {
        loop {
            match client.get(&url, &[]).await {
                Ok(answer) if answer.status == 200 && answer.body["status"] == "ok" => return,
                Ok(answer) => seen = format!("{} {}", answer.status, answer.body),
                Err(error) => seen = format!("{error:#}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(LIMIT, asking).await.is_err() {
        bail!("the handler is not healthy after {LIMIT:?}: {seen}");
    }
    Ok(())
}
