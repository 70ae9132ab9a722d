//! What a queue holds on to when its messages are gone.
//! Never goes over the wire.

use bytes::Bytes;
use uuid::Uuid;

use super::super::super::amqp::{Value, code, encode_described};
use super::super::super::entities::QueueSettings;
use super::super::super::message;
use super::{Outcome, Queue, SPARE};

const SETTINGS: QueueSettings = QueueSettings {
    lock_ms: 60_000,
    max_deliveries: 10,
    ttl_ms: 3_600_000,
    dead_letter_expired: true,
};

/// A queue that held so many messages under locks at once.
fn full(count: u128) -> Queue {
    let mut queue = Queue::new(SETTINGS, false);
    let mut bytes = Vec::new();
    encode_described(code::DATA, &Value::Binary(Bytes::from_static(b"x")), &mut bytes);
    let payload = Bytes::from(bytes);
    for number in 0..count {
        let read = message::read(0, 0, &payload, &mut Uuid::nil).expect("a message");
        read.into_iter().for_each(|message| queue.enqueue(0, message));
        assert!(queue.take(0, Uuid::from_u128(number), false).0.is_some());
    }
    queue
}

fn room(queue: &Queue) -> [usize; 4] {
    let ordered = [queue.ready.len(), queue.deadlines.len(), queue.expiries.len()];
    [
        queue.locked.capacity() / (2 * SPARE),
        ordered[0],
        ordered[1],
        ordered[2],
    ]
}

#[test]
fn a_queue_whose_messages_were_all_settled_holds_no_room_for_them() {
    let mut queue = full(100_000);
    for number in 0..100_000 {
        let settled = queue.settle(0, Uuid::from_u128(number), &Outcome::Complete);
        assert!(settled.is_ok());
    }
    assert_eq!(room(&queue), [0; 4]);
}

#[test]
fn a_queue_whose_messages_all_ran_out_holds_no_room_for_them() {
    let mut queue = full(20_000);
    let (changed, fallen) = queue.expire(SETTINGS.ttl_ms);
    assert!(changed);
    assert_eq!(fallen.len(), 20_000);
    assert_eq!(room(&queue), [0; 4]);
}
