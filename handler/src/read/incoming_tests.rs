//! Which messages are read and which are not, by their bytes alone.
//! Never asks a store.

use serde_json::json;

use super::*;

fn event() -> Value {
    let id = "0198c9c1-0000-7000-8000-000000000001";
    json!({
        "specversion": "1.0", "id": id, "source": SOURCE, "type": "orders.OrderPlaced.v1", "subject": id, "aggregateversion": 1,
        "time": "2026-11-24T10:00:00Z",
        "data": { "event": {}, "stock": null, "state": {
            "id": id, "version": 1, "status": "placed", "customer": { "id": id, "name": "Ada" }, "lines": [{ "sku": "MUG", "name": "Mug",
                "quantity": 5, "unitPrice": { "amount": 1, "currency": "EUR" } }],
            "total": { "amount": 5, "currency": "EUR" }, "placedAt": "2026-11-24T10:00:00Z" } },
    })
}

#[test]
fn a_body_is_read_plain_and_once_and_twice_encoded() {
    let (plain, text) = (event(), event().to_string());
    let once = json!(STANDARD.encode(&text));
    let twice = json!(json!(STANDARD.encode(&text)).to_string());
    for body in [plain, json!(text), once, twice] {
        let said = body.to_string();
        assert!(
            matches!(decode(body).map(|read| read.state), Ok(State::Order(_))),
            "{said}"
        );
    }
}

#[test]
fn the_version_is_read_where_it_stands_now_and_where_earlier_releases_had_it() {
    let with = |now: Option<Value>, earlier: Option<Value>| {
        let mut event = event();
        let attributes = event.as_object_mut().unwrap();
        attributes.remove("aggregateversion");
        attributes.extend(now.map(|value| ("aggregateversion".to_owned(), value)));
        attributes.extend(earlier.map(|value| ("sequence".to_owned(), value)));
        decode(event).map(|read| read.version)
    };
    assert_eq!(with(Some(json!(1)), None).ok(), Some(1));
    assert_eq!(with(None, Some(json!("1"))).ok(), Some(1));
    // Beside ours it is the standard's, which counts something else.
    assert_eq!(with(Some(json!(1)), Some(json!("0000000041"))).ok(), Some(1));
    for (now, earlier) in [
        (None, None),
        (Some(json!(2)), None),
        (None, Some(json!("2"))),
        (Some(json!(2)), Some(json!("1"))),
        (Some(json!("1")), None),
    ] {
        let said = format!("{now:?} {earlier:?}");
        assert!(with(now, earlier).is_err(), "{said}");
    }
}

/// The event with each of these places of it changed.
fn with(base: &Value, changes: &[(&str, Value)]) -> Result<Incoming, Undecodable> {
    let mut event = base.clone();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    decode(event)
}

#[test]
fn what_a_message_shows_of_itself_to_be_impossible_is_undecodable() {
    let base = event();
    let state = |name: &str, value: Value| vec![(format!("/data/state/{name}"), value)];
    let version = |version: i64| {
        let said = ("/aggregateversion".to_owned(), json!(version));
        [state("version", json!(version)), vec![said]].concat()
    };
    let line = |field: &str, value: Value| vec![(format!("/data/state/lines/0/{field}"), value)];
    let delivered = json!({ "carrier": "Post", "trackingNumber": "1" });
    let paid = state("paidAt", json!("2026-11-24T10:00:00Z"));
    let stock = |sku: &str, available: i64, seq: i64| {
        let level = json!([{ "sku": sku, "available": available, "seq": seq }]);
        vec![("/data/stock".to_owned(), level)]
    };
    let possible: [Vec<(String, Value)>; 4] = [
        version(1),
        version(1_000_000),
        stock("MUG", 0, 1),
        stock("MUG", 3, 7),
    ];
    for changes in possible {
        let changes: Vec<_> = changes
            .iter()
            .map(|(at, value)| (at.as_str(), value.clone()))
            .collect();
        assert!(with(&base, &changes).is_ok(), "{changes:?}");
    }
    let impossible: [Vec<(String, Value)>; 23] = [
        vec![("/source".to_owned(), json!("/somebody/else"))],
        vec![("/source".to_owned(), json!(null))],
        vec![(
            "/subject".to_owned(),
            json!("0198c9c1-0000-7000-8000-000000000002"),
        )],
        version(0),
        version(-1),
        version(1_000_001),
        version(i64::MAX),
        // An order that was placed is no delivered one, nor paid, nor is one that was paid still only placed.
        [
            paid.clone(),
            state("shippedAt", json!("2026-11-24T10:00:00Z")),
            state("deliveredAt", json!("2026-11-24T10:00:00Z")),
            state("shipment", delivered),
            state("status", json!("delivered")),
        ]
        .concat(),
        [paid, state("status", json!("paid"))].concat(),
        vec![("/type".to_owned(), json!("orders.OrderPaid.v1"))],
        state("total", json!({ "amount": -5, "currency": "EUR" })),
        state("total", json!({ "amount": 1, "currency": "EUR" })),
        state("total", json!({ "amount": 5, "currency": "USD" })),
        state("total", json!({ "amount": i64::MAX, "currency": "EUR" })),
        state("total", json!({ "amount": 5, "currency": "euro" })),
        line("unitPrice", json!({ "amount": -1, "currency": "EUR" })),
        line("quantity", json!(-5)),
        line("quantity", json!(0)),
        state("lines", json!([])),
        stock("MUG", -1, 1),
        stock("MUG", 1, 0),
        stock("MUG", 1, i64::MAX),
        stock("PEN", 1, 1),
    ];
    for changes in impossible {
        let changes: Vec<_> = changes
            .iter()
            .map(|(at, value)| (at.as_str(), value.clone()))
            .collect();
        assert!(with(&base, &changes).is_err(), "{changes:?}");
    }
}

