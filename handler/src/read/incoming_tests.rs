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
            matches!(decode(body).map(|read| read.state), Ok(Aggregate::Order(_))),
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

type Changes = Vec<(String, Value)>;

/// True when the event is read with each of these places of it changed.
fn is_read(changes: &Changes) -> bool {
    let mut event = event();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    decode(event).is_ok()
}

fn state(name: &str, value: Value) -> Changes {
    vec![(format!("/data/state/{name}"), value)]
}

fn version(version: i64) -> Changes {
    let said = vec![("/aggregateversion".to_owned(), json!(version))];
    [state("version", json!(version)), said].concat()
}

fn stock(sku: &str, available: i64, seq: i64) -> Changes {
    let level = json!([{ "sku": sku, "available": available, "seq": seq }]);
    vec![("/data/stock".to_owned(), level)]
}

#[test]
fn versions_and_stocks_are_such_as_the_shop_can_come_to() {
    for possible in [
        version(1),
        version(1_000_000),
        stock("MUG", 0, 1),
        stock("MUG", 3, 7),
    ] {
        assert!(is_read(&possible), "{possible:?}");
    }
    for impossible in [
        version(0),
        version(-1),
        version(1_000_001),
        version(i64::MAX),
        stock("MUG", -1, 1),
        stock("MUG", 1, 0),
        stock("MUG", 1, i64::MAX),
        stock("PEN", 1, 1),
    ] {
        assert!(!is_read(&impossible), "{impossible:?}");
    }
}

#[test]
fn what_a_message_shows_of_itself_to_be_impossible_is_undecodable() {
    const AT: &str = "2026-11-24T10:00:00Z";
    let shipment = json!({ "carrier": "Post", "trackingNumber": "1" });
    let paid = [state("status", json!("paid")), state("paidAt", json!(AT))].concat();
    let delivered = [
        state("shippedAt", json!(AT)),
        state("deliveredAt", json!(AT)),
        state("shipment", shipment),
        state("status", json!("delivered")),
    ];
    for impossible in [
        vec![("/source".to_owned(), json!("/somebody/else"))],
        vec![("/source".to_owned(), json!(null))],
        vec![(
            "/subject".to_owned(),
            json!("0198c9c1-0000-7000-8000-000000000002"),
        )],
        // An order that was just placed is neither paid nor delivered, and one that was just paid is not only placed.
        [paid.clone(), delivered.concat()].concat(),
        paid,
        vec![("/type".to_owned(), json!("orders.OrderPaid.v1"))],
        state("total", json!({ "amount": -5, "currency": "EUR" })),
        state("total", json!({ "amount": 1, "currency": "EUR" })),
        state("total", json!({ "amount": 5, "currency": "USD" })),
        state("total", json!({ "amount": i64::MAX, "currency": "EUR" })),
        state("total", json!({ "amount": 5, "currency": "euro" })),
        state("lines/0/unitPrice", json!({ "amount": -1, "currency": "EUR" })),
        state("lines/0/quantity", json!(-5)),
        state("lines/0/quantity", json!(0)),
        state("lines", json!([])),
    ] {
        assert!(!is_read(&impossible), "{impossible:?}");
    }
}

#[test]
fn an_array_is_no_object_anywhere_in_a_message() {
    const AT: &str = "2026-11-24T10:00:00Z";
    let shipped = |shipment: Value| {
        [
            vec![("/type".to_owned(), json!("orders.OrderShipped.v1"))],
            state("status", json!("shipped")),
            state("paidAt", json!(AT)),
            state("shippedAt", json!(AT)),
            state("shipment", shipment),
        ]
        .concat()
    };
    let order = &event()["data"]["state"];
    let (id, line) = (&order["id"], &order["lines"][0]);
    assert!(is_read(&shipped(
        json!({ "carrier": "Post", "trackingNumber": "1" })
    )));
    for positional in [
        shipped(json!(["Post", "1"])),
        state("customer", json!([id, "Ada"])),
        state("total", json!([5, "EUR"])),
        state("lines", json!([["MUG", "Mug", 5, line["unitPrice"]]])),
        state("lines/0/unitPrice", json!([1, "EUR"])),
        vec![("/data".to_owned(), json!([{}, order, null]))],
        vec![("/data/stock".to_owned(), json!([["MUG", 0, 1]]))],
    ] {
        assert!(!is_read(&positional), "{positional:?}");
    }
    let customer = |state: Value| {
        decode(json!({
            "specversion": "1.0", "id": id, "source": SOURCE, "type": "orders.CustomerRegistered.v1", "subject": id, "time": AT,
            "aggregateversion": 1, "data": { "event": {}, "stock": null, "state": state },
        }))
    };
    let whole = json!({ "id": id, "version": 1, "name": "Ada", "email": "ada@example.org" });
    assert!(customer(whole).is_ok());
    assert!(customer(json!([id, 1, "Ada", "ada@example.org"])).is_err());
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
