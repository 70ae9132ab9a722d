//! Aggregates and groups as Microsoft's .NET client asks for them: by a plan, and then in parts, one range after the other.
//! Never puts the parts together but to see that none is missing.

use serde_json::{Value, json};

use crate::wire::Account;

async fn filled() -> (Account, String) {
    let account = Account::start().await;
    let container = account.container("sums", json!({})).await;
    for n in 0..6 {
        let mut item = json!({"id": format!("d{n}"), "pk": format!("p{n}"), "city": format!("c{}", n % 2)});
        if n > 0 {
            item["n"] = json!(n);
        }
        assert_eq!(account.create(&container, item).await.status, 201);
    }
    (account, container)
}

async fn plan(account: &Account, container: &str, query: &str) -> (u16, Value) {
    let headers = [
        ("content-type", "application/query+json"),
        ("x-ms-cosmos-is-query-plan-request", "True"),
        (
            "x-ms-cosmos-supported-query-features",
            "Aggregate, GroupBy, NonValueAggregate",
        ),
    ];
    let docs = format!("{container}/docs");
    let answer = account
        .send("POST", &docs, &headers, json!({ "query": query }))
        .await;
    (answer.status, answer.body)
}

/// The parts of all ranges of the container.
async fn parts(account: &Account, container: &str, plan: &Value) -> Vec<Value> {
    let ranges = account
        .send("GET", &format!("{container}/pkranges"), &[], Value::Null)
        .await;
    let mut found = Vec::new();
    for range in ranges.body["PartitionKeyRanges"].as_array().unwrap() {
        let headers = [
            ("content-type", "application/query+json"),
            ("x-ms-documentdb-isquery", "True"),
            (
                "x-ms-cosmos-supported-serialization-formats",
                "JsonText,CosmosBinary",
            ),
            (
                "x-ms-documentdb-partitionkeyrangeid",
                range["id"].as_str().unwrap(),
            ),
        ];
        let query = json!({ "query": plan["queryInfo"]["rewrittenQuery"] });
        let answer = account
            .send("POST", &format!("{container}/docs"), &headers, query)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        found.extend(answer.body["Documents"].as_array().unwrap().clone());
    }
    found
}

#[tokio::test]
async fn one_value_is_planned_and_answered_in_parts() {
    let (account, container) = filled().await;
    for (query, kind, total) in [
        ("SELECT VALUE COUNT(1) FROM c WHERE c.n < 4", "Count", 3),
        ("SELECT VALUE SUM(c[\"n\"]) FROM c", "Sum", 15),
        ("SELECT VALUE COUNT(c.n) FROM c", "Count", 5),
    ] {
        let (status, plan) = plan(&account, &container, query).await;
        assert_eq!(
            (status, &plan["queryInfo"]["aggregates"]),
            (200, &json!([kind])),
            "{plan}"
        );
        assert!(plan["queryInfo"]["hasSelectValue"] == true && plan["queryRanges"].is_array());
        let parts = parts(&account, &container, &plan).await;
        let sum: i64 = parts.iter().filter_map(|part| part[0]["item"].as_i64()).sum();
        assert_eq!(sum, total, "{query}: {parts:?}");
    }
    let (_, planned) = plan(&account, &container, "SELECT VALUE AVG(c.n) FROM c").await;
    assert_eq!(planned["queryInfo"]["aggregates"], json!(["Average"]));
    let parts = parts(&account, &container, &planned).await;
    let of = |name: &str| -> i64 {
        parts
            .iter()
            .filter_map(|part| part[0]["item"][name].as_i64())
            .sum()
    };
    assert_eq!((of("sum"), of("count")), (15, 5), "{parts:?}");
}

#[tokio::test]
async fn groups_and_named_values_are_planned_and_answered_in_parts() {
    let (account, container) = filled().await;
    let (_, named) = plan(&account, &container, "SELECT MIN(c.n) AS lo, COUNT(1) FROM c").await;
    assert_eq!(
        named["queryInfo"]["groupByAliasToAggregateType"],
        json!({"lo": "Min", "$1": "Count"})
    );
    let found = parts(&account, &container, &named).await;
    let count: i64 = found
        .iter()
        .filter_map(|part| part["payload"]["$1"]["item"].as_i64())
        .sum();
    assert_eq!(count, 6, "{found:?}");
    let low = |part: &Value| part["payload"]["lo"]["item"]["min"].as_i64();
    assert_eq!(found.iter().filter_map(low).min(), Some(1), "{found:?}");
    let text = "SELECT c.city, SUM(c.n) AS s FROM c GROUP BY c.city";
    let (_, grouped) = plan(&account, &container, text).await;
    assert_eq!(grouped["queryInfo"]["groupByExpressions"], json!(["c.city"]));
    assert_eq!(grouped["queryInfo"]["groupByAliases"], json!(["city", "s"]));
    let found = parts(&account, &container, &grouped).await;
    let odd = found
        .iter()
        .filter(|part| part["groupByItems"] == json!([{"item": "c1"}]));
    let sum: i64 = odd.filter_map(|part| part["payload"]["s"]["item"].as_i64()).sum();
    assert_eq!(sum, 1 + 3 + 5, "{found:?}");
}

#[tokio::test]
async fn what_is_more_than_aggregates_and_groups_is_not_planned() {
    let (account, container) = filled().await;
    for query in [
        "SELECT VALUE COUNT(1) + 1 FROM c",
        "SELECT TOP 1 c.city, COUNT(1) AS n FROM c GROUP BY c.city",
        "SELECT DISTINCT VALUE COUNT(1) FROM c",
        "SELECT VALUE COUNT(1) FROM c GROUP BY c.city",
    ] {
        let (status, body) = plan(&account, &container, query).await;
        assert_eq!(status, 400, "{query}: {body}");
        assert!(
            body["message"]
                .as_str()
                .unwrap()
                .contains("aggregates and groups alone"),
            "{body}"
        );
    }
}
