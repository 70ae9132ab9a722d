//! The queries, in both read models: what commands left is what is read, whole and in pages.
//! Never guesses when a change has arrived: each read hands in the token of the command that it must see.

use devstack::host::HttpMode;
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{Answer, Client},
    system::{System, both, known_mode},
};

/// Reads what this command has changed.
pub(crate) async fn read_after(client: &Client, path: &str, command: &Answer) -> Answer {
    let token = command.headers["consistency-token"].to_str().unwrap();
    let headers = [("consistency-token", token), ("prefer", "wait=10")];
    let answer = client.send("GET", path, "", &headers).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer
}

pub(crate) async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.send("GET", path, "", headers).await
}

pub(crate) fn text<'a>(answer: &'a Answer, header: &str) -> &'a str {
    answer.headers[header].to_str().unwrap()
}

pub(crate) fn id(answer: &Answer) -> String {
    answer.id().to_owned()
}

/// One more piece of this SKU, and the product is there to be read.
async fn restocked(client: &Client, sku: &str) {
    let restocked = client.restock(sku, 1).await;
    read_after(client, &format!("/api/products/{sku}"), &restocked).await;
}

#[tokio::test]
async fn what_is_read_is_what_the_commands_have_left() {
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[("MUG", 50), ("PEN", 50)]).await;
        let placed = client.place(&customer, &[("MUG", 2), ("PEN", 1)]).await;
        let paid = client.pay(&placed).await;
        let order = format!("/api/orders/{}", id(&placed));
        let read = read_after(&client, &order, &paid).await;
        assert_eq!(
            (&read.body["status"], &read.body["version"]),
            (&json!("paid"), &json!(2))
        );
        assert_eq!(read.body["customer"], json!({ "id": customer, "name": "Ada" }));
        assert_eq!(
            (text(&read, "etag"), text(&read, "cache-control")),
            ("\"2\"", "private, no-cache")
        );
        let history = read_after(&client, &format!("{order}/history"), &paid).await;
        let events: Vec<&str> = history.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(events, ["orders.OrderPlaced.v1", "orders.OrderPaid.v1"]);
        assert_eq!(history.body["items"][1]["data"]["amount"], placed.body["total"]);
        let row = json!({
            "id": id(&placed), "version": 2, "status": "paid", "customer": read.body["customer"],
            "total": read.body["total"], "placedAt": read.body["placedAt"],
        });
        for list in [
            "/api/orders".to_owned(),
            format!("/api/customers/{customer}/orders"),
        ] {
            assert_eq!(
                read_after(&client, &list, &paid).await.body,
                json!({ "items": [row] }),
                "{list}"
            );
        }
        let renamed = client.rename_customer(&customer, "Countess").await;
        let read = read_after(&client, &format!("/api/customers/{customer}"), &renamed).await;
        assert_eq!(
            read.body,
            json!({ "id": customer, "version": 2, "name": "Countess", "email": "ada@example.org" })
        );
        assert_eq!(text(&read, "etag"), "\"2\"");
    })
    .await;
}

