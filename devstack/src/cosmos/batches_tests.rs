//! Batches done here beside the same batches done by the service itself: the same answers, the same documents.
//! Never compares what no two accounts have in common: etags, resource ids, times.

use std::collections::BTreeMap;
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use azure_data_cosmos_driver::in_memory_emulator::{
    ConsistencyLevel, ContainerConfig, VirtualAccountConfig, VirtualRegion,
};
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use futures_util::future::join_all;

use super::*;

const FEED: &str = "http://127.0.0.1:1/dbs/d/colls/c/docs";

/// One account, whose batches are done here or by the service.
struct Account {
    batches: Batches,
    here: bool,
}

impl Account {
    fn new(here: bool) -> Self {
        let base: Url = "http://127.0.0.1:1/".parse().expect("a URL");
        let account = VirtualAccountConfig::new(vec![VirtualRegion::new("West Europe", base)]);
        let account = account
            .expect("an account")
            .with_consistency(ConsistencyLevel::Session)
            .with_throttling_enabled(false);
        let service = InMemoryEmulatorHttpClient::new(account);
        service.store().create_database("d");
        let key = json!({ "paths": ["/pk"], "kind": "Hash", "version": 2 });
        let key: PartitionKeyDefinition = serde_json::from_value(key).expect("a key");
        let config = ContainerConfig::new().build().expect("a container");
        service
            .store()
            .create_container_with_config("d", "c", key, config);
        Self {
            batches: Batches::new(service),
            here,
        }
    }

    async fn ask(&self, request: &Request) -> RawResponse {
        let answer = match self.here {
            true => self.batches.ask(request).await,
            false => self.batches.pass(request).await,
        };
        answer.expect("an answer")
    }

    /// The documents of a partition by id, with their etags.
    async fn documents(&self, partition: &str) -> BTreeMap<String, Value> {
        let mut request = Request::new(FEED.parse().expect("a URL"), Method::Post);
        request.insert_header("content-type", "application/query+json");
        request.insert_header("x-ms-documentdb-isquery", "true");
        request.insert_header("x-ms-max-item-count", "1000");
        request.insert_header(PARTITION_KEY, json!([partition]).to_string());
        request.set_body(json!({ "query": "SELECT * FROM c" }).to_string());
        let answer = self.ask(&request).await;
        let body: Value = serde_json::from_slice(answer.body().as_ref()).expect("JSON");
        let documents = body["Documents"].as_array().expect("rows").iter();
        documents
            .map(|row| (row["id"].as_str().expect("an id").to_owned(), row.clone()))
            .collect()
    }

    /// The answer to a batch, and the documents that are there then; an etag shows only that it is there.
    async fn perform(&self, operations: &Value, headers: &[(&'static str, &'static str)]) -> Value {
        let documents = self.documents("p").await;
        let mut operations = operations.clone();
        // `=id` stands for the etag of that document as it is.
        for operation in operations.as_array_mut().into_iter().flatten() {
            for name in ["ifMatch", "ifNoneMatch"] {
                let of = operation[name].as_str().and_then(|text| text.strip_prefix('='));
                if let Some(etag) = of.map(|id| documents[id]["_etag"].clone()) {
                    operation[name] = etag;
                }
            }
        }
        let answer = self.ask(&batch("p", &operations, headers)).await;
        let body: Value = serde_json::from_slice(answer.body().as_ref()).expect("JSON");
        let status = u16::from(answer.status());
        let charge = answer
            .headers()
            .get_optional_str(&CHARGE)
            .filter(|_| status == 200);
        let token = answer
            .headers()
            .get_optional_str(&HeaderName::from_static("x-ms-session-token"));
        json!({
            "status": status,
            "results": plain(body),
            "charge": charge,
            "token": status == 200 && token.is_some_and(|token| !token.is_empty()),
            "documents": plain(json!(self.documents("p").await)),
        })
    }
}

fn batch(partition: &str, operations: &Value, headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = Request::new(FEED.parse().expect("a URL"), Method::Post);
    request.insert_header("content-type", "application/json");
    request.insert_header(IS_BATCH, "True");
    request.insert_header(PARTITION_KEY, json!([partition]).to_string());
    for (name, value) in headers {
        request.insert_header(*name, *value);
    }
    request.set_body(operations.to_string());
    request
}

/// Without what no two accounts have in common.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(name, _)| !["_rid", "_self", "_ts", "message"].contains(&name.as_str()))
            .map(|(name, value)| match name.as_str() {
                "_etag" | "eTag" => (name, json!(!value.is_null())),
                _ => (name, plain(value)),
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(plain).collect(),
        value => value,
    }
}

fn document(id: &str, n: i64) -> Value {
    json!({ "id": id, "pk": "p", "n": n })
}

