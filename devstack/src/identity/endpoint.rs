//! The identity endpoint of App Service (`IDENTITY_ENDPOINT`), on loopback:
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>.
//! It never gives a token to a caller without the app's secret, or for an identity that is not in its directory.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use url::form_urlencoded;
use uuid::Uuid;

use super::directory::Directory;
use super::issuer::{IssuedToken, Issuer};
use super::managed::ManagedIdentity;
use super::passwords::PasswordWriter;
use super::switches::IdentitySwitches;
use super::{COSMOS_AUDIENCE, POSTGRES_AUDIENCE, SERVICE_BUS_AUDIENCE};
use crate::wire::Proxy;

const PATH: &str = "/msi/token";
const VERSION: &str = "2019-08-01";
const SECRET: &str = "x-identity-header";
/// Between two tries to tell a server of a token.
const PAUSE: Duration = Duration::from_millis(100);

/// A running endpoint; dropping it ends it.
#[derive(Debug)]
pub struct IdentityEndpoint {
    wire: Proxy,
    state: Arc<EndpointState>,
    _server: AbortOnDropHandle<std::io::Result<()>>,
}

#[derive(Debug)]
struct EndpointState {
    issuer: Issuer,
    secret: String,
    /// Held while a token is put, so that none is overtaken by an older one.
    passwords: Mutex<Option<PasswordWriter>>,
}

impl IdentityEndpoint {
    /// Listens on a free port of loopback and gives the tokens of this directory.
    pub async fn start(directory: Directory) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let wire = Proxy::start(listener.local_addr()?).await?;
        let state = Arc::new(EndpointState {
            issuer: Issuer::new(directory, IdentitySwitches::default()),
            secret: Uuid::new_v4().simple().to_string(),
            passwords: Mutex::default(),
        });
        let app = Router::new()
            .route(PATH, get(answer))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self {
            wire,
            state,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// Puts tokens for PostgreSQL as passwords from now on.
    pub async fn write_passwords(&self, writer: PasswordWriter) {
        *self.state.passwords.lock().await = Some(writer);
    }

    /// The settings by which an app finds the endpoint and says which identity it is.
    pub fn environment(&self, identity: &ManagedIdentity) -> BTreeMap<String, String> {
        let settings = [
            (
                "IDENTITY_ENDPOINT",
                format!("http://{}{PATH}", self.wire.address()),
            ),
            ("IDENTITY_HEADER", self.state.secret.clone()),
            ("AZURE_CLIENT_ID", identity.client_id.to_string()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The faults that can be switched on, all off at the start.
    pub fn switches(&self) -> IdentitySwitches {
        self.state.issuer.switches.clone()
    }

    /// The wire to it, which can be cut: a dead endpoint.
    pub fn wire(&self) -> &Proxy {
        &self.wire
    }

    /// Forgets the tokens that were given, so that the next request gets a new one.
    pub fn forget(&self) {
        self.state.issuer.forget();
    }
}

async fn answer(
    State(state): State<Arc<EndpointState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if headers.get(SECRET).is_none_or(|secret| secret != &*state.secret) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "The identity header is missing or wrong.",
        );
    }
    let query = query.unwrap_or_default();
    let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let given = |name: &str| asked.get(name).map(AsRef::as_ref).unwrap_or_default();
    if given("api-version") != VERSION {
        return refused(StatusCode::BAD_REQUEST, "The api-version is not supported.");
    }
    let resource = given("resource");
    let audience = resource.trim_end_matches('/');
    if ![POSTGRES_AUDIENCE, SERVICE_BUS_AUDIENCE, COSMOS_AUDIENCE].contains(&audience) {
        let text =
            format!("AADSTS500011: The resource principal named {resource} was not found in the tenant.");
        return refused(StatusCode::BAD_REQUEST, &text);
    }
    let identity = given("client_id").parse().ok();
    let Some(identity) = identity.and_then(|id| state.issuer.directory.by_client_id(id)) else {
        let text = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.";
        return refused(StatusCode::BAD_REQUEST, text);
    };
    let issued = give(&state, &identity, audience).await;
    let body = json!({
        "access_token": issued.token,
        "expires_on": issued.expires.to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": identity.client_id,
    });
    axum::Json(body).into_response()
}

async fn give(state: &Arc<EndpointState>, identity: &ManagedIdentity, audience: &str) -> IssuedToken {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut passwords = state.passwords.lock().await;
    let (issued, is_new) = state.issuer.token(identity, audience, now);
    state.issuer.switches.count(&identity.name, audience, is_new);
    if let Some(writer) = passwords.as_mut().filter(|_| audience == POSTGRES_AUDIENCE) {
        writer.note(&identity.name, &issued.token);
        let owed = writer.owes(&identity.name, &issued.token);
        if owed
            && writer
                .put(&identity.name, &issued.token, issued.expires)
                .await
                .is_err()
        {
            // Entra knows nothing of a server that is away: the token is given, and good once the server is back.
            tokio::spawn(pay(Arc::downgrade(state), identity.name.clone(), issued.clone()));
        }
    }
    issued
}

/// Puts the token as soon as the server takes it, unless the role has got a newer one.
async fn pay(state: Weak<EndpointState>, role: String, issued: IssuedToken) {
    loop {
        sleep(PAUSE).await;
        let Some(state) = state.upgrade() else { return };
        let mut passwords = state.passwords.lock().await;
        let Some(writer) = passwords.as_mut() else { return };
        if !writer.owes(&role, &issued.token)
            || writer.put(&role, &issued.token, issued.expires).await.is_ok()
        {
            return;
        }
    }
}

/// In App Service's form.
fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({
        "statusCode": status.as_u16(),
        "message": message,
        "correlationId": Uuid::new_v4(),
    });
    (status, axum::Json(body)).into_response()
}
