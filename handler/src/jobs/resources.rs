//! What reaches the stores that jobs work on, as far as this process has settings for them.
//! Never connects before something is asked.

use std::sync::Arc;

use super::{
    dead_letters::DeadLetterQueue, engine::JobError, read_model::ReadModelAdmin, subscription::Subscription,
};
use crate::{
    bus::{SubscriptionName, TopicAddress},
    config::{Config, ReadModelKind},
    log::EventLog,
    postgres::PostgresTarget,
    read::store::DocumentStore,
};

/// The topic, where these settings have one.
///
/// # Errors
/// [`JobError::NotConfigured`] or [`JobError::NotApplicable`].
pub fn topic(config: &Config) -> Result<&TopicAddress, JobError> {
    configured(config.bus.as_ref(), config.forgets_outbox)
}

fn configured(topic: Option<&TopicAddress>, forgets_outbox: bool) -> Result<&TopicAddress, JobError> {
    topic.ok_or(if forgets_outbox {
        JobError::NotApplicable("OUTBOX is forget, because no process has a bus")
    } else {
        JobError::NotConfigured {
            what: "Service Bus",
            setting: "ServiceBusConnection",
        }
    })
}

/// The stores that this process reaches.
pub struct Resources<L = EventLog, S = DocumentStore> {
    log: Arc<L>,
    topic: Option<TopicAddress>,
    forgets_outbox: bool,
    target: ReadModelKind,
    read_model: Option<ReadModelAdmin<L, S>>,
}

impl Resources {
    /// Connects when first used.
    #[must_use]
    pub fn new(postgres: &PostgresTarget, config: &Config) -> Self {
        let log = Arc::new(EventLog::new(postgres.clone()));
        let account = config.cosmos.clone();
        Self {
            topic: config.bus.clone(),
            forgets_outbox: config.forgets_outbox,
            target: config.read_model,
            read_model: account.map(|account| ReadModelAdmin::new(Arc::clone(&log), account)),
            log,
        }
    }
}

impl<L, S> Resources<L, S> {
    /// Reaches a log and documents, and no bus.
    #[must_use]
    pub fn of_read_model(admin: ReadModelAdmin<L, S>) -> Self {
        Self {
            log: Arc::clone(&admin.log),
            topic: None,
            forgets_outbox: false,
            target: ReadModelKind::Cosmos,
            read_model: Some(admin),
        }
    }

    /// The event log.
    #[must_use]
    pub fn log(&self) -> &L {
        &self.log
    }

    /// True where no process of the deployment has a bus: events that wait for it are forgotten after a day.
    #[must_use]
    pub fn forgets_outbox(&self) -> bool {
        self.forgets_outbox
    }

    /// True where this process has a bus.
    #[must_use]
    pub fn has_bus(&self) -> bool {
        self.topic.is_some()
    }

    /// True where this process has documents in Cosmos DB.
    #[must_use]
    pub fn has_documents(&self) -> bool {
        self.target == ReadModelKind::Cosmos && self.read_model.is_some()
    }

    /// The topic.
    ///
    /// # Errors
    /// [`JobError::NotConfigured`] or [`JobError::NotApplicable`].
    pub fn topic(&self) -> Result<&TopicAddress, JobError> {
        configured(self.topic.as_ref(), self.forgets_outbox)
    }

    /// The read model in Cosmos DB.
    ///
    /// # Errors
    /// [`JobError::NotConfigured`] or [`JobError::NotApplicable`].
    pub fn read_model(&self) -> Result<&ReadModelAdmin<L, S>, JobError> {
        if self.target == ReadModelKind::Postgres {
            return Err(JobError::NotApplicable(
                "the read model is in PostgreSQL, where each command keeps it up to date itself",
            ));
        }
        self.read_model.as_ref().ok_or(JobError::NotConfigured {
            what: "Cosmos DB",
            setting: "COSMOS_ENDPOINT",
        })
    }

    /// A subscription of the topic.
    ///
    /// # Errors
    /// See [`Self::topic`].
    pub fn subscription(&self, name: &SubscriptionName) -> Result<Subscription, JobError> {
        Ok(Subscription::new(self.topic()?, name))
    }

    /// The dead letters of a subscription.
    ///
    /// # Errors
    /// See [`Self::topic`].
    pub fn dead_letters(&self, subscription: &SubscriptionName) -> Result<DeadLetterQueue, JobError> {
        Ok(DeadLetterQueue(self.subscription(subscription)?))
    }
}
