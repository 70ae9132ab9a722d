//! A connection string of the Service Bus emulator, and the tokens that are made from its key.
//! It never speaks TLS: a string without UseDevelopmentEmulator=true is refused.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The address of the bus, and the key to it.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) key_name: String,
    pub(crate) key: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sb://{}:{}", self.host, self.port)
    }
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let field = |name: &str| {
            let mut fields = text.split(';').filter_map(|field| field.split_once('='));
            let value = fields.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            value
                .map(|(_, value)| value.trim())
                .ok_or_else(|| format!("is a connection string without {name}"))
        };
        if !field("UseDevelopmentEmulator").is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
            return Err("must hold UseDevelopmentEmulator=true: the stand-in does not speak TLS".to_owned());
        }
        let endpoint =
            url::Url::parse(field("Endpoint")?).map_err(|error| format!("has a bad Endpoint: {error}"))?;
        let host = endpoint.host_str().ok_or("has an Endpoint without a host")?;
        Ok(Self {
            host: host.to_owned(),
            port: endpoint.port().unwrap_or(5672),
            key_name: field("SharedAccessKeyName")?.to_owned(),
            key: field("SharedAccessKey")?.to_owned(),
        })
    }

    /// The URL that a client connects to.
    pub(crate) fn url(&self) -> String {
        format!("amqp://{}:{}", self.host, self.port)
    }

    /// The name of an entity in a token and in `put-token`.
    pub(crate) fn audience(&self, entity: &str) -> String {
        format!("sb://{}:{}/{entity}", self.host, self.port)
    }

    /// A shared access signature for the audience, and when it expires in Unix milliseconds.
    pub(crate) fn token(&self, audience: &str, lifetime_s: u64) -> Result<(String, i64), String> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|error| error.to_string())?;
        let expiry = now.as_secs() + lifetime_s;
        let escape = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let resource = escape(audience);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).map_err(|error| error.to_string())?;
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = escape(&STANDARD.encode(mac.finalize().into_bytes()));
        let name = &self.key_name;
        let token = format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={name}");
        Ok((
            token,
            i64::try_from(expiry * 1_000).map_err(|error| error.to_string())?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_keeps_its_port_and_must_be_for_an_emulator() {
        let text = "Endpoint=sb://localhost:5673;SharedAccessKeyName=n;SharedAccessKey=k=;UseDevelopmentEmulator=true;";
        let address = Address::parse(text).expect("an emulator");
        assert_eq!(
            (address.host.as_str(), address.port, address.key.as_str()),
            ("localhost", 5673, "k=")
        );
        let azure = "Endpoint=sb://x.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k";
        assert!(
            Address::parse(azure)
                .expect_err("Azure")
                .contains("UseDevelopmentEmulator")
        );
    }
}
