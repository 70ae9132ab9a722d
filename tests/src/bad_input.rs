//! What the handler says to requests that are wrong, and that they leave no trace.
//! Never a 500: whatever a caller sends is answered as the caller's mistake.

use devstack::host::HttpMode;
use hyper::StatusCode;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    support::{App, next_answer},
    system::{System, known_mode},
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn bad_requests_are_answered_with_a_problem_and_write_nothing() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 3)]).await;
    let before = app
        .database()
        .number("select count(*) from write_model.events")
        .await;
    for (body, status, kind, pointer) in bad_orders(&customer) {
        let answer = app.send("POST", "/api/orders", body.clone(), &JSON).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{body}"
        );
        assert_eq!(
            answer.body["type"],
            format!("urn:problem:orders:{kind}"),
            "{body}: {answer:?}"
        );
        assert!(answer.body["traceId"].is_string());
        if let Some(pointer) = pointer {
            assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}: {answer:?}");
        }
    }
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.events")
            .await,
        before
    );
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        3
    );
}

/// Each wrong placement, with the status, the problem and the place it is answered with.
fn bad_orders(customer: &str) -> Vec<(String, u16, &'static str, Option<&'static str>)> {
    let line = r#"{"sku":"MUG","quantity":1}"#;
    let order = |lines: &str| format!(r#"{{"customerId":"{customer}","lines":[{lines}]}}"#);
    let stranger = "0192aaaa-0000-7000-8000-000000000000";
    vec![
        (String::from("{"), 400, "malformed-json", None),
        (order(line) + "x", 400, "malformed-json", None),
        (
            order(r#"{"sku":"MUG","quantity":0}"#),
            422,
            "invalid-content",
            Some("#/lines/0/quantity"),
        ),
        (
            order(r#"{"sku":"MUG","quantity":1,"price":1}"#),
            422,
            "invalid-content",
            Some("#/lines/0/price"),
        ),
        (
            order(r#"{"sku":"mug","quantity":1}"#),
            422,
            "invalid-content",
            Some("#/lines/0/sku"),
        ),
        (order(""), 422, "invalid-content", Some("#/lines")),
        (
            order(&format!("{line},{line}")),
            422,
            "invalid-content",
            Some("#/lines/1/sku"),
        ),
        (
            order(r#"{"sku":"PEN","quantity":1}"#),
            422,
            "unlisted-product",
            Some("#/lines/0/sku"),
        ),
        (
            order(line).replace(customer, stranger),
            422,
            "unregistered-customer",
            Some("#/customerId"),
        ),
        (
            order(r#"{"sku":"MUG","quantity":4}"#),
            409,
            "not-enough-stock",
            Some("#/lines/0/quantity"),
        ),
    ]
}

#[tokio::test]
async fn a_shortage_says_which_sku_and_how_many_are_left() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 3), ("PEN", 9)]).await;
    let answer = app.place(&customer, &[("PEN", 9), ("MUG", 4)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let error = &answer.body["errors"][0];
    assert_eq!(
        (&error["sku"], &error["available"]),
        (&json!("MUG"), &json!(3)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn paying_twice_and_shipping_unpaid_are_conflicts() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 3)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(app.ship(&placed).await.status, StatusCode::CONFLICT);
    assert_eq!(app.pay(&placed).await.status, StatusCode::OK);
    assert_eq!(app.pay(&placed).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_big_bodies_are_413() {
    let app = App::start().await;
    let amount = json!({ "amount": { "amount": 500, "currency": "EUR" } });
    for id in ["0192aaaa-0000-7000-8000-000000000000", "rubbish", "%FF", "%00"] {
        let answer = app
            .post(&format!("/api/orders/{id}/payment"), amount.clone())
            .await;
        assert_eq!(
            answer.body["type"], "urn:problem:orders:unknown-order",
            "{answer:?}"
        );
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }
    assert_eq!(app.restock("NONE", 1).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        app.post("/api/nothing", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    let big = app
        .send("POST", "/api/orders", " ".repeat(1024 * 1024 + 1), &JSON)
        .await;
    assert_eq!(big.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_body_is_taken_as_one_media_type_and_as_it_is() {
    let app = App::start().await;
    let json = ("content-type", "application/json");
    for headers in [
        vec![("content-type", "text/plain")],
        vec![],
        vec![json, json],
        vec![("content-type", "application/json, application/json")],
        vec![("content-type", "application/json; charset=utf-8, text/plain")],
        vec![("content-type", "text/plain; a=\"application/json\"")],
        vec![json, ("content-encoding", "gzip")],
        vec![json, ("content-encoding", "br"), ("content-encoding", "")],
        vec![json, ("content-encoding", "identity")],
    ] {
        let other = app
            .send(
                "POST",
                "/api/customers",
                r#"{"name":"Ada","email":"a@b"}"#,
                &headers,
            )
            .await;
        assert_eq!(
            other.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{headers:?}: {other:?}"
        );
    }
    let quoted = [("content-type", "application/json; a=\"b, c\"")];
    let fine = app
        .send(
            "POST",
            "/api/customers",
            r#"{"name":"Ada","email":"a@b"}"#,
            &quoted,
        )
        .await;
    assert_eq!(fine.status, StatusCode::CREATED, "{fine:?}");
}

#[tokio::test]
async fn a_header_of_one_value_is_refused_in_words_when_it_came_twice() {
    let app = App::start().await;
    let registered = app.register("Ada").await;
    let token = registered.headers["consistency-token"].to_str().unwrap();
    let customer = format!("/api/customers/{}", registered.id());
    let body = r#"{"name":"Ada","email":"a@b"}"#;
    for (method, path, body, header, value, kind) in [
        (
            "POST",
            "/api/customers",
            body,
            "idempotency-key",
            "k-1",
            "invalid-idempotency-key",
        ),
        (
            "POST",
            "/api/customers",
            body,
            "idempotency-key",
            "\"k-1\"",
            "invalid-idempotency-key",
        ),
        (
            "POST",
            "/api/customers",
            body,
            "content-type",
            "application/json",
            "unsupported-media-type",
        ),
        (
            "GET",
            &customer,
            "",
            "consistency-token",
            token,
            "invalid-consistency-token",
        ),
    ] {
        // The host joins lines of one name into one.
        let joined = format!("{value}, {value}");
        for values in [&[value, value][..], &[&joined]] {
            let mut headers: Vec<(&str, &str)> = values.iter().map(|value| (header, *value)).collect();
            headers.extend(JSON.iter().filter(|(name, _)| *name != header));
            let refused = app.send(method, path, body, &headers).await;
            let (found, detail) = (&refused.body["type"], refused.body["detail"].as_str().unwrap());
            assert_eq!(*found, json!(format!("urn:problem:orders:{kind}")), "{refused:?}");
            assert!(
                detail.starts_with("send one ") || detail.contains("one Content-Type"),
                "{detail}"
            );
        }
    }
    let customers = "select count(*) from write_model.customers";
    assert_eq!(app.database().number(customers).await, 1);
}

#[tokio::test]
async fn an_unwanted_body_is_read_so_the_connection_serves_the_next_request() {
    let app = App::start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    for (method, path, status) in [
        ("POST", "/api/nothing-here", "404"),
        ("DELETE", "/api/orders", "405"),
        ("GET", "/api/health", "200"),
        ("POST", "/api/orders", "415"),
    ] {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The second half comes when a hasty server would have answered: this other request has been, by then.
        app.send("GET", "/api/health", String::new(), &[]).await;
        stream.write_all(b"{}").await.unwrap();
        let answer = next_answer(&mut stream).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_broken_body_is_400_with_and_without_the_host() {
    let app = App::start().await;
    let system = System::start().await;
    // A host that forwards has to read the body before it can make its own request, and fails it itself.
    let by_the_host = match known_mode() {
        HttpMode::Forwarding => "HTTP/1.1 500",
        _ => "HTTP/1.1 400",
    };
    for (address, status) in [
        (app.address(), "HTTP/1.1 400"),
        (system.client.address(), by_the_host),
    ] {
        for (headers, body) in [
            ("content-length: 40", r#"{"name":"Ada""#),
            ("transfer-encoding: chunked", "d\r\n{\"name\":\"Ada\"\r\n"),
            ("transfer-encoding: chunked", "d\r\n{\"name\":\"Ada\"\r\nzz\r\n"),
            ("transfer-encoding: chunked", "nonsense\r\n"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /api/customers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let answer = next_answer(&mut stream).await;
            assert!(
                answer.starts_with(status),
                "{address} {headers} {body:?}: {answer}"
            );
            if address == app.address() {
                assert!(answer.contains("urn:problem:orders:incomplete-body"), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_query_parameter_is_refused_unless_hosts_or_gateways_use_it() {
    let app = App::start().await;
    let customer = r#"{"name":"Ada","email":"a@b"}"#;
    for (method, path, status) in [
        ("POST", "/api/customers?dryRun=true", 400),
        ("POST", "/api/customers?code=k&dryRun", 400),
        ("POST", "/api/customers?Code=k", 400),
        ("PUT", "/api/products/NONE/name?force=1", 400),
        (
            "GET",
            "/api/orders/0192aaaa-0000-7000-8000-000000000000?expand=lines",
            400,
        ),
        ("GET", "/api/health?details", 400),
        ("GET", "/api/openapi.json?version=3", 400),
        ("GET", "/api/jobs?state=planned&state=running", 400),
        ("POST", "/api/jobs/rebuilds?rate=1", 400),
        ("POST", "/api/customers?code=k&subscription-key=s", 201),
        ("GET", "/api/jobs?code=k&limit=1", 200),
        ("GET", "/api/health?code=k", 200),
    ] {
        let body = if method == "GET" { "" } else { customer };
        let answer = app.send(method, path, body, &JSON).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.body["type"], "urn:problem:orders:invalid-query", "{path}");
        }
    }
}

#[tokio::test]
async fn whoever_sends_too_large_a_body_is_told_so_and_may_go_on() {
    let app = App::start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    for (bytes, status) in [(2_000_000, "413"), (0, "400")] {
        let head = format!("POST /api/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; bytes]).await.unwrap();
        let answer = next_answer(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}
