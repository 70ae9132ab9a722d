//! What the account holds and answers, to clients with its key and to others.
//! Never turns a switch.

use std::net::SocketAddr;

use azure_data_cosmos::options::{ItemWriteOptions, Precondition};
use azure_data_cosmos::{FeedScope, Query};
use devstack::cosmos::CosmosEmulator;
use devstack::wire::Proxy;
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};

use crate::{container, options};

#[tokio::test]
async fn every_container_of_the_deployment_is_there() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    for name in ["orders", "customers", "products", "sales", "control"] {
        assert!(
            container(&emulator.endpoint(), emulator.key(), name)
                .await
                .is_ok(),
            "{name}"
        );
    }
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn a_document_is_written_read_and_replaced_only_under_its_etag() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    let orders = container(&emulator.endpoint(), emulator.key(), "orders")
        .await
        .unwrap();
    let document = json!({"id": "a b+c-é", "pk": "1|x", "n": 1});
    let id = document["id"].as_str().unwrap();
    let created = orders.create_item("1|x", id, &document, None).await.unwrap();
    let stale = created.headers().etag().unwrap().clone();
    let under = |etag| ItemWriteOptions::default().with_precondition(Precondition::if_match(etag));
    let changed = json!({"id": id, "pk": "1|x", "n": 2});
    orders
        .replace_item("1|x", id, &changed, Some(under(stale.clone())))
        .await
        .unwrap();
    let error = orders
        .replace_item("1|x", id, &changed, Some(under(stale)))
        .await
        .unwrap_err();
    assert!(error.status().is_precondition_failed(), "{error}");
    let read: Value = orders
        .read_item("1|x", id, None)
        .await
        .unwrap()
        .into_model()
        .unwrap();
    assert_eq!(read["n"], 2);
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn a_query_runs_within_a_partition_and_across_them() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    let orders = container(&emulator.endpoint(), emulator.key(), "orders")
        .await
        .unwrap();
    for n in 0..6 {
        let pk = format!("1|{n}");
        orders
            .create_item(
                pk.clone(),
                "order",
                &json!({"id": "order", "pk": pk, "version": n}),
                None,
            )
            .await
            .unwrap();
    }
    let numbers = async |scope: FeedScope| -> Vec<i64> {
        let query = Query::from("SELECT * FROM c ORDER BY c.version DESC");
        let pages = orders.query_items::<Value>(query, scope, None).await.unwrap();
        let found: Vec<Value> = pages.try_collect().await.unwrap();
        found
            .iter()
            .map(|document| document["version"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(numbers(FeedScope::full_container()).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(numbers(FeedScope::partition("1|3")).await, [3]);
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_and_no_key_are_refused() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    let refused = container(&emulator.endpoint(), "d3Jvbmc=", "orders").await;
    let error = refused.err().expect("a client with a wrong key");
    assert_eq!(u16::from(error.status().status_code()), 401, "{error}");
    let answer = bare_get(emulator.address(), "/dbs/orders").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    emulator.stop().await.unwrap();
}

#[tokio::test]
async fn clients_stay_on_the_advertised_address() {
    let target = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::start(target).await.unwrap();
    let mut chosen = options(Some(proxy.address()));
    chosen.listen = target;
    let emulator = CosmosEmulator::start(chosen).await.unwrap();
    assert_eq!(emulator.endpoint(), format!("http://{}/", proxy.address()));
    let orders = container(&emulator.endpoint(), emulator.key(), "orders")
        .await
        .unwrap();
    orders
        .create_item("1|x", "order", &json!({"id": "order", "pk": "1|x"}), None)
        .await
        .unwrap();
    proxy.cut();
    assert!(orders.read_item("1|x", "order", None).await.is_err());
    emulator.stop().await.unwrap();
    drop(proxy);
}

#[tokio::test]
async fn a_stopped_account_gives_up_its_port() {
    let emulator = CosmosEmulator::start(options(None)).await.unwrap();
    let address = emulator.address();
    container(&emulator.endpoint(), emulator.key(), "orders")
        .await
        .unwrap();
    emulator.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

async fn bare_get(address: SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
