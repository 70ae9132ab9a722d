//! What queries mean, where the service in memory alone would mean something else.
//! Never asks how a query is carried.

use serde_json::{Value, json};

use crate::wire::Account;

/// An account with five items, and the path of their container.
async fn filled() -> (Account, String) {
    let account = Account::start().await;
    let composite = json!([[{"path": "/city", "order": "ascending"}, {"path": "/n", "order": "descending"}]]);
    let policy = json!({"indexingMode": "consistent", "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": "/secret/?"}], "compositeIndexes": composite});
    let container = account
        .container("items", json!({ "indexingPolicy": policy }))
        .await;
    for n in 0..5 {
        let mut item = json!({"id": format!("d{n}"), "pk": format!("p{}", n % 2), "n": n, "name": format!("it's {n}"),
            "city": if n % 2 == 0 { "Praha" } else { "Brno" }, "lines": [{"sku": "a", "qty": n}], "tags": ["x", "y"], "a b": n});
        if n > 2 {
            item["late"] = json!("yes");
        }
        assert_eq!(account.create(&container, item).await.status, 201);
    }
    (account, container)
}

#[tokio::test]
async fn a_text_and_a_name_may_be_in_quotes_of_either_sort() {
    let (account, container) = filled().await;
    for (query, rows) in [
        (r#"SELECT VALUE c.n FROM c WHERE c.id = "d2""#, json!([2])),
        (
            r#"SELECT VALUE c["lines"][0]["sku"] FROM c WHERE c["n"] = 3"#,
            json!(["a"]),
        ),
        (
            r#"SELECT VALUE root["n"] FROM root WHERE root["name"] = "it's 1""#,
            json!([1]),
        ),
        (r"SELECT VALUE c.n FROM c WHERE c.name = 'it\'s 1'", json!([1])),
        (
            r#"SELECT VALUE c["a b"] FROM c WHERE STARTSWITH(c.name, "it\u0027s 4")"#,
            json!([4]),
        ),
        (
            r#"SELECT c.n AS "number" FROM c WHERE c.id IN ("d1", 'd9')"#,
            json!([{"number": 1}]),
        ),
        (
            r#"SELECT VALUE {"a": c.n, "b": ["x", 'y']} FROM c WHERE c.n = 0"#,
            json!([{"a": 0, "b": ["x", "y"]}]),
        ),
        (
            r#"SELECT VALUE "say ""hi""" FROM c WHERE c.n = 0"#,
            json!([r#"say "hi""#]),
        ),
        (
            r#"SELECT VALUE c.n FROM c WHERE c.id = "" /* "d1" */ -- OR true"#,
            json!([]),
        ),
    ] {
        assert_eq!(
            Value::Array(account.rows(&container, query).await),
            rows,
            "{query}"
        );
    }
}

#[tokio::test]
async fn undefined_values_give_no_row_and_unnamed_ones_get_a_number() {
    let (account, container) = filled().await;
    let rows = async |query: &str| Value::Array(account.rows(&container, query).await);
    assert_eq!(rows("SELECT VALUE c.nothing FROM c").await, json!([]));
    assert_eq!(
        rows("SELECT VALUE c.late FROM c WHERE c.n = 1 OR c.n = 4").await,
        json!(["yes"])
    );
    assert_eq!(rows("SELECT DISTINCT VALUE c.late FROM c").await, json!(["yes"]));
    assert_eq!(rows("SELECT VALUE l.nothing FROM l IN c.lines").await, json!([]));
    assert_eq!(rows("SELECT COUNT(1) FROM c").await, json!([{"$1": 5}]));
    let numbered =
        rows("SELECT c.id, c.n + 1, c.n AS m, c.tags[0], UPPER(c.city) FROM c WHERE c.n = 1").await;
    assert_eq!(
        numbered,
        json!([{"id": "d1", "$1": 2, "m": 1, "$2": "x", "$3": "BRNO"}])
    );
}

#[tokio::test]
async fn a_count_or_sum_of_nothing_is_0_and_other_aggregates_are_no_row() {
    let (account, container) = filled().await;
    let rows = async |query: &str| Value::Array(account.rows(&container, query).await);
    for (aggregate, all, nothing) in [
        ("COUNT(c.n)", json!([5]), json!([0])),
        ("SUM(c.n)", json!([10]), json!([0])),
        ("AVG(c.n)", json!([2]), json!([])),
        ("MIN(c.n)", json!([0]), json!([])),
        ("MAX(c.n)", json!([4]), json!([])),
        ("MAX(c.n) + 1", json!([5]), json!([])),
        ("SUM(c.n) + 1", json!([11]), json!([1])),
    ] {
        assert_eq!(
            rows(&format!("SELECT VALUE {aggregate} FROM c")).await,
            all,
            "{aggregate}"
        );
        let of_none = format!("SELECT VALUE {aggregate} FROM c WHERE c.n > 9");
        assert_eq!(rows(&of_none).await, nothing, "{aggregate}");
        let named = nothing
            .get(0)
            .map_or(json!([{}]), |value| json!([{ "x": value }]));
        let of_none = format!("SELECT {aggregate} AS x FROM c WHERE c.n > 9");
        assert_eq!(rows(&of_none).await, named, "{aggregate}");
    }
    assert_eq!(rows("SELECT VALUE MIN(c.nothing) FROM c").await, json!([]));
    let counted = account
        .query(
            &container,
            None,
            json!({"query": "SELECT VALUE MIN(c.nothing) FROM c"}),
        )
        .await;
    assert_eq!(
        (&counted.body["_count"], counted.header("x-ms-item-count")),
        (&json!(0), Some("0"))
    );
}

#[tokio::test]
async fn an_undefined_value_is_its_own_group_and_in_no_list_or_range() {
    let (account, container) = filled().await;
    for (id, late) in [("none", json!(null)), ("no", json!("no"))] {
        let item = json!({"id": id, "pk": "p0", "late": late});
        assert_eq!(account.create(&container, item).await.status, 201);
    }
    for (query, found) in [
        (
            "SELECT c.late, COUNT(1) AS n FROM c GROUP BY c.late",
            json!([{"late": "no", "n": 1}, {"late": "yes", "n": 2}, {"late": null, "n": 1}, {"n": 3}]),
        ),
        (
            "SELECT VALUE c.late FROM c GROUP BY c.late",
            json!(["no", "yes", null]),
        ),
        ("SELECT VALUE MAX(c.n) FROM c GROUP BY c.late", json!([2, 4])),
        (
            "SELECT VALUE c.id FROM c WHERE c.late NOT IN ('yes')",
            json!(["no", "none"]),
        ),
        (
            "SELECT VALUE c.id FROM c WHERE NOT (c.late IN ('yes', 'no'))",
            json!(["none"]),
        ),
        (
            "SELECT VALUE c.id FROM c WHERE c.n NOT IN (0, 1, 2)",
            json!(["d3", "d4"]),
        ),
        (
            "SELECT VALUE c.id FROM c WHERE c.n NOT BETWEEN 1 AND 3 AND true",
            json!(["d0", "d4"]),
        ),
        (
            "SELECT VALUE c.id FROM c WHERE NOT (c.n BETWEEN 1 AND 3)",
            json!(["d0", "d4"]),
        ),
        (
            "SELECT VALUE c.id FROM c WHERE c.late NOT BETWEEN 'n' AND 'o'",
            json!(["d3", "d4"]),
        ),
        (
            "SELECT c.n BETWEEN 1 AND 3 AS within FROM c WHERE c.id IN ('d1', 'no')",
            json!([{"within": true}, {}]),
        ),
    ] {
        let mut rows = account.rows(&container, query).await;
        rows.sort_by_key(ToString::to_string);
        assert_eq!(Value::Array(rows), found, "{query}");
    }
}

#[tokio::test]
async fn the_prefix_of_a_hierarchical_key_finds_its_items_and_no_others() {
    let account = Account::start().await;
    let key = json!({"paths": ["/tenant", "/user/id", "/session"], "kind": "MultiHash", "version": 2});
    let container = account
        .container("prefixes", json!({ "partitionKey": key }))
        .await;
    for n in 0..6 {
        let (tenant, user, session) = (format!("t'{}", n % 2), n % 3, format!("s{n}"));
        let partition = json!([tenant, user, session]).to_string();
        let item = json!({"id": format!("i{n}"), "tenant": tenant, "user": {"id": user}, "session": session});
        let headers = [("x-ms-documentdb-partitionkey", partition.as_str())];
        let made = account
            .send("POST", &format!("{container}/docs"), &headers, item)
            .await;
        assert_eq!(made.status, 201, "{made:?}");
    }
    for (key, query, found) in [
        (
            r#"["t'1"]"#,
            "SELECT VALUE c.id FROM c",
            json!(["i1", "i3", "i5"]),
        ),
        (r#"["t'1", 2]"#, "SELECT VALUE c.id FROM c", json!(["i5"])),
        (
            r#"["t'0"]"#,
            "SELECT VALUE c.id FROM c WHERE c.user.id = 1 OR c.user.id = 2",
            json!(["i2", "i4"]),
        ),
        (r#"["nobody"]"#, "SELECT VALUE c.id FROM c", json!([])),
        (r#"["t'1", 2, "s5"]"#, "SELECT VALUE c.id FROM c", json!(["i5"])),
    ] {
        let answer = account
            .query(&container, Some(key), json!({ "query": query }))
            .await;
        let mut rows = answer.body["Documents"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer:?}"))
            .clone();
        rows.sort_by_key(ToString::to_string);
        assert_eq!(Value::Array(rows), found, "{key} {query}");
    }
    let headers = [("x-ms-documentdb-partitionkey", r#"["t'1"]"#)];
    let feed = account
        .send("GET", &format!("{container}/docs"), &headers, Value::Null)
        .await;
    assert_eq!(feed.status, 501, "{feed:?}");
    assert!(feed.message().contains("prefix of a hierarchical partition key"));
}

#[tokio::test]
async fn an_order_needs_the_index_that_azure_needs() {
    let (account, container) = filled().await;
    let rows = async |query: &str| Value::Array(account.rows(&container, query).await);
    assert_eq!(
        rows("SELECT VALUE c.n FROM c ORDER BY c.city, c.n DESC").await,
        json!([3, 1, 4, 2, 0])
    );
    assert_eq!(
        rows("SELECT VALUE c.n FROM c ORDER BY c['city'] DESC, c.n").await,
        json!([0, 2, 4, 1, 3])
    );
    for (query, message) in [
        ("SELECT * FROM c ORDER BY c.city, c.n", "composite index"),
        ("SELECT * FROM c ORDER BY c.n DESC, c.city", "composite index"),
        (
            "SELECT * FROM c ORDER BY c.city, c.n DESC, c.id",
            "composite index",
        ),
        ("SELECT * FROM c ORDER BY c.secret", "order-by item is excluded"),
        ("SELECT * FROM c ORDER BY UPPER(c.city)", "could not be mapped"),
    ] {
        let answer = account
            .query(&container, Some(r#"["p1"]"#), json!({ "query": query }))
            .await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.message().contains(message), "{query}: {answer:?}");
    }
    // A replaced policy counts at once.
    let composite = json!([[{"path": "/city", "order": "ascending"}, {"path": "/n", "order": "ascending"}]]);
    let replaced = json!({"id": "items", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2},
        "indexingPolicy": {"includedPaths": [{"path": "/*"}], "compositeIndexes": composite}});
    assert_eq!(account.send("PUT", &container, &[], replaced).await.status, 200);
    assert_eq!(
        rows("SELECT VALUE c.n FROM c ORDER BY c.city, c.n").await,
        json!([1, 3, 0, 2, 4])
    );
}

#[tokio::test]
async fn an_unsupported_query_is_refused_by_name_even_on_an_empty_container() {
    let (account, filled) = filled().await;
    let empty = account.container("empty", json!({})).await;
    for (query, name) in [
        (
            "SELECT VALUE c.n FROM c WHERE EXISTS(SELECT VALUE l FROM l IN c.lines)",
            "subquery",
        ),
        (
            "SELECT ARRAY(SELECT VALUE l FROM l IN c.lines) AS skus FROM c",
            "subquery",
        ),
        ("SELECT VALUE x FROM (SELECT VALUE c FROM c) AS x", "subquery"),
        ("SELECT VALUE INDEX_OF(c.name, 'n') FROM c", "INDEX_OF"),
        ("SELECT VALUE RegexMatch(c.name, 'n') FROM c", "RegexMatch"),
        ("SELECT VALUE GetCurrentDateTime() FROM c", "GetCurrentDateTime"),
        ("SELECT VALUE LOG(c.n, 10) FROM c", "arguments of LOG"),
        (
            "SELECT VALUE c.n FROM c WHERE ARRAY_CONTAINS(c.lines, {\"qty\": 1}, true)",
            "ARRAY_CONTAINS",
        ),
        ("SELECT VALUE udf.f(c.n) FROM c", "user-defined function"),
        ("SELECT VALUE c.lines FROM c.lines", "a part of an item in FROM"),
        ("SELECT 1 AS one", "SELECT without FROM"),
        ("SELECT * FROM c JOIN t IN c.tags", "'SELECT *' is only valid"),
        ("SELECT c.city FROM c GROUP BY c.city ORDER BY c.city", "GROUP BY"),
        (
            "SELECT TOP 1 VALUE MIN(c.n) FROM c GROUP BY c.city",
            "TOP or OFFSET of VALUE with GROUP BY",
        ),
        (
            "SELECT VALUE c.city FROM c GROUP BY c.city OFFSET 0 LIMIT 1",
            "TOP or OFFSET of VALUE with GROUP BY",
        ),
        (
            "SELECT * FROM c WHERE n = 1",
            "Identifier 'n' could not be resolved",
        ),
        ("SELECT x.n FROM c", "Identifier 'x' could not be resolved"),
        (
            "SELECT VALUE t FROM c JOIN t IN d.tags",
            "Identifier 'd' could not be resolved",
        ),
        ("SELECT * FROM c WHERE c.n = @n", "the parameter @n"),
        ("SELECT * FROM c WHERE c.name = 'it\\x'", "Syntax error"),
        ("SELECT * FROM c WHERE c.name = \"open", "Syntax error"),
    ] {
        for container in [&filled, &empty] {
            let answer = account.query(container, None, json!({ "query": query })).await;
            assert_eq!(answer.status, 400, "{query}: {answer:?}");
            assert!(answer.message().contains(name), "{query}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_value_that_a_function_cannot_take_is_refused_when_it_is_met() {
    let (account, filled) = filled().await;
    for query in [
        "SELECT VALUE SUM(c.city) FROM c",
        "SELECT VALUE AVG(c.city) FROM c",
        "SELECT VALUE MIN(c.tags) FROM c",
        "SELECT VALUE MAX(c.lines[0]) FROM c",
        "SELECT VALUE ToString(c.tags) FROM c",
    ] {
        let answer = account.query(&filled, None, json!({ "query": query })).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    let rows = account
        .rows(&filled, "SELECT VALUE SUM(c.n) FROM c WHERE ToString(c.n) != '4'")
        .await;
    assert_eq!(rows, [json!(6)]);
}

#[tokio::test]
async fn ordinary_words_in_ordinary_places_are_no_faults() {
    let (account, container) = filled().await;
    for query in [
        "select top 1 value c from c where not (c.n in (1, 2)) and c.n between 0 and 9",
        "SELECT c.order, c.value, c.n count, c.city AS select FROM c WHERE c.group = 1 OR (c.n > 1 ? true : false)",
        "SELECT VALUE {order: c.n, from: {value: c.city}} FROM c",
        "SELECT t, l.qty FROM c JOIN t IN c.tags JOIN l IN c.lines WHERE t = 'x' AND l.qty > 0",
        "SELECT VALUE r.id FROM root r WHERE r._ts > 0 AND IS_DEFINED(r._etag)",
        "SELECT c.city, COUNT(1) AS n, SUM(c.n) AS s FROM c GROUP BY c.city",
        "SELECT VALUE c.n FROM c WHERE c.name LIKE \"it!%\" ESCAPE '!' OR c.n = -1.5e3 OR c.nothing ?? null = null",
        "SELECT VALUE COUNT(1) FROM c WHERE ARRAY_CONTAINS(c.tags, 'x', false)",
        "SELECT c['a b'] FROM c ORDER BY c['a b'] OFFSET 1 LIMIT 2",
    ] {
        account.rows(&container, query).await;
    }
}
