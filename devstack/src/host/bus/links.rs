//! One connection to the bus with the three links of a listener, each on a session of its own.
//! It never shares a session: a refused attach may stop the session that it came on.

use std::{sync::Arc, time::Duration};

use fe2o3_amqp::{
    Connection, Receiver, Session,
    connection::ConnectionHandle,
    link::receiver::CreditMode,
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        definitions::{ReceiverSettleMode, SenderSettleMode},
        primitives::Timestamp,
    },
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use fe2o3_amqp_management::client::MgmtClient;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::renew::Renewer;
use crate::{bus_address::Address, host::error_chain::chain};

const PATIENCE: Duration = Duration::from_secs(10);
/// A token outlives half of this before it is put again.
const TOKEN_S: u64 = 3_600;
/// The time after which the tokens are put again.
pub(crate) const TOKEN_REFRESH: Duration = Duration::from_secs(TOKEN_S / 2);

/// Everything that belongs to one connection.
pub(crate) struct BusLinks {
    pub(crate) receiver: Receiver,
    pub(crate) renewer: Renewer,
    cbs: CbsClient,
    address: Address,
    entity: String,
    // Dropping a session or the connection ends it, so they are kept and dropped in this order.
    sessions: Vec<SessionHandle<()>>,
    connection: ConnectionHandle<()>,
}

impl BusLinks {
    pub(crate) async fn open(address: &Address, entity: &str) -> Result<Self, String> {
        let opened = tokio::time::timeout(PATIENCE, Self::try_open(address, entity)).await;
        opened.unwrap_or_else(|_| Err(format!("{address:?} did not answer in {PATIENCE:?}")))
    }

    async fn try_open(address: &Address, entity: &str) -> Result<Self, String> {
        let mut connection = Connection::builder()
            .container_id(format!("functions-host-{}", Uuid::new_v4()))
            .sasl_profile(SaslProfile::Anonymous)
            .idle_time_out(60_000_u32)
            .open(address.url().as_str())
            .await
            .map_err(|error| chain(&error))?;
        let mut session = Session::begin(&mut connection)
            .await
            .map_err(|error| chain(&error))?;
        let mut cbs = CbsClient::attach(&mut session)
            .await
            .map_err(|error| chain(&error))?;
        put_tokens(&mut cbs, address, entity).await?;
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
            address: address.clone(),
            entity: entity.to_owned(),
            sessions: vec![session, receiving, managing],
            connection,
        })
    }

    /// Puts fresh tokens before the old ones expire.
    pub(crate) async fn refresh(&mut self) -> Result<(), String> {
        let put = put_tokens(&mut self.cbs, &self.address, &self.entity);
        tokio::time::timeout(PATIENCE, put)
            .await
            .unwrap_or_else(|_| Err("put-token was not answered".to_owned()))
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

async fn put_tokens(cbs: &mut CbsClient, address: &Address, entity: &str) -> Result<(), String> {
    for entity in [entity.to_owned(), format!("{entity}/$management")] {
        let audience = address.audience(&entity);
        let (token, expires_ms) = address.token(&audience, TOKEN_S)?;
        let expires = Timestamp::from_milliseconds(expires_ms);
        let token = CbsToken::new(token, "servicebus.windows.net:sastoken", expires);
        cbs.put_token(audience, token)
            .await
            .map_err(|error| chain(&error))?;
    }
    Ok(())
}
