//! A message's time to live: what its sender asked for, and what is written on it.
//! Never reads a clock.

use super::super::amqp::{Value, code, decode, encode_described};
use super::Message;

/// The places in a properties section of the time that a message expires at, and of the time it was made at.
const EXPIRY: usize = 8;
const CREATION: usize = 9;

impl Message {
    /// The sender's time to live in milliseconds, when it set one.
    ///
    /// A header holds 49 days at most; what lives longer says so by the distance of two times in its properties.
    pub(crate) fn ttl_ms(&self) -> Option<i64> {
        let ttl = self.header.get(2).and_then(Value::small)?;
        let [creation, expiry] = [CREATION, EXPIRY].map(|field| self.time(field));
        match (creation, expiry) {
            (Some(creation), Some(expiry)) if ttl == u32::MAX => Some(expiry.saturating_sub(creation)),
            _ => Some(ttl.into()),
        }
    }

    /// Writes on the message how long it lives from `now` on.
    pub(crate) fn live(&mut self, now: i64, ttl_ms: i64) {
        let header = u32::try_from(ttl_ms).unwrap_or(u32::MAX);
        if self.header.len() < 3 {
            self.header.resize(3, Value::Null);
        }
        self.header[2] = Value::Uint(header);
        let Ok((Value::Described(pair), _)) = decode(&self.properties) else {
            return;
        };
        let mut fields = pair.1.items().unwrap_or_default().to_vec();
        fields.resize(fields.len().max(CREATION + 1), Value::Null);
        // Together they tell the time to live; alone, the time of creation is the sender's own affair.
        let paired = fields[EXPIRY] != Value::Null && fields[CREATION] != Value::Null;
        if paired || header == u32::MAX {
            fields[CREATION] = Value::Timestamp(now);
        }
        fields[EXPIRY] = Value::Timestamp(now.saturating_add(ttl_ms));
        while fields.last() == Some(&Value::Null) {
            fields.pop();
        }
        let mut bytes = Vec::new();
        encode_described(code::PROPERTIES, &Value::List(fields), &mut bytes);
        self.properties = bytes.into();
    }

    fn time(&self, field: usize) -> Option<i64> {
        let (section, _) = decode(&self.properties).ok()?;
        let Value::Described(pair) = section else {
            return None;
        };
        match pair.1.items()?.get(field)? {
            Value::Timestamp(at) => Some(*at),
            _ => None,
        }
    }
}
