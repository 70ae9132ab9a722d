//! The requests of Microsoft's .NET client (Microsoft.Azure.Cosmos 3.64) that other clients do not send.
//! Never uses that client: its requests are replayed, so that a machine without it is held too.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::wire::Account;

const PARTITION: &str = "x-ms-documentdb-partitionkey";

#[tokio::test]
async fn the_account_says_the_limits_of_queries() {
    let account = Account::start().await;
    let answer = account.send("GET", "/", &[], Value::Null).await;
    let limits = answer.body["queryEngineConfiguration"].as_str().unwrap();
    let limits: Value = serde_json::from_str(limits).unwrap();
    assert!(limits["maxSqlQueryInputLength"].as_i64().unwrap() > 0, "{limits}");
    assert_eq!(limits["sqlAllowNonFiniteNumbers"], false);
    assert_eq!(answer.body["writableLocations"][0]["name"], "West Europe");
}

#[tokio::test]
async fn databases_and_containers_are_found_and_signed_by_their_resource_ids() {
    let account = Account::start().await;
    let named = account.container("Ranges", json!({})).await;
    let container = account.send("GET", &named, &[], Value::Null).await;
    let container_id = container.body["_rid"].as_str().unwrap();
    let database = account.send("GET", "/dbs/d", &[], Value::Null).await;
    let database_id = database.body["_rid"].as_str().unwrap();
    let ask = async |path: &str, kind: &str, link: &str| {
        let signed = (kind, link);
        account.send_signed("GET", path, signed, &[], "".into()).await
    };
    let small = container_id.to_lowercase();
    let path = format!("/dbs/{database_id}/colls/{container_id}");
    let ranges = ask(&format!("{path}/pkranges"), "pkranges", &small).await;
    assert!(
        ranges.body["PartitionKeyRanges"]
            .as_array()
            .is_some_and(|all| !all.is_empty()),
        "{ranges:?}"
    );
    let encoded = path.replace('=', "%3D");
    assert_eq!(
        ask(&format!("{encoded}/pkranges/"), "pkranges", &small)
            .await
            .status,
        200
    );
    assert_eq!(ask(&path, "colls", &small).await.body["id"], "Ranges");
    let database_link = database_id.to_lowercase();
    assert_eq!(
        ask(&format!("/dbs/{database_id}"), "dbs", &database_link)
            .await
            .body["id"],
        "d"
    );
    // An id that nothing has is not found; one signed in its own letters, or for another, is not let in.
    assert_eq!(
        ask(
            "/dbs/AAAAfw==/colls/AAAAfwAAAAE=/pkranges",
            "pkranges",
            "aaaafwaaaae="
        )
        .await
        .status,
        404
    );
    assert_eq!(
        ask(&format!("{path}/pkranges"), "pkranges", container_id)
            .await
            .status,
        401
    );
    assert_eq!(
        ask(&format!("{path}/pkranges"), "pkranges", "aaaafwaaaae=")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn an_offer_is_signed_by_its_id_and_an_operation_as_its_container() {
    let account = Account::start().await;
    for (link, status) in [("aa1b", 501), ("aA1b", 401)] {
        let read = account
            .send_signed("GET", "/offers/aA1b", ("offers", link), &[], "".into())
            .await;
        assert_eq!(read.status, status, "{read:?}");
    }
    let query = json!({"query": "SELECT * FROM root r WHERE r.offerResourceId = @id", "parameters": [{"name": "@id", "value": "x"}]});
    let headers = [
        ("content-type", "application/query+json"),
        ("x-ms-documentdb-isquery", "True"),
    ];
    let asked = account.send("POST", "/offers", &headers, query).await;
    assert_eq!(asked.status, 501, "{asked:?}");
    assert!(asked.message().contains("throughput"), "{asked:?}");
    let path = "/dbs/d/colls/c/operations/partitionkeydelete";
    let deleted = account
        .send_signed("POST", path, ("colls", "dbs/d/colls/c"), &[], "".into())
        .await;
    assert_eq!(deleted.status, 501, "{deleted:?}");
    assert!(deleted.message().contains("deleting all items of a partition"));
}

#[tokio::test]
async fn an_empty_page_of_the_change_feed_counts_its_items() {
    let account = Account::start().await;
    let container = account.container("changes", json!({})).await;
    let headers = [
        ("a-im", "Incremental Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
    ];
    let empty = account
        .send("GET", &format!("{container}/docs"), &headers, Value::Null)
        .await;
    assert_eq!((empty.status, empty.header("x-ms-item-count")), (304, Some("0")));
    let etag = empty.header("etag").unwrap().to_owned();
    let now = [headers[0], headers[1], ("if-none-match", etag.as_str())];
    let empty = account
        .send("GET", &format!("{container}/docs"), &now, Value::Null)
        .await;
    assert_eq!((empty.status, empty.header("x-ms-item-count")), (304, Some("0")));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_to_its_end_and_refused() {
    let account = Account::start().await;
    let container = account.container("large", json!({})).await;
    for size in [2_200_000, 6_000_000, 40_000_000] {
        let answer = account
            .create(&container, json!({"id": "1", "pk": "p", "s": "x".repeat(size)}))
            .await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (413, &json!("RequestEntityTooLarge")),
            "{size}"
        );
    }
    assert_eq!(account.rows(&container, "SELECT * FROM c").await.len(), 0);
}

#[tokio::test]
async fn a_sorted_query_goes_on_where_the_client_says() {
    let account = Account::start().await;
    let container = account.container("sorted", json!({})).await;
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!(2),
        json!(3),
        json!("a"),
        json!("b"),
    ];
    for (number, value) in values.iter().enumerate() {
        account
            .create(
                &container,
                json!({"id": number.to_string(), "pk": "p", "n": value}),
            )
            .await;
    }
    let after = async |direction: &str, filter: Value| {
        let query = format!(
            "SELECT VALUE {{\"payload\": c.n}} FROM c WHERE true AND IS_DEFINED(c.n) ORDER BY c.n {direction}"
        );
        let body = json!({"query": query, "resumeFilter": filter});
        let answer = account.query(&container, Some(r#"["p"]"#), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = answer.body["Documents"].as_array().unwrap();
        Value::Array(rows.iter().map(|row| row["payload"].clone()).collect())
    };
    assert_eq!(
        after("", json!({"value": [2], "rid": "x", "exclude": false})).await,
        json!([2, 3, "a", "b"])
    );
    assert_eq!(
        after("", json!({"value": [2], "exclude": true})).await,
        json!([3, "a", "b"])
    );
    assert_eq!(
        after("", json!({"value": [true], "exclude": true})).await,
        json!([1, 2, 3, "a", "b"])
    );
    assert_eq!(
        after("DESC", json!({"value": ["a"], "exclude": true})).await,
        json!([3, 2, 1, true, null])
    );
    assert_eq!(
        after("DESC", json!({"value": [2], "exclude": false})).await,
        json!([2, 1, true, null])
    );
}

#[tokio::test]
async fn a_change_feed_from_a_point_in_time_begins_there() {
    let account = Account::start().await;
    let container = account.container("since", json!({})).await;
    let seconds = |item: &Value| item["_ts"].as_i64().unwrap();
    let first = account
        .create(&container, json!({"id": "first", "pk": "p"}))
        .await
        .body;
    let deadline = Instant::now() + Duration::from_secs(5);
    // Times are whole seconds, so the second item is written anew until it is of a later one.
    let second = loop {
        let headers = [(PARTITION, r#"["p"]"#), ("x-ms-documentdb-is-upsert", "True")];
        let item = json!({"id": "second", "pk": "p"});
        let written = account
            .send("POST", &format!("{container}/docs"), &headers, item)
            .await
            .body;
        if seconds(&written) > seconds(&first) {
            break written;
        }
        assert!(Instant::now() < deadline, "{written}");
    };
    let since = async |at: i64, more: &[(&str, &str)]| {
        let time = OffsetDateTime::from_unix_timestamp(at).unwrap();
        let time = time.format(&Rfc2822).unwrap().replace("+0000", "GMT");
        let mut headers = vec![
            ("a-im", "Incremental Feed"),
            (PARTITION, r#"["p"]"#),
            ("if-modified-since", time.as_str()),
        ];
        headers.extend_from_slice(more);
        let answer = account
            .send("GET", &format!("{container}/docs"), &headers, Value::Null)
            .await;
        let found = answer.body["Documents"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> = found
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect();
        (
            ids.join(","),
            answer.header("etag").unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(since(0, &[]).await.0, "first,second");
    assert_eq!(since(seconds(&first), &[]).await.0, "first,second");
    assert_eq!(
        since(seconds(&second), &[("x-ms-max-item-count", "1")]).await.0,
        "second"
    );
    let (ids, token) = since(seconds(&second) + 3600, &[]).await;
    assert_eq!(ids, "");
    account
        .create(&container, json!({"id": "third", "pk": "p"}))
        .await;
    // The token says more than the time, which clients go on sending.
    assert_eq!(since(0, &[("if-none-match", &token)]).await.0, "third");
}

/// Azure answers so in gateway mode: `CosmosItemIdEncodingTests` of that client.
#[tokio::test]
async fn an_id_that_is_sent_otherwise_than_it_is_signed_is_unauthorized() {
    let account = Account::start().await;
    let container = account.container("ids", json!({})).await;
    for (id, sent, encoded) in [
        ("a%20b", "a%20b", "a%2520b"),
        ("%E9%B1%80", "%E9%B1%80", "%25E9%25B1%2580"),
        ("trail ", "trail", "trail%20"),
    ] {
        let made = account.create(&container, json!({"id": id, "pk": "p"})).await;
        assert_eq!(made.status, 201, "{id}: {made:?}");
        let link = format!("{}/docs/{id}", &container[1..]);
        let headers = [(PARTITION, r#"["p"]"#)];
        for (path, status) in [(sent, 401), (encoded, 200)] {
            let path = format!("{container}/docs/{path}");
            let answer = account
                .send_signed("GET", &path, ("docs", &link), &headers, "".into())
                .await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
    }
}