#[tokio::test]
async fn a_product_shows_its_stock_and_changes_under_the_tag_it_shows() {
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[("MUG", 50), ("PEN", 50)]).await;
        let placed = client.place(&customer, &[("MUG", 2)]).await;
        let stocked = client.restock("MUG", 5).await;
        // The restock's level is newer than the order's, whichever comes first.
        read_after(&client, &format!("/api/orders/{}", id(&placed)), &placed).await;
        let mug = read_after(&client, "/api/products/MUG", &stocked).await;
        assert_eq!(
            mug.body,
            json!({ "sku": "MUG", "version": 3, "name": "MUG", "price": { "amount": 500, "currency": "EUR" }, "available": 53 })
        );
        assert_eq!(text(&mug, "etag"), "\"3-3\"");
        restocked(&client, "PEN").await;
        let stale = client.with("if-match", "\"2-3\"").change_price("MUG", 600).await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{stale:?}");
        let changed = client.with("if-match", "\"3-3\"").change_price("MUG", 600).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        let all = read_after(&client, "/api/products?limit=200", &changed).await;
        let prices: Vec<&Value> = all.body["items"].as_array().unwrap().iter().map(|product| &product["price"]["amount"]).collect();
        assert_eq!(prices, [&json!(600), &json!(500)]);
        let known = get(&client, "/api/products/MUG", &[("if-none-match", "\"4-3\"")]).await;
        assert_eq!(known.status, StatusCode::NOT_MODIFIED, "{known:?}");
        for absent in ["/api/products/CUP", "/api/products/no sku"] {
            let absent = get(&client, &absent.replace(' ', "%20"), &[]).await;
            assert_eq!(absent.body["type"], "urn:problem:orders:unknown-product", "{absent:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_reader_has_already_is_not_sent_again() {
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[("MUG", 50)]).await;
        let placed = client.place(&customer, &[("MUG", 2)]).await;
        // Its level is newer than the order's, which changes nothing in the catalogue whenever it comes.
        restocked(&client, "MUG").await;
        let renamed = client.rename_customer(&customer, "Countess").await;
        read_after(&client, &format!("/api/customers/{customer}"), &renamed).await;
        let order = format!("/api/orders/{}", id(&placed));
        let paths = [
            order.clone(),
            format!("{order}/history"),
            "/api/orders".to_owned(),
            format!("/api/customers/{customer}/orders"),
            format!("/api/customers/{customer}"),
            "/api/products".to_owned(),
        ];
        for path in &paths {
            let first = read_after(&client, path, &placed).await;
            let tag = text(&first, "etag").to_owned();
            let again = get(&client, path, &[("if-none-match", &tag)]).await;
            assert_eq!(
                (again.status, text(&again, "etag")),
                (StatusCode::NOT_MODIFIED, &*tag),
                "{path}"
            );
            let others = get(&client, path, &[("if-none-match", "\"x\", W/\"y\"")]).await;
            assert_eq!(others.status, StatusCode::OK, "{path}");
            let any = get(&client, path, &[("if-none-match", &format!("\"x\", W/{tag}"))]).await;
            assert_eq!(any.status, StatusCode::NOT_MODIFIED, "{path}");
        }
        let dated = get(&client, &order, &[]).await;
        let since = text(&dated, "last-modified");
        let head = client
            .send("HEAD", &order, "", &[("if-modified-since", since)])
            .await;
        assert_eq!(head.status, StatusCode::NOT_MODIFIED, "{head:?}");
        // A host that forwards gives it one of its own.
        let has_length = head.headers.contains_key("content-length");
        assert_eq!(has_length, known_mode() == HttpMode::Forwarding, "{head:?}");
        // Two changes may share a second: who has the tag of another one is sent what is there.
        let changed = [("if-modified-since", since), ("if-none-match", "\"x\"")];
        assert_eq!(get(&client, &order, &changed).await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn lists_go_through_everything_once_from_the_newest_on() {
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[("MUG", 500), ("PEN", 5), ("CUP", 5)]).await;
        let mut placed = Vec::new();
        for n in 0..23 {
            let order = client.place(&customer, &[("MUG", 1)]).await;
            let order = if n % 4 == 0 {
                (client.pay(&order).await, "paid")
            } else {
                (order, "placed")
            };
            placed.push(order);
        }
        let newest_first = |status: Option<&str>| -> Vec<String> {
            let orders = placed
                .iter()
                .rev()
                .filter(|(_, is)| status.is_none_or(|status| status == *is));
            orders.map(|(order, _)| id(order)).collect()
        };
        // Each event makes its own way: every order that was changed last must have arrived.
        for (order, _) in &placed {
            read_after(
                &client,
                &format!("/api/customers/{customer}/orders?limit=1"),
                order,
            )
            .await;
            read_after(&client, "/api/orders?limit=1", order).await;
        }
        for list in [
            "/api/orders".to_owned(),
            format!("/api/customers/{customer}/orders"),
        ] {
            for (query, status) in [
                ("limit=7", None),
                ("limit=1&status=paid", Some("paid")),
                ("limit=200", None),
                ("status=shipped", Some("shipped")),
            ] {
                let found = walk(&client, &list, query, "id").await;
                assert_eq!(found, newest_first(status), "{list}?{query}");
            }
        }
        // The platform's keys are not handed on.
        let page = get(
            &client,
            "/api/orders?limit=1&code=secret&subscription-key=secret",
            &[],
        )
        .await;
        assert!(!text(&page, "link").contains("secret"), "{page:?}");
        for sku in ["CUP", "MUG", "PEN"] {
            restocked(&client, sku).await;
        }
        let skus = walk(&client, "/api/products", "limit=2", "sku").await;
        assert_eq!(skus, ["CUP", "MUG", "PEN"]);
        let history = format!("/api/orders/{}/history", id(&placed[0].0));
        assert_eq!(walk(&client, &history, "limit=1", "version").await, ["1", "2"]);
    })
    .await;
}

/// Follows `Link` from page to page, and returns the items' keys.
async fn walk(client: &Client, list: &str, query: &str, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut query = format!("?{query}");
    loop {
        let page = get(client, &format!("{list}{query}"), &[]).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        for item in page.body["items"].as_array().unwrap() {
            found.push(
                item[key]
                    .as_str()
                    .map_or_else(|| item[key].to_string(), str::to_owned),
            );
        }
        let Some(link) = page.headers.get("link") else {
            assert!(page.body.get("next").is_none());
            return found;
        };
        let link = link.to_str().unwrap();
        let next = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""));
        query = next.unwrap().to_owned();
        assert!(query.contains(page.body["next"].as_str().unwrap()), "{link}");
    }
}

