//! Requests to an entity, through its `$management` node: it shows messages, renews and ends locks, and lists rules.
//! Never locks or counts anything by looking.
//!
//! Microsoft: "AMQP 1.0 in Azure Service Bus: request-response-based operations".

use fe2o3_amqp::{
    session::SessionHandle,
    types::{
        messaging::{AmqpValue, ApplicationProperties, Body, Message},
        primitives::{Array, OrderedMap, SimpleValue, Value},
    },
};
use fe2o3_amqp_management::{
    MgmtClient, Request, Response,
    error::{Error as ManagementError, StatusError},
};
use uuid::Uuid;

use super::{
    connection::{NamespaceConnection, PATIENCE, within},
    error::{BusError, of_attach, of_call},
    received::ReceivedMessage,
    rule::SubscriptionRule,
};

/// Rules per answer.
const RULES: i32 = 100;

/// The node of one entity; it ends when dropped.
pub(super) struct ManagementClient {
    client: MgmtClient,
    _session: SessionHandle<()>,
}

impl ManagementClient {
    /// Attaches to the node of an entity that a token was put for.
    pub(super) async fn attach(connection: &mut NamespaceConnection, entity: &str) -> Result<Self, BusError> {
        let mut session = connection.session().await?;
        let attaching = async {
            MgmtClient::builder()
                .management_node_address(format!("{entity}/$management"))
                .client_node_addr(format!("handler-{}", Uuid::now_v7()))
                .attach(&mut session)
                .await
                .map_err(of_attach)
        };
        let client = within(attaching).await?;
        Ok(Self {
            client,
            _session: session,
        })
    }

    /// Up to so many messages from this sequence number on, locked ones too; none when there are no more.
    ///
    /// # Errors
    /// [`BusError::TooLarge`]: fewer may fit, over a node that is attached anew.
    pub(super) async fn peek(&mut self, from: i64, count: i32) -> Result<Vec<ReceivedMessage>, BusError> {
        let asked = [
            ("from-sequence-number", Value::Long(from)),
            ("message-count", Value::Int(count)),
        ];
        let answer = self.call("com.microsoft:peek-message", asked).await?;
        let messages = items(&answer, "messages").filter_map(|entry| match field(entry, "message") {
            Some(Value::Binary(bytes)) => Some(ReceivedMessage::decode(bytes)),
            _ => None,
        });
        Ok(messages.collect())
    }

    /// Gives locks their whole time again.
    ///
    /// # Errors
    /// [`BusError::LockLost`] when one of them has run out.
    pub(super) async fn renew(&mut self, locks: &[Uuid]) -> Result<(), BusError> {
        let asked = [("lock-tokens", tokens(locks))];
        self.call("com.microsoft:renew-lock", asked).await.map(|_| ())
    }

    /// Takes locked messages out of the queue, and answers when they are out.
    ///
    /// # Errors
    /// [`BusError::LockLost`] when one of them was not ours any more; the others may be out all the same.
    pub(super) async fn complete(&mut self, locks: &[Uuid]) -> Result<(), BusError> {
        let asked = [
            ("disposition-status", Value::String("completed".to_owned())),
            ("lock-tokens", tokens(locks)),
        ];
        self.call("com.microsoft:update-disposition", asked)
            .await
            .map(|_| ())
    }

    /// Moves locked messages to the dead letters, and answers when they are there; another process may have received them.
    ///
    /// # Errors
    /// [`BusError::LockLost`] when one of the locks has run out; the others may be there all the same.
    pub(super) async fn dead_letter(
        &mut self,
        locks: &[Uuid],
        reason: &str,
        description: &str,
    ) -> Result<(), BusError> {
        let asked = [
            ("disposition-status", Value::String("suspended".to_owned())),
            ("lock-tokens", tokens(locks)),
            ("deadletter-reason", Value::String(reason.to_owned())),
            ("deadletter-description", Value::String(description.to_owned())),
        ];
        self.call("com.microsoft:update-disposition", asked)
            .await
            .map(|_| ())
    }

    /// The rules of a subscription.
    pub(super) async fn rules(&mut self) -> Result<Vec<SubscriptionRule>, BusError> {
        let mut rules = Vec::new();
        for skip in (0..).step_by(RULES as usize) {
            let asked = [("top", Value::Int(RULES)), ("skip", Value::Int(skip))];
            let answer = self.call("com.microsoft:enumerate-rules", asked).await?;
            let page = items(&answer, "rules").filter_map(|entry| field(entry, "rule-description"));
            let before = rules.len();
            rules.extend(page.map(SubscriptionRule::read));
            if rules.len() - before < RULES as usize {
                break;
            }
        }
        Ok(rules)
    }

    async fn call<const N: usize>(
        &mut self,
        operation: &'static str,
        asked: [(&str, Value); N],
    ) -> Result<Value, BusError> {
        let asked = asked
            .into_iter()
            .map(|(name, value)| (Value::String(name.to_owned()), value));
        let call = ManagementRequest {
            operation,
            body: Value::Map(asked.collect::<OrderedMap<Value, Value>>()),
        };
        within(async { self.client.call(call).await.map_err(of_call) })
            .await
            .map(|answer: ManagementResponse| answer.0)
    }
}

fn tokens(locks: &[Uuid]) -> Value {
    Value::Array(Array(
        locks
            .iter()
            .map(|lock| Value::Uuid(lock.into_bytes().into()))
            .collect(),
    ))
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    match map {
        Value::Map(pairs) => pairs.get(&Value::String(name.to_owned())),
        _ => None,
    }
}

/// The elements of a list, or of an array where the bus sends one; none where there is neither.
fn items<'a>(map: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let found = match field(map, name) {
        Some(Value::List(items)) => items.as_slice(),
        Some(Value::Array(items)) => items.0.as_slice(),
        _ => &[],
    };
    found.iter()
}

struct ManagementRequest {
    operation: &'static str,
    body: Value,
}

impl Request for ManagementRequest {
    const OPERATION: &'static str = "";
    type Response = ManagementResponse;
    type Body = AmqpValue<Value>;

    fn encode_application_properties(&mut self) -> Option<ApplicationProperties> {
        let timeout_ms = PATIENCE.as_millis() as u32;
        let properties = ApplicationProperties::builder()
            .insert("operation", SimpleValue::String(self.operation.to_owned()))
            .insert("com.microsoft:server-timeout", SimpleValue::Uint(timeout_ms));
        Some(properties.build())
    }

    fn encode_body(self) -> Self::Body {
        AmqpValue(self.body)
    }
}

/// The body of an answer; null when there is nothing to say.
struct ManagementResponse(Value);

impl Response for ManagementResponse {
    const STATUS_CODE: u16 = 200;
    type Body = Body<Value>;
    type Error = ManagementError;

    fn decode_message(message: Message<Self::Body>) -> Result<Self, Self::Error> {
        Ok(Self(message.body.try_into_value().unwrap_or(Value::Null)))
    }

    fn from_message(mut message: Message<Self::Body>) -> Result<Self, Self::Error> {
        match Self::verify_status_code(&mut message) {
            // No content: no more messages, no more rules.
            Err(ManagementError::Status(StatusError { code, .. })) if code.0.get() == 204 => {
                Ok(Self(Value::Null))
            }
            Err(error) => Err(error),
            Ok(_) => Self::decode_message(message),
        }
    }
}
