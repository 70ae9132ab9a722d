//! Requests and replies on `$cbs` and `$management`, and putting a token.
//! Never leaves a request without a status.

use bytes::Bytes;

use super::super::amqp::{AmqpError, Value, code, encode_described};
use super::super::message::sections;
use super::super::token;
use super::context::ConnectionContext;
use super::grants::TokenGrant;

/// A request message, as far as it matters.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Value,
    pub(super) reply_to: Option<String>,
    pub(super) properties: Value,
    pub(super) body: Value,
}

impl Request {
    pub(super) fn read(payload: &Bytes) -> Result<Self, AmqpError> {
        let mut request = Self {
            id: Value::Null,
            reply_to: None,
            properties: Value::Null,
            body: Value::Null,
        };
        for (section, value, _) in sections(payload)? {
            match section {
                code::PROPERTIES => {
                    let fields = value.items().unwrap_or_default();
                    request.id = fields.first().cloned().unwrap_or(Value::Null);
                    request.reply_to = fields.get(4).and_then(Value::text).map(str::to_owned);
                }
                code::APPLICATION_PROPERTIES => request.properties = value,
                code::VALUE => request.body = value,
                _ => {}
            }
        }
        Ok(request)
    }

    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.text()
    }

    /// A reply with a status; `condition` names what went wrong.
    pub(super) fn reply(&self, status: i32, text: &str, condition: Option<&str>, body: &Value) -> Bytes {
        if status == 400 || status == 501 {
            let operation = self.property("operation").unwrap_or_default();
            tracing::warn!(operation = ?operation, status, why = text, "a request is refused");
        }
        let mut out = Vec::new();
        let mut properties = vec![Value::Null; 5];
        properties.push(self.id.clone());
        encode_described(code::PROPERTIES, &Value::List(properties), &mut out);
        let mut pairs = vec![
            (Value::string("statusCode"), Value::Int(status)),
            (Value::string("statusDescription"), Value::string(text)),
            (Value::string("status-code"), Value::Int(status)),
            (Value::string("status-description"), Value::string(text)),
        ];
        if let Some(condition) = condition {
            pairs.push((Value::string("errorCondition"), Value::symbol(condition)));
        }
        encode_described(code::APPLICATION_PROPERTIES, &Value::Map(pairs), &mut out);
        encode_described(code::VALUE, body, &mut out);
        out.into()
    }
}

/// Verifies a token and grants what its audience names.
pub(super) fn put_token(request: &Request, context: &mut ConnectionContext) -> Bytes {
    if request.property("operation") != Some("put-token") {
        let text = "Only put-token is supported.";
        return request.reply(501, text, Some(code::NOT_IMPLEMENTED), &Value::Null);
    }
    if context.shared.faults.refuse_tokens.take() {
        let text = "The token has expired.";
        return request.reply(401, text, Some(code::UNAUTHORIZED), &Value::Null);
    }
    let audience = request.property("name").unwrap_or_default();
    let token = request.body.text().unwrap_or_default();
    match context.grants.door.admit(token, audience, context.now) {
        Ok((until, holder)) => {
            let grant = TokenGrant { until, holder };
            context.grants.put(token::path(audience), grant);
            request.reply(202, "Accepted", None, &Value::Null)
        }
        Err(text) => {
            tracing::warn!(audience = ?audience, why = text, "a token is refused");
            request.reply(401, text, Some(code::UNAUTHORIZED), &Value::Null)
        }
    }
}