#[tokio::test]
async fn what_a_list_cannot_be_asked_is_refused_by_name() {
    both(&[], async |System { client, .. }| {
        let customer = Uuid::nil();
        for (path, word) in [
            ("/api/orders?limit=0", "limit"),
            ("/api/orders?limit=201", "limit"),
            ("/api/orders?limit=x", "limit"),
            ("/api/orders?limit=1&limit=2", "limit"),
            ("/api/orders?status=lost", "status"),
            ("/api/orders?cursor=rubbish", "cursor"),
            ("/api/orders?stauts=paid", "stauts"),
            ("/api/products?status=paid", "status"),
            ("/api/products?cursor=bm8gc2t1", "cursor"),
            (&format!("/api/customers/{customer}/orders?limit=-1"), "limit"),
            (&format!("/api/orders/{customer}/history?cursor=eA"), "cursor"),
            ("/api/sales", "from"),
            ("/api/sales?from=2026-11-01", "to"),
            ("/api/sales?from=2026-11-1&to=2026-11-02", "from"),
            ("/api/sales?from=2026-11-02&to=2026-11-01", "from"),
            ("/api/sales?from=2025-11-01&to=2026-11-02", "366"),
            ("/api/sales?from=2026-02-30&to=2026-03-02", "from"),
        ] {
            let refused = get(&client, path, &[]).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {refused:?}");
            assert_eq!(refused.body["type"], "urn:problem:orders:invalid-query", "{path}");
            assert!(
                refused.body["detail"].as_str().unwrap().contains(word),
                "{path}: {refused:?}"
            );
        }
        let empty = get(&client, &format!("/api/customers/{customer}/orders"), &[]).await;
        assert_eq!(empty.body, json!({ "items": [] }));
    })
    .await;
}

#[tokio::test]
async fn a_sum_of_sales_beyond_two_to_the_53_is_answered_and_named() {
    const MOST: i64 = (1 << 53) - 1;
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[]).await;
        let price = json!({ "amount": MOST, "currency": "EUR" });
        client.post("/api/products", json!({ "sku": "RICH", "name": "Rich", "price": price })).await;
        client.post("/api/products/RICH/stock", json!({ "quantity": 2 })).await;
        let day = time::OffsetDateTime::now_utc().date();
        let path = format!("/api/sales?from={}&to={}", day.previous_day().unwrap(), day.next_day().unwrap());
        let order = client.place(&customer, &[("RICH", 1)]).await;
        let once = read_after(&client, &path, &client.pay(&order).await).await;
        assert_eq!((&once.body["totals"][0]["paid"], &once.body["totals"][0]["capped"]), (&json!(MOST), &json!(null)));
        let order = client.place(&customer, &[("RICH", 1)]).await;
        let twice = read_after(&client, &path, &client.pay(&order).await).await;
        assert_eq!(twice.status, StatusCode::OK, "{twice:?}");
        let sums = json!([{
            "currency": "EUR", "paidOrders": 2, "paid": MOST, "cancelledOrders": 0, "cancelled": 0, "net": MOST,
            "capped": ["paid", "net"]
        }]);
        assert_eq!(twice.body["totals"], sums);
    })
    .await;
}

#[tokio::test]
async fn sales_count_each_payment_and_each_cancellation_once() {
    both(&[], async |System { client, .. }| {
        let customer = client.seed(&[("MUG", 500)]).await;
        let day = time::OffsetDateTime::now_utc().date();
        let (from, to) = (day.previous_day().unwrap(), day.next_day().unwrap());
        let path = format!("/api/sales?from={from}&to={to}");
        let mut last = None;
        for n in 0..6 {
            let order = client.place(&customer, &[("MUG", n + 1)]).await;
            if n == 5 {
                // Never paid: neither it nor its cancellation is a sale.
                client.cancel(&order).await;
                continue;
            }
            let paid = client.pay(&order).await;
            let newest = if n == 0 {
                client.cancel(&order).await
            } else {
                paid.clone()
            };
            // Every one of them counts on its own, so each is waited for.
            read_after(&client, &path, &paid).await;
            last = Some(read_after(&client, &path, &newest).await);
        }
        let sums = json!([{
            "currency": "EUR", "paidOrders": 5, "paid": 7500, "cancelledOrders": 1, "cancelled": 500, "net": 7000
        }]);
        let sales = last.unwrap().body;
        assert_eq!((&sales["from"], &sales["to"]), (&json!(from.to_string()), &json!(to.to_string())));
        assert_eq!(sales["totals"], sums);
        let far = get(&client, "/api/sales?from=2001-01-01&to=2001-12-31", &[]).await;
        assert_eq!((&far.body["totals"], &far.body["days"]), (&json!([]), &json!([])));
    })
    .await;
}
