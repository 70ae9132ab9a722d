//! What operators do to the read model and the bus: replays, rebuilds, checks, dead letters dealt with. Each is a row of the
//! table `operations`, worked on piece by piece by the timer or a terminal.
//! Never part of a request: each of them may take long, may be killed at any moment, and is gone on with.

mod addressee;
mod advance;
pub mod dead_letters;
mod difference;
mod failed;
pub mod model;
pub mod operation;
pub mod rebuild;
pub mod replay;
pub mod retire;
mod runner;
pub mod status;
mod table;
pub mod verify;
pub mod why;

use std::sync::Arc;

use serde_json::Value;
use tokio_postgres::Config;
use uuid::Uuid;

use crate::{
    bus::{CloudEvent, SUBSCRIPTION_NAME_RULE, TopicAddress, is_subscription_name},
    domain::event::RecordedEvent,
    log::{EntryResult, EventLog, LogEntry},
    read::{
        CosmosAccount,
        incoming::{IncomingEvent, decode},
    },
};

pub use addressee::{Subscription, Unfit};
use dead_letters::DeadLetters;
pub use difference::difference;
pub use failed::Failed;
use failed::patiently;
use model::Model;
use operation::{Operation, Request, State, Wanted};
use table::{NotCreated, Table};

/// Told what is being done, how far it is, and how far it goes (0 when that is not known).
pub type Tell<'a> = &'a (dyn Fn(&str, i64, i64) + Sync);

/// The operations of a deployment, as far as this process can do them.
pub struct Operations {
    table: Table,
    log: Arc<EventLog>,
    /// True where what waits for the bus is forgotten after a day, because nobody has one.
    forgets_outbox: bool,
    /// `None` when this process has no bus.
    topic: Option<TopicAddress>,
    /// `None` when this process has no documents.
    model: Option<Model>,
}

impl Operations {
    /// Connects when first used; `forgets_outbox` as the setting `OUTBOX` says.
    #[must_use]
    pub fn new(
        postgres: &Config,
        forgets_outbox: bool,
        topic: Option<TopicAddress>,
        account: Option<CosmosAccount>,
    ) -> Self {
        let log = Arc::new(EventLog::new(postgres.clone()));
        Self {
            table: Table::new(postgres.clone()),
            forgets_outbox,
            topic,
            model: account.map(|account| Model::new(Arc::clone(&log), account)),
            log,
        }
    }

