//! The address of the bus and the proof of who we are: a connection string, and the tokens made from its key.
//! Never logs the key: `Debug` shows the host only.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac, digest::InvalidLength};
use sha2::Sha256;
use url::{Url, form_urlencoded};

use crate::{
    identity::TokenSource,
    tls::{TlsClient, is_loopback},
};

/// A Service Bus namespace, or an emulator of one.
#[derive(Clone)]
pub struct NamespaceAddress {
    host: String,
    port: u16,
    /// In plain text without it.
    tls: Option<TlsClient>,
    credential: NamespaceCredential,
}

/// What proves to the namespace who we are.
#[derive(Clone)]
pub(super) enum NamespaceCredential {
    /// A key, which signs tokens of our own making.
    SharedKey(SharedKey),
    /// Tokens of Microsoft Entra ID.
    Identity(Arc<TokenSource>),
}

/// A key of the namespace, and its name.
#[derive(Clone)]
pub(super) struct SharedKey {
    name: String,
    secret: String,
}

/// A topic of a namespace.
#[derive(Debug, Clone)]
pub struct TopicAddress {
    /// The namespace.
    pub address: NamespaceAddress,
    /// The topic's name.
    pub name: String,
}

/// Keys of a connection string (Microsoft: "Get a connection string"; the older clients' `TransportType` too).
const KEYS: [&str; 6] = [
    "Endpoint",
    "SharedAccessKeyName",
    "SharedAccessKey",
    "EntityPath",
    "TransportType",
    "UseDevelopmentEmulator",
];
/// Where a namespace takes AMQP over TLS.
const TLS_PORT: u16 = 5671;
/// Hosts of namespaces in Azure and its sovereign clouds: there a connection without TLS would show the token to others.
const AZURE: [&str; 3] = [
    ".servicebus.windows.net",
    ".servicebus.chinacloudapi.cn",
    ".servicebus.usgovcloudapi.net",
];

impl TopicAddress {
    /// Reads `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…`; with `UseDevelopmentEmulator=true` the bus is
    /// spoken to without TLS, as Microsoft's own clients do. Ports are 5671, and 5672 without TLS, unless the endpoint names one.
    /// `EntityPath` must be this topic, and `TransportType` can only be `Amqp`. Whatever else there is would be ignored, and so it
    /// is refused.
    ///
    /// # Errors
    /// The fault in the text, without the text.
    pub fn parse(text: &str, topic: &str) -> Result<Self, String> {
        match read(text)? {
            (_, Some(entity)) if entity != topic => {
                Err("has an EntityPath that is not ServiceBusTopic".to_owned())
            }
            (address, _) => Ok(Self {
                address,
                name: topic.to_owned(),
            }),
        }
    }
}

/// The namespace, and the one entity that the text is for, if it is.
fn read(text: &str) -> Result<(NamespaceAddress, Option<String>), String> {
    let fields = fields(text)?;
    let needed = |name: &str| match fields.get(name).copied() {
        None | Some("") => Err(format!("has no {name}")),
        Some(value) => Ok(value),
    };
    let endpoint = Url::parse(needed("Endpoint")?).map_err(|error| format!("has a bad Endpoint: {error}"))?;
    let host = endpoint
        .host_str()
        .ok_or("has an Endpoint without a host")?
        .to_owned();
    let bare =
        ["", "/"].contains(&endpoint.path()) && endpoint.query().is_none() && endpoint.fragment().is_none();
    if endpoint.scheme() != "sb" || !bare || !endpoint.username().is_empty() || endpoint.password().is_some()
    {
        return Err("has an Endpoint that is more or less than sb://HOST or sb://HOST:PORT".to_owned());
    }
    let emulator = match fields.get("UseDevelopmentEmulator") {
        None => false,
        Some(value) => value
            .to_ascii_lowercase()
            .parse()
            .map_err(|_| "has a UseDevelopmentEmulator that is neither true nor false")?,
    };
    if emulator
        && AZURE
            .iter()
            .any(|azure| host.to_ascii_lowercase().ends_with(azure))
    {
        return Err(
            "has UseDevelopmentEmulator=true, which is without TLS, for a namespace in Azure".to_owned(),
        );
    }
    if fields
        .get("TransportType")
        .is_some_and(|value| !value.eq_ignore_ascii_case("Amqp"))
    {
        return Err("has a TransportType that is not Amqp".to_owned());
    }
    let usual = if emulator { 5672 } else { TLS_PORT };
    let key = SharedKey {
        name: needed("SharedAccessKeyName")?.to_owned(),
        secret: needed("SharedAccessKey")?.to_owned(),
    };
    let address = NamespaceAddress {
        host,
        port: endpoint.port().unwrap_or(usual),
        tls: if emulator { None } else { Some(platform_tls()?) },
        credential: NamespaceCredential::SharedKey(key),
    };
    Ok((
        address,
        fields.get("EntityPath").map(|entity| (*entity).to_owned()),
    ))
}

fn platform_tls() -> Result<TlsClient, String> {
    TlsClient::of_platform().map_err(|error| format!("needs TLS: {error}"))
}

/// The text's keys, each as [`KEYS`] writes it, with their values.
fn fields(text: &str) -> Result<BTreeMap<&'static str, &str>, String> {
    let mut fields = BTreeMap::new();
    for field in text.split(';').map(str::trim).filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=').ok_or("has a part without a `=`")?;
        let name = name.trim();
        let known = KEYS.iter().find(|key| key.eq_ignore_ascii_case(name));
        let Some(key) = known else {
            // A name has a word's length; what is longer may be a piece of the key.
            let word = name.len() <= 30 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
            let name = if word { name } else { "a part of an unknown name" };
            return Err(format!("has {name}, which is not kept here"));
        };
        if fields.insert(*key, value.trim()).is_some() {
            return Err(format!("has {key} twice"));
        }
    }
    Ok(fields)
}