/// Batches that follow each other.
fn batches() -> Vec<Value> {
    let create =
        |id: &str, n| json!({ "operationType": "Create", "id": id, "resourceBody": document(id, n) });
    let upsert = |id: &str, n| json!({ "operationType": "Upsert", "resourceBody": document(id, n) });
    let replace = |id: &str, n, under: &str| json!({ "operationType": "Replace", "id": id, "resourceBody": document(id, n), "ifMatch": under });
    let read = |id: &str| json!({ "operationType": "Read", "id": id });
    let delete = |id: &str| json!({ "operationType": "Delete", "id": id });
    let with = |mut operation: Value, name: &str, value: &str| {
        operation[name] = json!(value);
        operation
    };
    vec![
        json!([create("a", 1), create("b", 1), upsert("c", 1)]),
        json!([replace("a", 2, "=a"), upsert("b", 2), create("d", 2)]),
        // Nothing of these is written.
        json!([create("e", 3), create("a", 3)]),
        json!([replace("b", 3, "\"other\""), create("e", 3)]),
        json!([create("e", 3), { "operationType": "Replace", "id": "nobody", "resourceBody": document("nobody", 3) }]),
        json!([create("e", 3), delete("nobody")]),
        json!([create("e", 3), read("nobody"), read("a")]),
        json!([create("e", 3), with(delete("a"), "ifMatch", "\"other\"")]),
        json!([create("e", 3), with(upsert("a", 3), "ifNoneMatch", "*")]),
        json!([create("e", 3), with(upsert("a", 3), "ifMatch", "\"other\"")]),
        json!([create("e", 3), with(read("a"), "ifMatch", "\"other\"")]),
        // These are.
        json!([
            read("a"),
            with(read("b"), "ifNoneMatch", "=b"),
            with(read("c"), "ifMatch", "=c")
        ]),
        json!([
            read("a"),
            delete("d"),
            with(delete("c"), "ifMatch", "=c"),
            create("f", 4)
        ]),
        json!([
            with(upsert("g", 4), "ifMatch", "\"of nobody\""),
            with(upsert("a", 4), "ifMatch", "=a")
        ]),
        // What is left to the service: one document twice, another partition, odd ids, odd kinds.
        json!([create("h", 5), with(upsert("h", 6), "id", "h"), read("h")]),
        json!([create("i", 5), { "operationType": "Create", "id": "x", "resourceBody": { "id": "x", "pk": "q" } }]),
        json!([create("i", 5), { "operationType": "Create", "id": "x", "resourceBody": document("y", 5) }]),
        json!([create("i", 5), { "operationType": "Create", "resourceBody": { "pk": "p" } }]),
        json!([create("i", 5), create("a b/ü", 5)]),
        json!([read("a b/ü")]),
        json!([{ "operationType": "Patch", "id": "a", "resourceBody": { "operations": [] } }]),
        json!([{ "operationType": "Create", "id": 7, "resourceBody": document("a", 5) }]),
        json!({ "operationType": "Create" }),
        json!([]),
        (0..101).map(|n| read(&n.to_string())).collect(),
        (0..100).map(|n| create(&n.to_string(), 5)).collect(),
    ]
}

#[tokio::test]
async fn a_batch_done_here_answers_and_leaves_the_same_as_the_services() {
    let (here, there) = (Account::new(true), Account::new(false));
    for headers in [&[][..], &[("prefer", "return=minimal")]] {
        for (at, operations) in batches().iter().enumerate() {
            let expected = there.perform(operations, headers).await;
            assert_eq!(
                here.perform(operations, headers).await,
                expected,
                "{at}: {operations}"
            );
        }
        // So that the second round begins as the first did.
        for account in [&here, &there] {
            for id in account.documents("p").await.into_keys() {
                let delete = json!([{ "operationType": "Delete", "id": id }]);
                assert_eq!(account.perform(&delete, &[]).await["status"], 200, "{id}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_half_a_batch_nor_comes_between() {
    let account = Account::new(true);
    let both = |n: i64| {
        let upsert =
            |id: &str| json!({ "operationType": "Upsert", "id": id, "resourceBody": document(id, n) });
        json!([upsert("a"), upsert("b"), upsert("c")])
    };
    account.perform(&both(-1), &[]).await;
    let writing = (0..40).map(|n| {
        let (account, batch) = (&account, batch("p", &both(n), &[]));
        async move { assert_eq!(account.ask(&batch).await.status(), StatusCode::Ok) }
    });
    let reading = (0..40).map(|_| async {
        let documents = account.documents("p").await;
        let seen: Vec<&Value> = documents.values().map(|document| &document["n"]).collect();
        assert!(
            seen.len() == 3 && seen[0] == seen[1] && seen[1] == seen[2],
            "{seen:?}"
        );
    });
    tokio::join!(join_all(writing), join_all(reading));
}

#[tokio::test]
async fn a_batch_whose_client_has_gone_is_done_to_its_end() {
    let account = Account::new(true);
    let create = |id: i64| {
        let id = id.to_string();
        json!({ "operationType": "Create", "id": id, "resourceBody": document(&id, 1) })
    };
    let request = batch("p", &(0..50).map(create).collect(), &[]);
    let mut asking = Box::pin(account.ask(&request));
    let mut task = Task::from_waker(Waker::noop());
    assert!(asking.as_mut().poll(&mut task).is_pending());
    drop(asking);
    // It waits for the batch, as everybody does.
    tokio::task::yield_now().await;
    assert_eq!(account.documents("p").await.len(), 50);
}

#[tokio::test]
async fn a_batch_costs_no_more_because_others_have_documents() {
    let account = Account::new(true);
    let upsert = |partition: &str| {
        let document = json!({ "id": "a", "pk": partition, "n": 1, "text": "x".repeat(500) });
        batch(
            partition,
            &json!([{ "operationType": "Upsert", "resourceBody": document }]),
            &[],
        )
    };
    let cheapest = async || {
        let mut least = Duration::MAX;
        for _ in 0..50 {
            let begun = Instant::now();
            assert_eq!(account.ask(&upsert("mine")).await.status(), StatusCode::Ok);
            least = least.min(begun.elapsed());
        }
        least
    };
    let alone = cheapest().await;
    for other in 0..2_000 {
        account.ask(&upsert(&other.to_string())).await;
    }
    let among_many = cheapest().await;
    assert!(among_many < alone * 4, "{alone:?}, then {among_many:?}");
}
