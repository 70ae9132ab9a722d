//! The bus as a third party uses it: puts any bytes on the topic, and reads dead letters.
//! Never goes over the wires that are broken on purpose.

use devstack::stack::Stack;
use fe2o3_amqp::{
    Connection, Receiver, Sendable, Sender, Session,
    connection::ConnectionHandle,
    link::{CreditMode, RecvError},
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        definitions::{Error, ErrorCondition, Fields},
        messaging::{ApplicationProperties, Batch, Body, Data, Message, MessageId, Outcome, Properties},
        primitives::{Binary, OrderedMap, SimpleValue, Symbol, Value},
    },
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::DEADLINE;

const TOPIC: &str = "order-events";
const DEAD_LETTERS: &str = "order-events/Subscriptions/read-model/$DeadLetterQueue";

/// A subscription of every test's topic that nobody else reads.
pub(crate) const LISTENER: &str = "listener";

/// More messages than any test sends.
const MANY: usize = 100_000;

/// A message as a subscriber gets it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) marks: OrderedMap<String, SimpleValue>,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    /// Whether it is the event itself, and no copy for one subscription.
    pub(crate) fn is_for_all(&self) -> bool {
        self.marks.get("replay") == Some(&SimpleValue::String("none".to_owned()))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A connection of its own.
pub(crate) struct Topic {
    session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Topic {
    pub(crate) async fn open(stack: &Stack) -> Self {
        Self::connect(&stack.servicebus_connection_string()).await
    }

    /// Opens the namespace of this connection string.
    pub(crate) async fn connect(text: &str) -> Self {
        let field = |name: &str| {
            let mut fields = text.split(';').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name).unwrap().1.to_owned()
        };
        let profile = SaslProfile::Plain {
            username: field("SharedAccessKeyName"),
            password: field("SharedAccessKey"),
        };
        let url = field("Endpoint").replace("sb://", "amqp://");
        let opening = async {
            let builder = Connection::builder()
                .container_id("third-party")
                .sasl_profile(profile);
            let mut connection = builder.open(url.as_str()).await.unwrap();
            let session = Session::begin(&mut connection).await.unwrap();
            Self {
                session,
                _connection: connection,
            }
        };
        timeout(DEADLINE, opening).await.unwrap()
    }

    /// Sends one message with this id and body, marked as one that is no replay: the projector hears no others.
    pub(crate) async fn send(&mut self, id: &str, body: &str) {
        self.send_all([(id.to_owned(), body.as_bytes().to_vec())]).await;
    }

    /// Sends messages, each with its id and body, in this order.
    pub(crate) async fn send_all(&mut self, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
        self.send_marked("none", messages).await;
    }

    async fn send_marked(&mut self, replay: &str, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let name = format!("send-{}", Uuid::now_v7());
        let attached = timeout(DEADLINE, Sender::attach(&mut self.session, name, TOPIC)).await;
        let mut sender = attached.unwrap().unwrap();
        // A deadline for each: there may be ten thousand.
        for (id, body) in messages {
            let message = Message::builder()
                .properties(Properties::builder().message_id(id).build())
                .application_properties(ApplicationProperties::builder().insert("replay", replay).build())
                .body(Data(Binary::from(body)))
                .build();
            let outcome = timeout(DEADLINE, sender.send(message)).await.unwrap().unwrap();
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        }
        timeout(DEADLINE, sender.close()).await.unwrap().unwrap();
    }

    /// Waits for so many messages and returns their bodies in the order of the topic.
    pub(crate) async fn listen(&mut self, count: usize) -> Vec<serde_json::Value> {
        let heard = self.hear(LISTENER, count).await;
        heard.iter().map(Heard::json).collect()
    }

    /// Takes so many messages from a subscription, in their order.
    pub(crate) async fn hear(&mut self, subscription: &str, count: usize) -> Vec<Heard> {
        self.hear_until(subscription, count, |heard| heard.len() == count)
            .await
    }

    /// Takes messages from a subscription up to the one with this id, which is the last there is.
    pub(crate) async fn hear_up_to(&mut self, subscription: &str, id: &str) -> Vec<Heard> {
        let last = |heard: &[Heard]| heard.last().is_some_and(|heard| heard.id == id);
        self.hear_until(subscription, MANY, last).await
    }

    /// Takes all that has come to the listener so far, in the order of the topic.
    pub(crate) async fn hear_all(&mut self) -> Vec<Heard> {
        let last = Uuid::now_v7().to_string();
        // A mark that no other subscription selects, so that nobody else has to make something of it.
        self.send_marked(LISTENER, [(last.clone(), b"{}".to_vec())]).await;
        let mut heard = self.hear_up_to(LISTENER, &last).await;
        heard.pop();
        heard
    }

    async fn hear_until(
        &mut self,
        subscription: &str,
        most: usize,
        mut enough: impl FnMut(&[Heard]) -> bool,
    ) -> Vec<Heard> {
        let receiving = async {
            let mut receiver = self.receiver(subscription, most).await;
            let mut heard = Vec::new();
            while !enough(&heard) {
                let delivery = receiver.recv::<Data>().await.unwrap();
                receiver.accept(&delivery).await.unwrap();
                let properties = delivery.message().properties.as_ref().unwrap();
                let Some(MessageId::String(id)) = &properties.message_id else {
                    panic!("{properties:?}")
                };
                heard.push(Heard {
                    id: id.clone(),
                    marks: delivery.message().application_properties.clone().unwrap().0,
                    body: delivery.body().0.to_vec(),
                });
            }
            receiver.close().await.unwrap();
            heard
        };
        timeout(DEADLINE, receiving).await.unwrap()
    }

    /// Sends messages that are encoded already, whatever is in them.
    pub(crate) async fn send_encoded(&mut self, messages: impl IntoIterator<Item = Vec<u8>>) {
        let sending = async {
            let name = format!("send-{}", Uuid::now_v7());
            let mut sender = Sender::attach(&mut self.session, name, TOPIC).await.unwrap();
            for message in messages {
                // A batch of one: what is in a section of a batch is passed on as it is.
                let body: Body<Value> = Body::Data(Batch::new(vec![Data(Binary::from(message))]));
                let batch = Sendable::builder()
                    .message(Message::builder().body(body).build())
                    .message_format(0x8001_3700)
                    .build();
                let outcome = sender.send(batch).await.unwrap();
                assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            }
            sender.close().await.unwrap();
        };
        timeout(DEADLINE, sending).await.unwrap();
    }

    /// Takes so many messages from a subscription and dead-letters them for this reason.
    pub(crate) async fn bury(&mut self, subscription: &str, count: usize, reason: &str) {
        let burying = async {
            let mut receiver = self.receiver(subscription, count).await;
            let field = |name: &str, value: &str| (Symbol::from(name), Value::String(value.to_owned()));
            let info = [
                field("DeadLetterReason", reason),
                field("DeadLetterErrorDescription", "by hand"),
            ];
            for _ in 0..count {
                let delivery = match receiver.recv::<Body<Value>>().await {
                    Ok(delivery) => delivery.into_parts().0,
                    // Nobody has to be able to read it.
                    Err(RecvError::MessageDecode(unread)) => unread.info,
                    Err(error) => panic!("{error}"),
                };
                let condition = ErrorCondition::Custom("com.microsoft:dead-letter".into());
                let error = Error::new(condition, None, Fields::from_iter(info.clone()));
                receiver.reject(delivery, error).await.unwrap();
            }
            receiver.close().await.unwrap();
        };
        timeout(DEADLINE, burying).await.unwrap();
    }

    /// Locks the next message of a subscription, and leaves it so: its lock token.
    pub(crate) async fn lock(&mut self, subscription: &str) -> Uuid {
        let locking = async {
            let mut receiver = self.receiver(subscription, 1).await;
            let delivery = receiver.recv::<Body<Value>>().await.unwrap();
            let tag: &[u8] = delivery.delivery_tag();
            // It travels in the byte order of a .NET Guid.
            let token = Uuid::from_bytes_le(tag.try_into().unwrap());
            // Kept attached: a link that ends gives back what it has not settled.
            std::mem::forget(receiver);
            token
        };
        timeout(DEADLINE, locking).await.unwrap()
    }

    /// Receives so many messages and no more: what is prefetched stays locked.
    async fn receiver(&mut self, subscription: &str, most: usize) -> Receiver {
        let attaching = Receiver::builder()
            .name(format!("{subscription}-{}", Uuid::now_v7()))
            .source(format!("{TOPIC}/Subscriptions/{subscription}"))
            .credit_mode(CreditMode::Manual)
            .attach(&mut self.session);
        let mut receiver = attaching.await.unwrap();
        receiver.set_credit(u32::try_from(most).unwrap()).await.unwrap();
        receiver
    }

    /// Waits for the oldest dead letter: its body and the reason.
    pub(crate) async fn dead_letter(&mut self) -> (String, String) {
        let receiving = async {
            let mut receiver = Receiver::attach(&mut self.session, "dead-letters", DEAD_LETTERS)
                .await
                .unwrap();
            let delivery = receiver.recv::<Body<Value>>().await.unwrap();
            receiver.accept(&delivery).await.unwrap();
            let Body::Data(sections) = delivery.body() else {
                panic!("{:?}", delivery.body())
            };
            let bytes = sections.iter().flat_map(|data| data.0.to_vec()).collect();
            let marks = delivery.message().application_properties.as_ref().unwrap();
            let reason = format!("{:?}", marks.0.get("DeadLetterReason"));
            receiver.close().await.unwrap();
            (String::from_utf8(bytes).unwrap(), reason)
        };
        timeout(DEADLINE, receiving).await.unwrap()
    }
}