#[test]
fn customers_and_products_are_looked_at_as_orders_are() {
    let sku = |more: Value, stock: Value| {
        let mut state =
            json!({ "sku": "MUG", "version": 2, "name": "Mug", "price": { "amount": 5, "currency": "EUR" } });
        state
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({
            "specversion": "1.0", "id": "0198c9c1-0000-7000-8000-000000000001", "source": SOURCE,
            "type": "orders.ProductRestocked.v1", "subject": "MUG", "time": "2026-11-24T10:00:00Z",
            "aggregateversion": state["version"], "data": { "event": {}, "stock": stock, "state": state },
        })
    };
    let own = json!([{ "sku": "MUG", "available": 9, "seq": 1 }]);
    assert!(decode(sku(json!({}), own.clone())).is_ok());
    for more in [
        json!({ "version": 1_000_001 }),
        json!({ "price": { "amount": -1, "currency": "EUR" } }),
        json!({ "price": { "amount": i64::MAX, "currency": "EUR" } }),
        json!({ "sku": "PEN" }),
    ] {
        assert!(decode(sku(more.clone(), own.clone())).is_err(), "{more}");
    }
    for stock in [
        json!([{ "sku": "PEN", "available": 9, "seq": 1 }]),
        json!([own[0], own[0]]),
    ] {
        assert!(decode(sku(json!({}), stock.clone())).is_err(), "{stock}");
    }
    let id = "0198c9c1-0000-7000-8000-000000000001";
    let customer = |version: i64, stock: Value| {
        let state = json!({ "id": id, "version": version, "name": "Ada", "email": "ada@example.org" });
        decode(json!({
            "specversion": "1.0", "id": id, "source": SOURCE, "type": "orders.CustomerRenamed.v1", "subject": id,
            "time": "2026-11-24T10:00:00Z", "aggregateversion": version,
            "data": { "event": {}, "stock": stock, "state": state },
        }))
    };
    assert!(customer(2, json!(null)).is_ok());
    assert!(customer(1_000_001, json!(null)).is_err());
    assert!(customer(2, own).is_err());
}

#[test]
fn rubbish_and_unknown_major_versions_are_undecodable() {
    let mut unknown = event();
    unknown["type"] = json!("orders.OrderPlaced.v2");
    let mut contradicting = event();
    contradicting["aggregateversion"] = json!(2);
    for body in [
        json!("rubbish"),
        json!(null),
        json!({}),
        json!("bnVsbA=="),
        unknown,
        contradicting,
    ] {
        let said = body.to_string();
        assert!(decode(body).is_err(), "{said}");
    }
}

#[test]
fn no_more_of_a_message_is_quoted_than_a_hundred_characters() {
    let long = "x".repeat(300_000);
    for (pointer, wrong) in [
        ("/specversion", json!(long)),
        ("/type", json!(long)),
        ("/id", json!(long)),
        ("/data/stock", json!(long)),
        ("/data/state/status", json!(long)),
        ("/data/state/customer", json!(long)),
    ] {
        let mut body = event();
        *body.pointer_mut(pointer).unwrap() = wrong;
        let told = decode(body).unwrap_err().to_string();
        assert!(told.len() < 200, "{pointer}: {told:.300}");
    }
}