    /// Writes down what is asked for, when this process can do it and nothing speaks against it.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn ask(&self, request: &Request, by: &str) -> Result<Operation, Failed> {
        request.check()?;
        let state = match request {
            Request::Replay(replay) => {
                self.subscription(&replay.subscription)?
                    .admits_replays(replay.force)
                    .await?;
                State::Planning
            }
            Request::Projection(_) => {
                self.model()?;
                State::Planning
            }
            Request::Rebuild(_) => {
                rebuild::may_begin(&self.model()?.pointer().await?)?;
                State::Running
            }
            Request::Retire(_) => {
                retire::may_begin(&self.model()?.pointer().await?)?;
                State::Running
            }
            Request::Verify(_) => {
                self.model()?;
                State::Running
            }
            Request::Resubmit(resubmission) => {
                self.subscription(&resubmission.subscription)?
                    .admits_replays(resubmission.force)
                    .await?;
                State::Running
            }
            Request::Delete(deletion) => {
                self.dead_letters(&deletion.subscription)?.look(0, 1).await?;
                State::Running
            }
        };
        match self.table.create(request, state, by).await {
            Ok(created) => {
                tracing::info!(operation = %created.id, kind = request.kind(), by, "operation_asked_for");
                Ok(created)
            }
            Err(NotCreated::PostgresError(fault)) => Err(fault.into()),
            Err(busy) => Err(Failed::Busy(busy.to_string())),
        }
    }

    /// Lets one go on, stops it for now, or for good.
    ///
    /// # Errors
    /// [`Failed::Absent`]; [`Failed::Refused`] when it is in no state for that.
    pub async fn steer(&self, id: Uuid, wanted: Wanted) -> Result<Operation, Failed> {
        let before = self.get(id).await?;
        if before.state == wanted.state() {
            return Ok(before);
        }
        // What a rebuild has filled so far is nobody's any more when it is cancelled.
        let given_up = match (wanted, &before.request) {
            (Wanted::Cancelled, Request::Rebuild(_)) => Some(self.model()?),
            _ => None,
        };
        let steered = self.table.steer(id, wanted).await?;
        let Some(steered) = steered else {
            let state = self.get(id).await?.state.name();
            return Err(Failed::refused(format!("operation {id} is {state}")));
        };
        if let Some(model) = given_up {
            model.give_up().await?;
        }
        Ok(steered)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Failed::Absent`] when there is none.
    pub async fn get(&self, id: Uuid) -> Result<Operation, Failed> {
        let found = self.table.get(id).await?;
        found.ok_or_else(|| Failed::Absent(format!("there is no operation {id}")))
    }

    /// Operations, newest first, older than one of them; of all states, or of these.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list(
        &self,
        before: Option<Uuid>,
        states: Option<&[State]>,
        most: i64,
    ) -> Result<Vec<Operation>, Failed> {
        Ok(self.table.list(before, states, most).await?)
    }

    /// How many events the log has at most: positions that were given to nobody count as well.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn events_at_most(&self) -> Result<i64, Failed> {
        Ok(self.log.last().await?)
    }

    /// The rebuild or removal that is not over yet.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn open_rebuild(&self) -> Result<Option<Operation>, Failed> {
        Ok(self.table.open_of(&["rebuild", "retire"]).await?)
    }

    /// What this process can do.
    fn kinds(&self) -> Vec<&'static str> {
        let of_bus: &[&str] = if self.topic.is_some() {
            &["replay", "resubmit", "delete"]
        } else {
            &[]
        };
        let of_documents: &[&str] = if self.model.is_some() {
            &["projection", "rebuild", "retire", "verify"]
        } else {
            &[]
        };
        [of_bus, of_documents].concat()
    }

    /// The read model in Cosmos DB.
    ///
    /// # Errors
    /// [`Failed::NotConfigured`].
    pub fn model(&self) -> Result<&Model, Failed> {
        self.model.as_ref().ok_or(Failed::NotConfigured("Cosmos DB"))
    }

    /// The dead letters of a subscription.
    ///
    /// # Errors
    /// [`Failed::NotConfigured`].
    pub fn dead_letters(&self, subscription: &str) -> Result<DeadLetters, Failed> {
        Ok(DeadLetters(self.subscription(subscription)?))
    }

    fn subscription(&self, name: &str) -> Result<Subscription, Failed> {
        if !is_subscription_name(name) {
            return Err(Failed::Invalid("/subscription", SUBSCRIPTION_NAME_RULE));
        }
        let topic = self.topic.as_ref().ok_or(Failed::NotConfigured("Service Bus"))?;
        Ok(Subscription {
            address: topic.address.clone(),
            topic: topic.name.clone(),
            name: name.to_owned(),
        })
    }
}

/// Rows of the log that are all events, or which is not.
fn whole(rows: Vec<EntryResult>) -> Result<Vec<LogEntry>, Failed> {
    let read: Result<_, _> = rows.into_iter().collect();
    read.map_err(|row| Failed::refused(row.to_string()))
}

/// The text without what PostgreSQL cannot keep in a `jsonb`.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// The same for all texts of a value.
fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(&text)),
        Value::Array(items) => items.into_iter().map(storable_json).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            members
                .map(|(name, member)| (storable(&name), storable_json(member)))
                .collect()
        }
        other => other,
    }
}

/// An event of the log as its message would bring it.
fn incoming(event: &RecordedEvent) -> Result<IncomingEvent, Failed> {
    let broken = |why: String| Failed::refused(format!("event {}: {why}", event.event_id));
    let message = serde_json::to_value(CloudEvent::from(event)).map_err(|error| broken(error.to_string()))?;
    decode(message).map_err(|error| broken(error.to_string()))
}
