//! What the broker does with what is sent to it, on a clock of the test's own.
//! Never goes over the wire.

use bytes::Bytes;
use uuid::Uuid;

use super::super::amqp::{Value, code, encode_described};
use super::super::entities::Entities;
use super::*;

const MINUTE: i64 = 60_000;

/// Two topics and a queue that look for duplicates for ten minutes.
fn broker() -> Broker {
    let properties = r#""Properties":{"RequiresDuplicateDetection":true}"#;
    let topic =
        |name| format!(r#"{{"Name":"{name}",{properties},"Subscriptions":[{{"Name":"s"}},{{"Name":"u"}}]}}"#);
    let text = format!(
        r#"{{"UserConfig":{{"Namespaces":[{{"Name":"n","Topics":[{},{}],"Queues":[{{"Name":"q",{properties}}}]}}]}}}}"#,
        topic("t"),
        topic("v"),
    );
    let entities = Entities::from_json(&text).expect("the configuration is valid");
    let mut last = 0;
    let ids = move || {
        last += 1;
        Uuid::from_u128(last)
    };
    Broker::new(&entities, Box::new(ids))
}

fn message(id: Option<Value>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(id) = id {
        encode_described(code::PROPERTIES, &Value::List(vec![id]), &mut bytes);
    }
    encode_described(code::DATA, &Value::Binary(Bytes::from_static(b"x")), &mut bytes);
    bytes
}

impl Broker {
    fn inlet(&self, path: &str) -> InletId {
        match self.resolve(path) {
            Some(
                Entity::Topic(inlet)
                | Entity::Queue {
                    inlet: Some(inlet), ..
                },
            ) => inlet,
            other => panic!("{other:?}"),
        }
    }

    fn publish(&mut self, now: i64, path: &str, id: &str) {
        let payload = message(Some(Value::string(id))).into();
        self.send(now, self.inlet(path), 0, &payload)
            .expect("it is taken");
    }

    /// The number of messages at a path.
    fn count(&self, path: &str) -> usize {
        match self.resolve(path) {
            Some(Entity::Queue { id, .. }) => self.peek(id, 0, usize::MAX, usize::MAX, 0).len(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_id_is_stored_once_in_a_window_and_again_after_it() {
    let mut broker = broker();
    for (now, stored) in [(0, 1), (1, 1), (10 * MINUTE - 1, 1), (10 * MINUTE, 2)] {
        broker.publish(now, "t", "a");
        assert_eq!(broker.count("t/subscriptions/s"), stored, "at {now}");
        assert_eq!(broker.count("t/subscriptions/u"), stored, "at {now}");
    }
}

#[test]
fn each_entity_has_its_own_window() {
    let mut broker = broker();
    for path in ["t", "v", "q", "q"] {
        broker.publish(0, path, "a");
    }
    for path in ["t/subscriptions/s", "v/subscriptions/s", "q"] {
        assert_eq!(broker.count(path), 1, "{path}");
    }
}

#[test]
fn a_duplicate_inside_one_batch_is_dropped() {
    let mut broker = broker();
    let mut batch = Vec::new();
    for id in ["a", "b", "a"] {
        let data = Value::Binary(message(Some(Value::string(id))).into());
        encode_described(code::DATA, &data, &mut batch);
    }
    let inlet = broker.inlet("t");
    let sent = broker.send(0, inlet, code::BATCH_FORMAT, &batch.into());
    assert_eq!((sent, broker.count("t/subscriptions/s")), (Ok(()), 2));
}

#[test]
fn messages_without_an_id_are_no_duplicates_of_each_other() {
    let mut broker = broker();
    let inlet = broker.inlet("q");
    for id in [None, None, Some(Value::Null)] {
        broker
            .send(0, inlet, 0, &message(id).into())
            .expect("it is taken");
    }
    assert_eq!(broker.count("q"), 3);
}

#[test]
fn an_id_that_is_no_text_is_an_id_all_the_same() {
    let mut broker = broker();
    let inlet = broker.inlet("q");
    for id in [
        Value::Uuid(Uuid::nil()),
        Value::Uuid(Uuid::nil()),
        Value::Ulong(7),
        Value::Ulong(7),
    ] {
        broker
            .send(0, inlet, 0, &message(Some(id)).into())
            .expect("it is taken");
    }
    assert_eq!(broker.count("q"), 2);
}
