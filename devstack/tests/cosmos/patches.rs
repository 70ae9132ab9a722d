//! Patches: under a condition, of what is not there yet, and as a bare list.
//! Never patches in a batch, which the account refuses by name.

use serde_json::json;

use crate::wire::Account;

const PARTITION: &str = "x-ms-documentdb-partitionkey";

#[tokio::test]
async fn a_patch_under_a_condition_is_done_only_when_it_is_met() {
    let account = Account::start().await;
    let container = account.container("patches", json!({})).await;
    account
        .create(&container, json!({"id": "1", "pk": "p", "n": 1, "name": "it's"}))
        .await;
    let path = format!("{container}/docs/1");
    let patch = async |condition: &str, value: i64, etag: Option<&str>| {
        let mut headers = vec![(PARTITION, r#"["p"]"#)];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        let body =
            json!({"condition": condition, "operations": [{"op": "set", "path": "/x", "value": value}]});
        account.send("PATCH", &path, &headers, body).await
    };
    let x = async || account.rows(&container, "SELECT VALUE c.x FROM c").await;
    for (condition, status, then) in [
        ("FROM c WHERE c.n = 1", 200, json!([1])),
        ("FROM c WHERE c.n = 2", 412, json!([1])),
        (
            "from root r where r.name = \"it's\" AND r[\"n\"] < 2",
            200,
            json!([3]),
        ),
        ("FROM c WHERE c.nothing = 1", 412, json!([3])),
        ("FROM c WHERE NO_SUCH(c.n)", 400, json!([3])),
        ("WHERE c.n = 1", 400, json!([3])),
    ] {
        let value = if status == 200 && then == json!([1]) { 1 } else { 3 };
        let answer = patch(condition, value, None).await;
        assert_eq!(answer.status, status, "{condition}: {answer:?}");
        assert_eq!(json!(x().await), then, "{condition}");
    }
    assert_eq!(
        patch("FROM c WHERE c.n = 1", 9, Some("\"stale\"")).await.status,
        412
    );
    let missing = account.send("PATCH", &format!("{container}/docs/2"), &[(PARTITION, r#"["p"]"#)],
        json!({"condition": "FROM c WHERE c.n = 1", "operations": [{"op": "set", "path": "/x", "value": 1}]})).await;
    assert_eq!(missing.status, 404, "{missing:?}");
}

#[tokio::test]
async fn of_many_patches_under_one_condition_one_is_done() {
    let account = Account::start().await;
    let container = account.container("races", json!({})).await;
    account
        .create(&container, json!({"id": "1", "pk": "p", "free": true}))
        .await;
    let path = format!("{container}/docs/1");
    let take = async || {
        let body = json!({"condition": "FROM c WHERE c.free = true", "operations": [{"op": "set", "path": "/free", "value": false}]});
        account
            .send("PATCH", &path, &[(PARTITION, r#"["p"]"#)], body)
            .await
            .status
    };
    let (first, second, third, fourth) = tokio::join!(take(), take(), take(), take());
    let mut codes = [first, second, third, fourth];
    codes.sort_unstable();
    assert_eq!(codes, [200, 412, 412, 412]);
}

#[tokio::test]
async fn an_increment_begins_what_is_not_there_and_a_bare_list_is_a_patch() {
    let account = Account::start().await;
    let container = account.container("increments", json!({})).await;
    account
        .create(&container, json!({"id": "1", "pk": "p", "price": 1.5}))
        .await;
    let path = format!("{container}/docs/1");
    let patched = account
        .send(
            "PATCH",
            &path,
            &[(PARTITION, r#"["p"]"#)],
            json!([
        {"op": "incr", "path": "/counter", "value": 3}, {"op": "incr", "path": "/counter", "value": 4},
        {"op": "incr", "path": "/price", "value": 0.5}]),
        )
        .await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(
        (&patched.body["counter"], &patched.body["price"]),
        (&json!(7), &json!(2))
    );
}
