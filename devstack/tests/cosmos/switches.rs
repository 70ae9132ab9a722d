//! The faults of the account as the client meets them: what it hides, and what it tells its caller.
//! Never counts on time but to be long enough: which request is refused is counted, not drawn.

use std::time::{Duration, Instant};

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::options::{BatchReplaceOptions, ItemWriteOptions, Precondition};
use azure_data_cosmos::{CosmosError, TransactionalBatch};
use devstack::cosmos::{CosmosEmulator, CosmosSwitches, Refused};
use serde_json::{Value, json};

use crate::{container, options};

const PK: &str = "1|x";

/// An account, its switches, and a client that was opened while they were off.
struct Account {
    switches: CosmosSwitches,
    orders: ContainerClient,
    _emulator: CosmosEmulator,
}

impl Account {
    async fn start() -> Self {
        let emulator = CosmosEmulator::start(options(None)).await.unwrap();
        let orders = container(&emulator.endpoint(), emulator.key(), "orders").await;
        Self {
            switches: emulator.switches(),
            orders: orders.unwrap(),
            _emulator: emulator,
        }
    }

    /// Creates the document; gives its etag.
    async fn create(&self, id: &str) -> Result<String, CosmosError> {
        let created = self.orders.create_item(PK, id, &document(id, 1), None).await?;
        Ok(created.headers().etag().unwrap().to_string())
    }

    /// Replaces the document under an etag; gives the new one.
    async fn replace(&self, id: &str, n: i64, etag: String) -> Result<String, CosmosError> {
        let under = ItemWriteOptions::default().with_precondition(Precondition::if_match(etag));
        let replaced = self
            .orders
            .replace_item(PK, id, &document(id, n), Some(under))
            .await?;
        Ok(replaced.headers().etag().unwrap().to_string())
    }

    async fn read(&self, id: &str) -> Result<i64, CosmosError> {
        let read: Value = self.orders.read_item(PK, id, None).await?.into_model()?;
        Ok(read["n"].as_i64().unwrap())
    }
}

fn document(id: &str, n: i64) -> Value {
    json!({ "id": id, "pk": PK, "n": n })
}

#[tokio::test]
async fn the_client_sends_a_throttled_request_again_and_its_caller_sees_nothing() {
    let account = Account::start().await;
    account.switches.throttle(2, Duration::from_millis(1));
    // The second request is refused, and comes again as the third; the fourth is refused.
    for id in ["a", "b", "c"] {
        account.create(id).await.unwrap();
    }
    assert_eq!(account.switches.refused().throttled, 2);
}

#[tokio::test]
async fn a_throttled_request_does_nothing_and_says_when_to_try_again() {
    let account = Account::start().await;
    account.switches.throttle(1, Duration::from_millis(7));
    let error = account.create("a").await.unwrap_err();
    assert!(error.status().is_throttled(), "{error}");
    let retry_after = error.response().unwrap().headers().retry_after_ms;
    assert_eq!(retry_after, Some(7));
    assert!(account.switches.refused().throttled > 1, "the client tried again");
    account.switches.off();
    account.create("a").await.unwrap();
}

#[tokio::test]
async fn an_account_that_is_unavailable_has_done_nothing_and_comes_back() {
    let account = Account::start().await;
    account.switches.unavailable(1);
    let error = account.create("a").await.unwrap_err();
    assert!(error.status().is_service_unavailable(), "{error}");
    assert!(error.is_from_wire() && account.switches.refused().unavailable > 0);
    account.switches.off();
    account.create("a").await.unwrap();
}

#[tokio::test]
async fn every_second_write_under_an_etag_is_overtaken_and_no_other_request_is_counted() {
    let account = Account::start().await;
    account.switches.overtake(2);
    let created = account.create("a").await.unwrap();
    let fresh = account.replace("a", 2, created).await.unwrap();
    let under = BatchReplaceOptions::default().with_precondition(Precondition::if_match(fresh));
    let batch = TransactionalBatch::new(PK).replace_item("a", document("a", 3), Some(under));
    let done = account.orders.execute_transactional_batch(batch.unwrap(), None);
    let done = done.await.unwrap().into_model().unwrap();
    let fresh = done.results()[0].etag().unwrap().to_string();
    assert_eq!(account.switches.refused(), Refused::default());
    let error = account.replace("a", 4, fresh.clone()).await.unwrap_err();
    assert!(error.status().is_precondition_failed(), "{error}");
    assert_eq!(account.switches.refused().overtaken, 1);
    assert_eq!(account.read("a").await.unwrap(), 3);
    account.replace("a", 4, fresh).await.unwrap();
}

#[tokio::test]
async fn a_delayed_request_is_carried_after_the_delay_and_not_before() {
    let account = Account::start().await;
    let delay = Duration::from_millis(100);
    account.switches.delay(delay);
    let begun = Instant::now();
    account.create("a").await.unwrap();
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    assert_eq!(account.switches.refused(), Refused::default());
}

#[tokio::test]
async fn a_client_opens_an_account_that_refuses_every_request_for_documents() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    let switches = emulator.switches();
    switches.throttle(1, Duration::ZERO);
    switches.unavailable(1);
    let opened = container(&emulator.endpoint(), emulator.key(), "orders").await;
    assert!(opened.is_ok());
    assert_eq!(switches.refused(), Refused::default());
}
