//! The rules of a subscription: what they let through, and how a client asks for them.
//! Never waits for a message that must not come: the one after it comes instead.

use fe2o3_amqp::types::primitives::Value;
use serde_amqp::{described::Described, descriptor::Descriptor};
use serde_json::json;

use crate::client::*;

const ENUMERATE: &str = "com.microsoft:enumerate-rules";

async fn client() -> Client {
    let rule = |name: &str, filter| json!({ "Name": name, "Properties": { "FilterType": "Correlation", "CorrelationFilter": filter } });
    let rules = [
        rule("live", json!({ "Properties": { "replay": "none" } })),
        rule("replay", json!({ "Properties": { "replay": "view" } })),
        rule("first", json!({ "MessageId": "m-1" })),
    ];
    let subscriptions = json!([{ "Name": "view", "Rules": rules }]);
    let entities = namespace(
        json!([{ "Name": "events", "Subscriptions": subscriptions }]),
        json!([{ "Name": "work" }]),
    );
    Client::over(entities.with_listener("listener")).await
}

#[tokio::test]
async fn a_subscription_gets_each_match_once_and_a_listener_gets_everything() {
    let mut client = client().await;
    let sent = [
        ("m-1", "none"),
        ("m-2", "another-subscription"),
        ("m-3", "view"),
        ("m-4", "none"),
    ];
    for (id, replay) in sent {
        client.send_to(TOPIC, marked(id, replay)).await;
    }
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    for id in ["m-1", "m-3", "m-4"] {
        assert_eq!(text(&next(&mut receiver).await), id);
    }
    let mut receiver = client.receiver("events/Subscriptions/listener").await;
    for id in ["m-1", "m-2", "m-3", "m-4"] {
        assert_eq!(text(&next(&mut receiver).await), id);
    }
}

/// A composite's code and fields.
fn composite(value: &Value) -> (u64, &[Value]) {
    match value {
        Value::Described(described) => match &**described {
            Described {
                descriptor: Descriptor::Code(code),
                value: Value::List(fields),
            } => (*code, fields),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn entry<'a>(value: &'a Value, name: &str) -> &'a Value {
    match value {
        Value::Map(map) => map.get(&Value::String(name.into())).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The name, the filter's code and the filter's fields of each rule in an answer.
fn listed(body: &Value) -> Vec<(String, u64, Vec<Value>)> {
    let Value::List(rules) = entry(body, "rules") else {
        panic!("{body:?}")
    };
    let read = |rule: &Value| {
        let (code, fields) = composite(entry(rule, "rule-description"));
        assert_eq!(code, 0x0000_0137_0000_0004);
        let [filter, action, Value::String(name)] = fields else {
            panic!("{fields:?}")
        };
        assert_eq!(composite(action), (0x0000_0137_0000_0005, &[][..]));
        let (code, fields) = composite(filter);
        (name.clone(), code, fields.to_vec())
    };
    rules.iter().map(read).collect()
}

#[tokio::test]
async fn the_rules_of_a_subscription_are_listed_in_pages() {
    let mut client = client().await;
    let page = |top, skip| map([("top", Value::Int(top)), ("skip", Value::Int(skip))]);
    let (status, body) = manage(&mut client, SUBSCRIPTION, ENUMERATE, page(2, 1)).await;
    let mut replay = vec![Value::Null; 8];
    replay.push(map([("replay", Value::String("view".into()))]));
    let mut first = vec![Value::Null; 8];
    first[1] = Value::String("m-1".into());
    first.push(map([]));
    let expected = [("replay", replay), ("first", first)];
    let expected = expected.map(|(name, fields)| (name.to_owned(), 0x0000_0013_7000_0009, fields));
    assert_eq!((status, listed(&body).as_slice()), (200, &expected[..]));
    let (status, body) = manage(&mut client, SUBSCRIPTION, ENUMERATE, page(i32::MAX, 3)).await;
    assert_eq!((status, body), (204, Value::Null));
}

#[tokio::test]
async fn a_subscription_without_rules_has_the_one_that_selects_everything() {
    let mut client = client().await;
    let all = map([("top", Value::Int(i32::MAX)), ("skip", Value::Int(0))]);
    let listener = "events/Subscriptions/listener";
    let (status, body) = manage(&mut client, listener, ENUMERATE, all.clone()).await;
    let expected = [("$Default".to_owned(), 0x0000_0013_7000_0007, Vec::new())];
    assert_eq!((status, listed(&body).as_slice()), (200, &expected[..]));
    for entity in ["work", DEAD] {
        assert_eq!(manage(&mut client, entity, ENUMERATE, all.clone()).await.0, 501);
    }
    assert_eq!(manage(&mut client, SUBSCRIPTION, ENUMERATE, map([])).await.0, 400);
}
