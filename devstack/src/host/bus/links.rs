//! One connection to the bus with the three links of a listener, each on a session of its own.
//! It never shares a session: a refused attach may stop the session that it came on.

use std::{sync::Arc, time::Duration};

use fe2o3_amqp::{
    Receiver, Session,
    connection::ConnectionHandle,
    link::receiver::CreditMode,
    session::SessionHandle,
    types::{
        definitions::{ReceiverSettleMode, SenderSettleMode},
        primitives::Timestamp,
    },
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use fe2o3_amqp_management::client::MgmtClient;
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use super::{namespace::BusNamespace, renew::Renewer};
use crate::host::error_chain::chain;

const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries to get and put a fresh token while the old one is still good.
const AGAIN: Duration = Duration::from_secs(5);

/// Everything that belongs to one connection.
pub(crate) struct BusLinks {
    pub(crate) receiver: Receiver,
    pub(crate) renewer: Renewer,
    cbs: CbsClient,
    namespace: BusNamespace,
    entity: String,
    /// When fresh tokens are to be put.
    pub(crate) refresh_at: Instant,
    // Dropping a session or the connection ends it, so they are kept and dropped in this order.
    sessions: Vec<SessionHandle<()>>,
    connection: ConnectionHandle<()>,
}

impl BusLinks {
    pub(crate) async fn open(namespace: &BusNamespace, entity: &str) -> Result<Self, String> {
        let opened = tokio::time::timeout(PATIENCE, Self::try_open(namespace, entity)).await;
        opened.unwrap_or_else(|_| Err(format!("{} did not answer in {PATIENCE:?}", namespace.title())))
    }

    async fn try_open(namespace: &BusNamespace, entity: &str) -> Result<Self, String> {
        let mut connection = namespace.open().await?;
        let mut session = Session::begin(&mut connection)
            .await
            .map_err(|error| chain(&error))?;
        let mut cbs = CbsClient::attach(&mut session)
            .await
            .map_err(|error| chain(&error))?;
        let refresh_at = put_tokens(&mut cbs, namespace, entity).await?;
        let mut receiving = Session::begin(&mut connection)
            .await
            .map_err(|error| chain(&error))?;
        let receiver = Receiver::builder()
            .name(format!("{entity}-{}", Uuid::new_v4()))
            .source(entity)
            .sender_settle_mode(SenderSettleMode::Unsettled)
            .receiver_settle_mode(ReceiverSettleMode::Second)
            .credit_mode(CreditMode::Manual)
            .attach(&mut receiving)
            .await
            .map_err(|error| chain(&error))?;
        let mut managing = Session::begin(&mut connection)
            .await
            .map_err(|error| chain(&error))?;
        let management = MgmtClient::builder()
            .management_node_address(format!("{entity}/$management"))
            .client_node_addr(format!("renewer-{}", Uuid::new_v4()))
            .attach(&mut managing)
            .await
            .map_err(|error| chain(&error))?;
        Ok(Self {
            receiver,
            renewer: Renewer::new(Arc::new(Mutex::new(management))),
            cbs,
            namespace: namespace.clone(),
            entity: entity.to_owned(),
            refresh_at,
            sessions: vec![session, receiving, managing],
            connection,
        })
    }

    /// Puts fresh tokens before the old ones expire. Where that fails it is tried again soon; the bus takes the link away
    /// when the old ones are over.
    pub(crate) async fn refresh(&mut self) -> Result<(), String> {
        self.refresh_at = Instant::now() + AGAIN;
        let put = put_tokens(&mut self.cbs, &self.namespace, &self.entity);
        let put = tokio::time::timeout(PATIENCE, put).await;
        self.refresh_at = put.unwrap_or_else(|_| Err("put-token was not answered".to_owned()))?;
        Ok(())
    }

    /// Says goodbye, so that the bus gives back at once what was not settled.
    pub(crate) async fn close(self) {
        let Self {
            receiver,
            sessions,
            mut connection,
            ..
        } = self;
        let goodbye = async {
            // The listener is ending; a connection that is gone already is as good.
            let _ = receiver.close().await;
            drop(sessions);
            let _ = connection.close().await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }
}

/// Puts them; gives the time at which the next are due.
async fn put_tokens(cbs: &mut CbsClient, namespace: &BusNamespace, entity: &str) -> Result<Instant, String> {
    let mut refresh_at = Instant::now() + Duration::from_secs(86_400);
    for entity in [entity.to_owned(), format!("{entity}/$management")] {
        let audience = namespace.audience(&entity);
        let token = namespace.token(&audience).await?;
        refresh_at = refresh_at.min(Instant::now() + token.renew_after);
        let expires = Timestamp::from_milliseconds(token.expires_ms);
        let token = CbsToken::new(token.text, token.kind, expires);
        cbs.put_token(audience, token)
            .await
            .map_err(|error| chain(&error))?;
    }
    Ok(refresh_at)
}
