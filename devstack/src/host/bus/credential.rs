//! Tokens for the host itself, from the app's identity endpoint, as Microsoft's client gets them there.
//! It never keeps one: the endpoint does.

use serde_json::Value;
use url::form_urlencoded;

use crate::{host::settings::Settings, http::Client, identity::SERVICE_BUS_AUDIENCE};

/// A user-assigned identity.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    endpoint: String,
    secret: String,
    client_id: String,
    client: Client,
}

impl Credential {
    /// The identity with this client id, at the endpoint that the settings name.
    pub(super) fn new(settings: &Settings, client_id: &str) -> Result<Self, String> {
        let needed = |name: &str| {
            let value = settings.get(name).map(str::to_owned);
            value.ok_or_else(|| {
                format!("needs the setting {name}, which App Service gives an app with an identity")
            })
        };
        Ok(Self {
            endpoint: needed("IDENTITY_ENDPOINT")?,
            secret: needed("IDENTITY_HEADER")?,
            client_id: client_id.to_owned(),
            client: Client::new(),
        })
    }

    /// A token for the bus, and its end in Unix seconds.
    pub(super) async fn token(&self) -> Result<(String, u64), String> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("api-version", "2019-08-01")
            .append_pair("resource", SERVICE_BUS_AUDIENCE)
            .append_pair("client_id", &self.client_id)
            .finish();
        let url = format!("{}?{query}", self.endpoint);
        let headers = [("x-identity-header", self.secret.as_str())];
        let answer = self.client.get(&url, &headers).await;
        let answer = answer.map_err(|error| format!("the identity endpoint: {error:#}"))?;
        let (status, body) = (answer.status, answer.body);
        let text = |name: &str| body[name].as_str();
        match (status, text("access_token"), text("expires_on").map(str::parse)) {
            (200, Some(token), Some(Ok(expires))) => Ok((token.to_owned(), expires)),
            _ => {
                let why = body.get("message").and_then(Value::as_str).unwrap_or_default();
                Err(format!("the identity endpoint answered {status} {why}"))
            }
        }
    }
}
