//! What the topic is trusted with: how far a forged message gets, who finds it, and what takes it away.
//! Never forges in the log: that is the truth here.

use hyper::StatusCode;
use serde_json::json;

use crate::support::{App, Database, calls};

/// Brings an aggregate to this version, as a million commands would.
async fn bring(database: &Database, table: &str, key: &str, version: i64) {
    let sql = format!(
        "with moved as (update write_model.{table} set version = {version} where {key} returning 1) select count(*) from moved"
    );
    assert_eq!(database.number(&sql).await, 1, "{table}");
}

#[tokio::test]
async fn what_has_been_changed_a_million_times_is_changed_no_more() {
    let database = Database::create().await;
    let settings = database.settings(Database::server_address());
    let app = App::start_with(database, settings).await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let cases = [
        ("products", "sku = 'MUG'".to_owned(), calls::restock("MUG", 1)),
        (
            "customers",
            format!("id = '{customer}'"),
            calls::rename_customer(&customer, "A"),
        ),
        (
            "orders",
            format!("id = '{}'", placed.id()),
            calls::change_lines(&placed, &[("MUG", 2)]),
        ),
    ];
    for (table, key, call) in cases {
        bring(app.database(), table, &key, 999_999).await;
        let last = app.call(&call).await;
        assert_eq!(
            (last.status, &last.body["version"]),
            (StatusCode::OK, &json!(1_000_000)),
            "{table}: {last:?}"
        );
        let more = app.call(&call).await;
        let kind = json!("urn:problem:orders:too-many-changes");
        assert_eq!(
            (more.status, &more.body["type"]),
            (StatusCode::CONFLICT, &kind),
            "{table}"
        );
    }
}
