//! The bus as a third party uses it: puts any bytes on the topic, and reads dead letters.
//! Never goes over the wires that are broken on purpose.

use devstack::stack::Stack;
use fe2o3_amqp::{
    Connection, Receiver, Sender, Session,
    connection::ConnectionHandle,
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        messaging::{ApplicationProperties, Body, Data, Message, MessageId, Outcome, Properties},
        primitives::{Binary, Value},
    },
};
use tokio::time::timeout;

use crate::support::DEADLINE;

const TOPIC: &str = "order-events";
const DEAD_LETTERS: &str = "order-events/Subscriptions/read-model/$DeadLetterQueue";

/// A subscription of every test's topic that nobody else reads.
pub(crate) const LISTENER: &str = "listener";

/// A message as a subscriber gets it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
}

/// A connection of its own.
pub(crate) struct Topic {
    session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Topic {
    pub(crate) async fn open(stack: &Stack) -> Self {
        let text = stack.servicebus_connection_string();
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
        let message = Message::builder()
            .properties(Properties::builder().message_id(id.to_owned()).build())
            .application_properties(ApplicationProperties::builder().insert("replay", "none").build())
            .body(Data(Binary::from(body.as_bytes().to_vec())))
            .build();
        let sending = async {
            let mut sender = Sender::attach(&mut self.session, format!("send-{id}"), TOPIC)
                .await
                .unwrap();
            let outcome = sender.send(message).await.unwrap();
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            sender.close().await.unwrap();
        };
        timeout(DEADLINE, sending).await.unwrap();
    }

    /// Waits for so many messages and returns their bodies in the order of the topic.
    pub(crate) async fn listen(&mut self, count: usize) -> Vec<serde_json::Value> {
        self.listen_until(|bodies| bodies.len() == count).await
    }

    /// Waits for so many different events and returns all that came until then, those that came again too.
    pub(crate) async fn hear_of(&mut self, events: usize) -> Vec<serde_json::Value> {
        let mut known = std::collections::BTreeSet::new();
        self.listen_until(|bodies| {
            known.extend(bodies.last().map(|event| event["id"].to_string()));
            known.len() == events
        })
        .await
    }

    async fn listen_until(
        &mut self,
        mut enough: impl FnMut(&[serde_json::Value]) -> bool,
    ) -> Vec<serde_json::Value> {
        let receiving = async {
            let source = format!("{TOPIC}/Subscriptions/{LISTENER}");
            let mut receiver = Receiver::attach(&mut self.session, LISTENER, source)
                .await
                .unwrap();
            let mut bodies = Vec::new();
            while !enough(&bodies) {
                let delivery = receiver.recv::<Data>().await.unwrap();
                receiver.accept(&delivery).await.unwrap();
                bodies.push(serde_json::from_slice(&delivery.body().0).unwrap());
            }
            receiver.close().await.unwrap();
            bodies
        };
        timeout(DEADLINE, receiving).await.unwrap()
    }

    /// Takes messages from a subscription up to the one with this id, which is the last there is.
    pub(crate) async fn hear_up_to(&mut self, subscription: &str, id: &str) -> Vec<Heard> {
        let receiving = async {
            let source = format!("{TOPIC}/Subscriptions/{subscription}");
            let mut receiver = Receiver::attach(&mut self.session, "up-to", source)
                .await
                .unwrap();
            let mut heard: Vec<Heard> = Vec::new();
            while heard.last().is_none_or(|last| last.id != id) {
                let delivery = receiver.recv::<Data>().await.unwrap();
                receiver.accept(&delivery).await.unwrap();
                let properties = delivery.message().properties.as_ref().unwrap();
                let Some(MessageId::String(id)) = &properties.message_id else {
                    panic!("{properties:?}")
                };
                heard.push(Heard {
                    id: id.clone(),
                    body: delivery.body().0.to_vec(),
                });
            }
            receiver.close().await.unwrap();
            heard
        };
        timeout(DEADLINE, receiving).await.unwrap()
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
