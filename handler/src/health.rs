//! How the stores of this process are: one look a second for all who ask, over connections that nobody else uses.
//! Never waits in line behind work, and changes nothing anywhere.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{
    bus::TopicSender,
    condition::{Condition, Reason, Trouble},
    config::{Config, ReadModel},
    error_chain::chain,
    postgres::{ConnectionPool, PostgresError},
    read::{self, Connection, cosmos},
    write,
};

/// Longest wait for one store.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a look is as good as a new one.
const FRESH: Duration = Duration::from_secs(1);
/// Connections to PostgreSQL for looking.
const CONNECTIONS: usize = 1;

/// How the whole is, and each store.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StoreConditions")]
pub struct Report {
    /// PostgreSQL.
    pub write_model: Store,
    /// Service Bus.
    pub bus: Store,
    /// Cosmos DB, or tables in PostgreSQL.
    pub read_model: Store,
}

/// How a store is.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(rename = "StoreCondition")]
pub struct Store {
    /// In a word.
    pub status: Word,
    /// What is the matter, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What was seen of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `off`: this deployment has no settings for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Nothing is the matter.
    Ok,
    /// Something is.
    Degraded,
    /// This process has no settings for it.
    #[default]
    Off,
}

/// Looks at the stores.
pub struct Health {
    eyes: Arc<Eyes>,
    last: Arc<Mutex<Option<(Instant, Report)>>>,
}

/// What looks.
struct Eyes {
    database: Option<ConnectionPool<()>>,
    bus: Option<TopicSender>,
    /// Where documents are, if they are in Cosmos DB.
    documents: Option<read::store::Store>,
    tables: bool,
    conditions: Conditions,
}

/// How the stores are, for their users to say what they meet.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Of what commands write.
    pub write_model: Arc<Condition>,
    /// Of what queries read.
    pub read_model: Arc<Condition>,
    bus: Arc<Condition>,
}

impl Default for Conditions {
    fn default() -> Self {
        let condition = |store| Arc::new(Condition::new(store));
        Self {
            write_model: condition("writeModel"),
            read_model: condition("readModel"),
            bus: condition("bus"),
        }
    }
}

impl Health {
    /// Of the stores of these settings; `documents` is the account that they name, if they do. Connects when first asked.
    #[must_use]
    pub fn new(config: &Config, documents: Option<&Arc<Connection>>, conditions: Conditions) -> Self {
        let tables = config.read_model == ReadModel::Postgres;
        let needed = if tables {
            read::tables::NEEDED_SCHEMA
        } else {
            write::NEEDED_SCHEMA
        };
        let pool = |to: &tokio_postgres::Config| {
            ConnectionPool::for_schema(needed, to.clone(), CONNECTIONS).through(config.pooler)
        };
        let bus = config.bus.as_ref();
        let eyes = Eyes {
            database: config.postgres.as_ref().map(pool),
            bus: bus.cloned().map(TopicSender::new),
            documents: documents.map(cosmos::looked_at),
            tables,
            conditions,
        };
        Self {
            eyes: Arc::new(eyes),
            last: Arc::default(),
        }
    }

    /// How they are, as seen a second ago at most. The look goes on when nobody waits for it any more, so that who hangs up
    /// does not make the next one look again.
    pub async fn now(&self) -> Report {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let eyes = Arc::clone(&self.eyes);
        let looking = tokio::spawn(async move {
            let report = eyes.look().await;
            *last = Some((Instant::now(), report.clone()));
            report
        });
        // It has panicked: no store has been seen well.
        looking.await.unwrap_or_default()
    }
}

impl Eyes {
    async fn look(&self) -> Report {
        let (database, bus, documents) = tokio::join!(self.database(), self.bus(), self.documents());
        let (write_model, tables) = database.unzip();
        let read_model = if self.tables { tables } else { documents };
        let Conditions {
            write_model: write,
            read_model: read,
            bus: sent,
        } = &self.conditions;
        Report {
            write_model: Store::of(write, write_model),
            bus: Store::of(sent, bus),
            read_model: Store::of(read, read_model),
        }
    }

    /// What is the matter with what commands write, and with the tables that queries read.
    async fn database(&self) -> Option<(Option<Trouble>, Option<Trouble>)> {
        let pool = self.database.as_ref()?;
        let asking = async {
            let mut connection = pool.acquire().await?;
            let writes = write::look(&mut connection).await?;
            let reads = if self.tables {
                read::tables::look(&mut connection).await
            } else {
                Ok(None)
            };
            if writes.is_some() {
                // Its session may have begun in bad times: the next look begins a new one.
                connection.close();
            }
            Ok::<_, PostgresError>((writes, reads))
        };
        Some(match timeout(PATIENCE, asking).await {
            Ok(Ok((writes, reads))) => (writes, reads.unwrap_or_else(|fault| Some(met(&fault)))),
            Ok(Err(fault)) => (Some(met(&fault)), Some(met(&fault))),
            Err(_) => (Some(late()), Some(late())),
        })
    }

    async fn bus(&self) -> Option<Option<Trouble>> {
        let looked = timeout(PATIENCE, self.bus.as_ref()?.look()).await;
        Some(looked.unwrap_or_else(|_| Some(late())))
    }

    async fn documents(&self) -> Option<Option<Trouble>> {
        let looked = timeout(PATIENCE, self.documents.as_ref()?.look()).await;
        Some(looked.unwrap_or_else(|_| Some(late())))
    }
}

/// A fault of a look: whatever it is, nobody can say that the store is well.
fn met(fault: &PostgresError) -> Trouble {
    let lost = || Trouble::new(Reason::Unreachable, chain(fault).to_string());
    fault.trouble().unwrap_or_else(lost)
}

fn late() -> Trouble {
    Trouble::new(Reason::Unreachable, format!("no answer in {PATIENCE:?}"))
}

impl Store {
    /// With what a look has found, if there is such a store, and what its users have met.
    fn of(condition: &Condition, looked: Option<Option<Trouble>>) -> Self {
        let Some(found) = looked else {
            return Self::default();
        };
        match condition.looked(found) {
            None => Self {
                status: Word::Ok,
                ..Self::default()
            },
            Some(Trouble { reason, why }) => Self {
                status: Word::Degraded,
                reason: Some(reason),
                why: Some(why),
            },
        }
    }

    /// True when something is the matter.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.status == Word::Degraded
    }
}

impl Report {
    /// Every store with its name.
    #[must_use]
    pub fn stores(&self) -> [(&'static str, &Store); 3] {
        [
            ("writeModel", &self.write_model),
            ("bus", &self.bus),
            ("readModel", &self.read_model),
        ]
    }

    /// `degraded` when a store is.
    #[must_use]
    pub fn word(&self) -> Word {
        let degraded = self.stores().iter().any(|(_, store)| store.is_degraded());
        if degraded { Word::Degraded } else { Word::Ok }
    }

    /// True when a command and a query would be served now, as far as this process serves them: what waits for the bus waits
    /// in the outbox.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.write_model.is_degraded() && !self.read_model.is_degraded()
    }
}
