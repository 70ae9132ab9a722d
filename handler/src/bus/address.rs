//! Where the bus is and how to prove who we are: a connection string and the tokens made from its key.
//! Never logs the key: `Debug` shows the host only.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use url::{Url, form_urlencoded};

/// A Service Bus namespace, or an emulator of one.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    tls: bool,
    key_name: String,
    key: String,
}

/// A topic of a namespace.
#[derive(Debug, Clone)]
pub struct TopicAddress {
    /// The namespace.
    pub address: Address,
    /// The topic's name.
    pub name: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// Reads `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…`; with `UseDevelopmentEmulator=true` the bus is
    /// spoken to without TLS, as Microsoft's own clients do. Ports are 5671, and 5672 without TLS, unless the endpoint names one.
    ///
    /// # Errors
    /// What is wrong with the text, without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let field = |name: &str| {
            let mut fields = text.split(';').filter_map(|field| field.split_once('='));
            fields
                .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        let needed = |name: &str| field(name).ok_or_else(|| format!("has no {name}"));
        let endpoint =
            Url::parse(needed("Endpoint")?).map_err(|error| format!("has a bad Endpoint: {error}"))?;
        let emulator =
            field("UseDevelopmentEmulator").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let usual = if emulator { 5672 } else { 5671 };
        Ok(Self {
            host: endpoint
                .host_str()
                .ok_or("has an Endpoint without a host")?
                .to_owned(),
            port: endpoint.port().unwrap_or(usual),
            tls: !emulator,
            key_name: needed("SharedAccessKeyName")?.to_owned(),
            key: needed("SharedAccessKey")?.to_owned(),
        })
    }

    /// What an AMQP client opens.
    pub(super) fn url(&self) -> String {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// The name of an entity in a token and in `put-token`.
    pub(super) fn audience(&self, entity: &str) -> String {
        let port = if self.tls {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("sb://{}{port}/{entity}", self.host)
    }

    /// A shared access signature that ends at this Unix second.
    /// Microsoft: "Service Bus access control with Shared Access Signatures".
    ///
    /// # Errors
    /// When the key cannot be used, which no text can bring about.
    pub(super) fn token(&self, audience: &str, expiry_s: u64) -> Result<String, String> {
        let escape = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let resource = escape(audience);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).map_err(|error| error.to_string())?;
        mac.update(format!("{resource}\n{expiry_s}").as_bytes());
        let signature = escape(&STANDARD.encode(mac.finalize().into_bytes()));
        Ok(format!(
            "SharedAccessSignature sr={resource}&sig={signature}&se={expiry_s}&skn={}",
            self.key_name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_spoken_to_in_plain_on_its_own_port_and_azure_by_tls() {
        let local = "Endpoint=sb://127.0.0.1:5673;SharedAccessKeyName=n;SharedAccessKey=k=;UseDevelopmentEmulator=true;";
        let local = Address::parse(local).unwrap();
        assert_eq!(local.url(), "amqp://127.0.0.1:5673");
        assert_eq!(local.key, "k=");
        let azure = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k";
        let azure = Address::parse(azure).unwrap();
        assert_eq!(azure.url(), "amqps://x.servicebus.windows.net:5671");
        assert_eq!(azure.audience("t"), "sb://x.servicebus.windows.net/t");
    }

    #[test]
    fn what_is_missing_is_named_and_the_key_is_never_shown() {
        let text = "Endpoint=sb://h;SharedAccessKey=secret";
        assert_eq!(Address::parse(text).unwrap_err(), "has no SharedAccessKeyName");
        let whole = Address::parse(&format!("{text};SharedAccessKeyName=n")).unwrap();
        assert!(!format!("{whole:?}").contains("secret"));
    }
}
