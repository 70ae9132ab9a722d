//! What is refused by name because it would be kept or overlooked otherwise.
//! Never asks a query; see `queries.rs`.

use serde_json::{Value, json};

use crate::wire::Account;

const PARTITION: &str = "x-ms-documentdb-partitionkey";

#[tokio::test]
async fn a_container_is_not_made_or_replaced_with_what_would_not_be_followed() {
    let account = Account::start().await;
    account
        .container("plain", json!({"defaultTtl": -1, "computedProperties": []}))
        .await;
    for (property, value, status, name) in [
        ("defaultTtl", json!(60), 501, "time to live"),
        ("defaultTtl", json!(0), 400, "defaultTtl"),
        ("defaultTtl", json!(-2), 400, "defaultTtl"),
        (
            "computedProperties",
            json!([{"name": "x", "query": "SELECT VALUE c.n FROM c"}]),
            501,
            "computed properties",
        ),
        (
            "vectorEmbeddingPolicy",
            json!({"vectorEmbeddings": [{"path": "/v"}]}),
            501,
            "vectors",
        ),
        (
            "fullTextPolicy",
            json!({"defaultLanguage": "en-US"}),
            501,
            "full text",
        ),
        (
            "changeFeedPolicy",
            json!({"retentionDuration": 10}),
            501,
            "all versions and deletes",
        ),
        ("id", json!(""), 400, "id"),
        ("id", json!("a/b"), 400, "id"),
    ] {
        let mut container =
            json!({"id": "plain", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}});
        container[property] = value.clone();
        for (method, path) in [("POST", "/dbs/d/colls"), ("PUT", "/dbs/d/colls/plain")] {
            let answer = account.send(method, path, &[], container.clone()).await;
            assert_eq!(answer.status, status, "{property} {value}: {answer:?}");
            assert!(answer.message().contains(name), "{property} {value}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn throughput_that_is_shared_or_scales_by_itself_is_refused() {
    let account = Account::start().await;
    let scaled = [(
        "x-ms-cosmos-offer-autopilot-settings",
        r#"{"maxThroughput":4000}"#,
    )];
    let container = json!({"id": "scaled", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}});
    assert_eq!(
        account
            .send("POST", "/dbs/d/colls", &scaled, container)
            .await
            .status,
        501
    );
    let shared = [("x-ms-offer-throughput", "400")];
    assert_eq!(
        account
            .send("POST", "/dbs", &shared, json!({"id": "shared"}))
            .await
            .status,
        501
    );
    assert_eq!(
        account.send("POST", "/dbs", &[], json!({"id": ""})).await.status,
        400
    );
}

#[tokio::test]
async fn an_item_needs_an_id_for_its_path_and_no_ignored_time_to_live() {
    let account = Account::start().await;
    let plain = account.container("plain", json!({})).await;
    let lasting = account.container("lasting", json!({"defaultTtl": -1})).await;
    let long = "x".repeat(1024);
    for id in ["", "a/b", "a\\b", "a?b", "a#b", long.as_str()] {
        let item = json!({"id": id, "pk": "p"});
        let answer = account.create(&plain, item.clone()).await;
        assert_eq!(answer.status, 400, "{id}: {answer:?}");
        let batch = json!([{"operationType": "Create", "resourceBody": item}]);
        let headers = [
            (PARTITION, r#"["p"]"#),
            ("x-ms-cosmos-is-batch-request", "True"),
            ("x-ms-cosmos-batch-atomic", "True"),
        ];
        let answer = account
            .send("POST", &format!("{plain}/docs"), &headers, batch)
            .await;
        assert_eq!(answer.status, 400, "batch {id}: {answer:?}");
    }
    assert_eq!(
        account
            .create(&plain, json!({"id": "x".repeat(1023), "pk": "p"}))
            .await
            .status,
        201
    );
    for (container, ttl, status) in [
        (&plain, json!(60), 201),
        (&lasting, json!(-1), 201),
        (&lasting, json!(60), 501),
        (&lasting, json!(0), 400),
        (&lasting, json!("60"), 400),
    ] {
        let answer = account
            .create(container, json!({"id": ttl.to_string(), "pk": "p", "ttl": ttl}))
            .await;
        assert_eq!(answer.status, status, "{ttl}: {answer:?}");
    }
    let headers = [(PARTITION, r#"["p"]"#)];
    let replaced = json!({"id": "-1", "pk": "p", "ttl": 60});
    assert_eq!(
        account
            .send("PUT", &format!("{lasting}/docs/-1"), &headers, replaced)
            .await
            .status,
        501
    );
    let patch = json!({"operations": [{"op": "set", "path": "/ttl", "value": 60}]});
    assert_eq!(
        account
            .send("PATCH", &format!("{lasting}/docs/-1"), &headers, patch)
            .await
            .status,
        501
    );
}

#[tokio::test]
async fn a_request_that_asks_for_more_than_is_there_is_told_so() {
    let account = Account::start().await;
    let container = account.container("items", json!({})).await;
    let docs = format!("{container}/docs");
    let partition = (PARTITION, r#"["p"]"#);
    let told = async |method: &str, path: &str, headers: &[(&str, &str)], name: &str| {
        let item = if method == "POST" {
            json!({"id": "1", "pk": "p"})
        } else {
            Value::Null
        };
        let answer = account.send(method, path, headers, item).await;
        assert_eq!(answer.status, 501, "{headers:?}: {answer:?}");
        assert!(answer.message().contains(name), "{headers:?}: {answer:?}");
    };
    let full = [("a-im", "Full-Fidelity Feed"), ("if-none-match", "*")];
    told("GET", &docs, &full, "all versions and deletes").await;
    let trigger = [partition, ("x-ms-documentdb-pre-trigger-include", "t")];
    told("POST", &docs, &trigger, "triggers").await;
    let directive = [partition, ("x-ms-indexing-directive", "Exclude")];
    told("POST", &docs, &directive, "index").await;
    let bulk = [
        ("x-ms-cosmos-is-batch-request", "True"),
        ("x-ms-cosmos-batch-atomic", "False"),
    ];
    told("POST", &docs, &bulk, "bulk").await;
    told("GET", "/dbs/d/users", &[], "not supported").await;
    told("GET", &format!("{container}/sprocs"), &[], "not supported").await;
}

#[tokio::test]
async fn a_request_in_another_way_of_speaking_is_told_so() {
    let account = Account::start().await;
    let container = account.container("items", json!({})).await;
    let docs = format!("{container}/docs");
    let partition = (PARTITION, r#"["p"]"#);
    let strong = [partition, ("x-ms-consistency-level", "Strong")];
    assert_eq!(
        account
            .send("GET", &format!("{docs}/1"), &strong, Value::Null)
            .await
            .status,
        400
    );
    // A batch in HybridRow, and the addresses of replicas that direct mode asks for, signed by any key.
    let batch = [partition, ("x-ms-cosmos-is-batch-request", "True")];
    let answer = account
        .send_signed(
            "POST",
            &docs,
            ("docs", &container[1..]),
            &batch,
            vec![0x81, 1, 2].into(),
        )
        .await;
    assert_eq!(
        (answer.status, answer.message().contains("HybridRow")),
        (501, true),
        "{answer:?}"
    );
    let answer = account
        .send_signed("GET", "//addresses/?$filter=protocol", ("", ""), &[], "".into())
        .await;
    assert_eq!(
        (answer.status, answer.message().contains("Gateway")),
        (501, true),
        "{answer:?}"
    );
}