impl fmt::Debug for NamespaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl NamespaceAddress {
    /// Reads the connection string of a namespace: see [`TopicAddress::parse`].
    ///
    /// # Errors
    /// The fault in the text, without the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        match read(text)? {
            (address, None) => Ok(address),
            (_, Some(_)) => Err("has an EntityPath, and is for a whole namespace".to_owned()),
        }
    }

    /// The namespace of this name, reached by TLS with an identity's tokens. Azure's have no port; one on this machine may.
    ///
    /// # Errors
    /// The fault in the name.
    pub fn of_identity(name: &str, tokens: Arc<TokenSource>) -> Result<Self, String> {
        let url = Url::parse(&format!("sb://{name}")).map_err(|error| format!("is no host name: {error}"))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let whole = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        if host.is_empty() || !whole.eq_ignore_ascii_case(name) {
            return Err("is more or less than a host name".to_owned());
        }
        if url.port().is_some() && !is_loopback(&host) {
            return Err("has a port, which namespaces in Azure have not".to_owned());
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(TLS_PORT),
            tls: Some(platform_tls()?),
            credential: NamespaceCredential::Identity(tokens),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn tls(&self) -> Option<&TlsClient> {
        self.tls.as_ref()
    }

    pub(super) fn credential(&self) -> &NamespaceCredential {
        &self.credential
    }

    /// The name of an entity in a token and in `put-token`.
    pub(super) fn audience(&self, entity: &str) -> String {
        let port = if self.tls.is_some() {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("sb://{}{port}/{entity}", self.host)
    }
}

impl SharedKey {
    /// A shared access signature that ends at this Unix second.
    /// Microsoft: "Service Bus access control with Shared Access Signatures".
    ///
    /// # Errors
    /// When the key cannot be used, which no text can bring about.
    pub(super) fn token(&self, audience: &str, expiry_s: u64) -> Result<String, InvalidLength> {
        let escape = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let resource = escape(audience);
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(format!("{resource}\n{expiry_s}").as_bytes());
        let signature = escape(&STANDARD.encode(mac.finalize().into_bytes()));
        Ok(format!(
            "SharedAccessSignature sr={resource}&sig={signature}&se={expiry_s}&skn={}",
            self.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_reached_in_plain_text_and_azure_by_tls() {
        let local = "Endpoint=sb://127.0.0.1:5673;SharedAccessKeyName=n;SharedAccessKey=k=;UseDevelopmentEmulator=true;";
        let local = NamespaceAddress::parse(local).unwrap();
        assert_eq!((local.host(), local.port()), ("127.0.0.1", 5673));
        assert!(local.tls().is_none());
        let NamespaceCredential::SharedKey(key) = local.credential() else {
            panic!("it has a key");
        };
        assert_eq!(key.secret, "k=");
        let azure = "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k";
        let azure = NamespaceAddress::parse(azure).unwrap();
        assert_eq!((azure.host(), azure.port()), ("x.servicebus.windows.net", 5671));
        assert!(azure.tls().is_some());
        assert_eq!(azure.audience("t"), "sb://x.servicebus.windows.net/t");
    }

    #[test]
    fn what_is_missing_is_named_and_the_key_is_never_shown() {
        let text = "Endpoint=sb://h;SharedAccessKey=secret";
        assert_eq!(
            NamespaceAddress::parse(text).unwrap_err(),
            "has no SharedAccessKeyName"
        );
        let whole = NamespaceAddress::parse(&format!("{text};SharedAccessKeyName=n")).unwrap();
        assert!(!format!("{whole:?}").contains("secret"));
    }

    #[test]
    fn every_part_of_the_text_is_kept_or_refused_by_its_name() {
        let with = |more: &str| {
            let text = format!("Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k=;{more}");
            TopicAddress::parse(&text, "t")
        };
        for kept in [
            "",
            ";;",
            "EntityPath=t",
            "TransportType=amqp",
            "UseDevelopmentEmulator=false",
        ] {
            assert!(with(kept).is_ok(), "{kept}");
        }
        for (refused, named) in [
            ("EntityPath=other", "EntityPath"),
            ("EntityPath=", "EntityPath"),
            ("TransportType=AmqpWebSockets", "TransportType"),
            ("OperationTimeout=00:01:00", "OperationTimeout"),
            ("SharedAccessSignature=s", "SharedAccessSignature"),
            ("Authentication=Managed Identity", "Authentication"),
            ("UseDevelopmentEmulator=yes", "UseDevelopmentEmulator"),
            ("UseTls=true", "UseTls"),
            ("SharedAccessKeyName=m", "SharedAccessKeyName"),
            ("nonsense", "`=`"),
        ] {
            let error = with(refused).unwrap_err();
            assert!(error.contains(named), "{refused}: {error}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_azure_is_never_spoken_to_in_plain() {
        for endpoint in [
            "http://h",
            "sb://u:p@h",
            "sb://h/topic",
            "sb://h?x=1",
            "h",
            "sb://",
        ] {
            let text = format!("Endpoint={endpoint};SharedAccessKeyName=n;SharedAccessKey=k");
            let error = NamespaceAddress::parse(&text).unwrap_err();
            assert!(error.contains("Endpoint"), "{endpoint}: {error}");
        }
        let text = "Endpoint=sb://X.ServiceBus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true";
        let error = NamespaceAddress::parse(text).unwrap_err();
        assert!(error.contains("UseDevelopmentEmulator"), "{error}");
    }
}
