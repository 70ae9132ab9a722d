//! What the tests of the host do with its bus beyond sending: bad messages, dead letters, and settling from outside.
//! Never looks inside the broker: what it holds is asked over AMQP.

use fe2o3_amqp::{
    Receiver, Sendable, Sender,
    types::{
        messaging::{ApplicationProperties, Body, Data, Message, Properties},
        primitives::{Array, Binary, OrderedMap, SimpleValue, Value},
    },
};
use uuid::Uuid;

use crate::{
    app::within,
    broker::{Client, TOPIC},
};

/// The format of a delivery whose data sections are messages.
const BATCH_FORMAT: u32 = 0x8001_3700;
const DEAD: &str = "events/Subscriptions/view/$DeadLetterQueue";

impl Client {
    /// Sends a message that no AMQP library can decode, though the bus takes it: its Subject is a number.
    ///
    /// It is the one message of a batch, whose messages a client encodes by itself.
    pub(crate) async fn send_unreadable(&mut self) {
        let properties = [0x00, 0x53, 0x73, 0xc0, 6, 4, 0x40, 0x40, 0x40, 0x52, 7];
        let data = [0x00, 0x53, 0x75, 0xa0, 2, b'h', b'i'];
        let encoded = [&properties[..], &data].concat();
        let batch = Message::builder().body(Data(Binary::from(encoded))).build();
        let batch = Sendable::builder()
            .message(batch)
            .message_format(BATCH_FORMAT)
            .build();
        let mut sender = within(Sender::attach(&mut self.session, "to-batch", TOPIC))
            .await
            .expect("a link");
        within(sender.send(batch))
            .await
            .expect("to be taken")
            .accepted_or("refused")
            .expect("to be accepted");
        within(sender.close()).await.expect("to close");
    }

    /// Makes a dead letter of what another receiver has, by its lock token.
    pub(crate) async fn suspend(&mut self, lock: Uuid) {
        let node = format!("{TOPIC}/Subscriptions/view/$management");
        let mut sender = within(Sender::attach(&mut self.session, "ask", node.as_str()))
            .await
            .expect("a link");
        let mut receiver = within(Receiver::attach(&mut self.session, "answer", node.as_str()))
            .await
            .expect("a link");
        let lock = Value::Uuid(lock.into_bytes().into());
        let mut body = OrderedMap::new();
        for (name, value) in [
            ("lock-tokens", Value::Array(Array(vec![lock]))),
            ("disposition-status", Value::String("suspended".into())),
        ] {
            body.insert(Value::String(name.into()), value);
        }
        let operation =
            ApplicationProperties::builder().insert("operation", "com.microsoft:update-disposition");
        let request = Message::builder()
            .properties(Properties::builder().message_id(1_u64).reply_to("answer").build())
            .application_properties(operation.build())
            .value(Value::Map(body))
            .build();
        within(sender.send(request)).await.expect("to be taken");
        let reply = within(receiver.recv::<Body<Value>>()).await.expect("a reply");
        let status = reply.message().application_properties.as_ref();
        let status = status.and_then(|properties| properties.0.get("statusCode"));
        assert_eq!(status, Some(&SimpleValue::Int(200)));
    }

    /// Waits for a dead letter and gives its text.
    pub(crate) async fn dead_letter(&mut self) -> String {
        let mut receiver = within(Receiver::attach(&mut self.session, "dead", DEAD))
            .await
            .expect("a link");
        let delivery = within(receiver.recv::<Body<Value>>())
            .await
            .expect("a dead letter");
        within(receiver.accept(&delivery)).await.expect("to settle");
        let Body::Data(data) = delivery.body() else {
            panic!("no data")
        };
        let text = data.iter().flat_map(|data| data.0.to_vec()).collect();
        within(receiver.close()).await.expect("to close");
        String::from_utf8(text).expect("text")
    }
}
