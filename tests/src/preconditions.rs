//! Preconditions of commands and of reads (RFC 9110, section 13), with the tags and times that reads are answered with.
//! Never a command that happens although one of them does not hold.

use hyper::StatusCode;
use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

use crate::support::{Answer, App, Client, Database};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A handler whose reads show each command at once.
async fn start() -> App {
    let database = Database::create().await;
    database.keep_read_model().await;
    let mut settings = database.settings(Database::server_address());
    settings.insert("READ_MODEL".to_owned(), "postgres".to_owned());
    App::start_with(database, settings).await
}

/// A time as HTTP writes it.
fn date(time: OffsetDateTime) -> String {
    time.format(&Rfc2822).unwrap().replace("+0000", "GMT")
}

fn text(answer: &Answer, name: &str) -> String {
    answer.headers[name].to_str().unwrap().to_owned()
}

/// Renames the customer under these preconditions.
async fn rename(app: &App, customer: &str, headers: &[(&str, &str)]) -> Answer {
    let mut client = Client::clone(app);
    for (name, value) in headers {
        client = client.with(name, value);
    }
    client.rename_customer(customer, "Countess").await
}

#[tokio::test]
async fn a_command_happens_only_when_its_preconditions_hold_in_the_order_of_the_standard() {
    let app = start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let path = format!("/api/customers/{customer}");
    for version in 1.. {
        let read = app.send("GET", &path, "", &[]).await;
        let (tag, changed) = (text(&read, "etag"), text(&read, "last-modified"));
        assert_eq!(tag, format!("\"{version}\""));
        let before = date(OffsetDateTime::now_utc() - Duration::HOUR);
        let weak = format!("W/{tag}");
        let list = format!("\"x,{tag}\", \"77\"");
        let refused: &[&[(&str, &str)]] = &[
            &[("if-match", "\"a,*,b\"")],
            &[("if-match", &weak)],
            &[("if-match", "*, \"99\"")],
            &[("if-match", "\"77\""), ("if-match", "\"88\"")],
            &[("if-match", &list)],
            &[("if-none-match", "*")],
            &[("if-none-match", &tag)],
            &[("if-none-match", &weak)],
            &[("if-none-match", "\"x\""), ("if-none-match", &tag)],
            &[("if-none-match", "not a tag")],
            &[("if-unmodified-since", &before)],
            &[("if-match", &tag), ("if-none-match", "*")],
            &[("if-match", "\"77\""), ("if-unmodified-since", &changed)],
        ];
        for headers in refused {
            let answer = rename(&app, &customer, headers).await;
            assert_eq!(
                answer.status,
                StatusCode::PRECONDITION_FAILED,
                "{headers:?}: {answer:?}"
            );
            assert_eq!(answer.body["type"], "urn:problem:orders:stale-version");
        }
        let held: &[&[(&str, &str)]] = &[
            &[("if-match", &tag)],
            &[("if-match", "\"x\""), ("if-match", &tag)],
            &[("if-match", "*")],
            &[("if-none-match", "\"a,*,b\"")],
            &[("if-unmodified-since", &changed)],
            &[("if-match", &tag), ("if-unmodified-since", &before)],
            &[("if-unmodified-since", "yesterday")],
            // Only reads look at it.
            &[("if-modified-since", &changed)],
        ];
        let Some(headers) = held.get(version - 1) else {
            break;
        };
        let answer = rename(&app, &customer, headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{headers:?}: {answer:?}");
    }
}

#[tokio::test]
async fn orders_and_products_have_preconditions_and_an_absent_one_is_404() {
    let app = start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let order = format!("/api/orders/{}", placed.id());
    let read = app.send("GET", &order, "", &[]).await;
    let before = date(OffsetDateTime::now_utc() - Duration::HOUR);
    for ((name, value), status) in [
        (("if-none-match", "\"1\""), 412),
        (("if-unmodified-since", &before), 412),
        (("if-unmodified-since", &*text(&read, "last-modified")), 200),
    ] {
        let answer = app.with(name, value).pay(&placed).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
    }
    let mug = app.send("GET", "/api/products/MUG", "", &[]).await;
    let tag = text(&mug, "etag");
    for ((name, value), status) in [
        (("if-none-match", tag.as_str()), 412),
        (("if-match", "\"1-0\""), 412),
        (("if-match", &*tag), 200),
    ] {
        let answer = app.with(name, value).rename_product("MUG", "Countess").await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
    }
    let nobody = "0198c9c1-0000-7000-8000-00000000dead";
    let any = app.with("if-match", "*");
    for answer in [
        any.rename_customer(nobody, "Countess").await,
        any.rename_product("NONE", "Countess").await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }
}

#[tokio::test]
async fn a_creating_command_matches_nothing_and_may_carry_if_none_match() {
    let app = start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let price = json!({ "amount": 1, "currency": "EUR" });
    let lines = json!([{ "sku": "MUG", "quantity": 1 }]);
    for (path, body) in [
        ("/api/customers", json!({ "name": "Ada", "email": "a@b" })),
        (
            "/api/products",
            json!({ "sku": "PEN", "name": "Pen", "price": price }),
        ),
        ("/api/orders", json!({ "customerId": customer, "lines": lines })),
        (
            "/api/jobs/replays",
            json!({ "subscription": "read-model", "events": { "types": ["x"] } }),
        ),
    ] {
        for (header, status) in [
            (("if-match", "*"), 412),
            (("if-match", "\"1\""), 412),
            (
                ("if-none-match", "*"),
                if path.contains("replays") { 503 } else { 201 },
            ),
        ] {
            let answer = app.send("POST", path, body.to_string(), &[JSON, header]).await;
            assert_eq!(answer.status.as_u16(), status, "{path} {header:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_read_obeys_its_preconditions_and_a_304_has_no_length() {
    let app = start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let order = format!("/api/orders/{}", placed.id());
    let read = app.send("GET", &order, "", &[]).await;
    let (tag, changed) = (text(&read, "etag"), text(&read, "last-modified"));
    let before = date(OffsetDateTime::now_utc() - Duration::HOUR);
    for method in ["GET", "HEAD"] {
        for (headers, status) in [
            (vec![("if-match", "*")], 200),
            (vec![("if-match", "\"9\"")], 412),
            (vec![("if-match", "\"a,*,b\"")], 412),
            (vec![("if-none-match", "*")], 304),
            (vec![("if-none-match", "\"a,*,b\"")], 200),
            (vec![("if-none-match", "\"x\""), ("if-none-match", &tag)], 304),
            (vec![("if-modified-since", &changed)], 304),
            (vec![("if-modified-since", &before)], 200),
            (
                vec![("if-none-match", "\"x\""), ("if-modified-since", &changed)],
                200,
            ),
            (vec![("if-unmodified-since", &before)], 412),
            (vec![("if-match", &tag), ("if-unmodified-since", &before)], 200),
        ] {
            let answer = app.send(method, &order, "", &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {headers:?}: {answer:?}");
            if status == 304 {
                assert_eq!(text(&answer, "etag"), tag);
                assert!(answer.headers.contains_key("cache-control"), "{answer:?}");
                for absent in ["content-length", "content-type", "transfer-encoding"] {
                    assert!(!answer.headers.contains_key(absent), "{method}: {answer:?}");
                }
            }
        }
    }
    for path in ["/api/orders", "/api/products", "/api/jobs", "/api/openapi.json"] {
        let answer = app
            .send("GET", path, "", &[("if-match", "\"none of ours\"")])
            .await;
        assert_eq!(answer.status.as_u16(), 412, "{path}: {answer:?}");
    }
    let absent = app
        .send("GET", "/api/products/NONE", "", &[("if-match", "\"1\"")])
        .await;
    assert_eq!(absent.status.as_u16(), 404, "{absent:?}");
}
