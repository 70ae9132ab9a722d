//! Health of this process's stores: one probe a second for all who ask, over connections of its own.
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
    condition::{StoreCondition, StoreReason, StoreTrouble},
    config::{Config, Part, ReadModelKind},
    error_chain::chain,
    postgres::{ConnectionPool, PostgresError, PostgresTarget},
    read::{self, CosmosConnection, cosmos},
    write,
};

/// Longest wait for one store.
const PATIENCE: Duration = Duration::from_secs(2);
/// Age up to which a probe is as good as a new one.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);
/// Connections to PostgreSQL for probes.
const CONNECTIONS: usize = 1;

/// Health of each store.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StoreConditions")]
pub struct HealthReport {
    /// PostgreSQL.
    pub write_model: StoreHealth,
    /// Service Bus.
    pub bus: StoreHealth,
    /// Cosmos DB, or tables in PostgreSQL.
    pub read_model: StoreHealth,
}

/// Health of a store.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct StoreHealth {
    /// Its status.
    pub status: ComponentStatus,
    /// The reason, when it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<StoreReason>,
    /// The trouble in the store's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `off`: this process has no settings for it, or serves no part that uses it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComponentStatus {
    /// Nothing is the matter.
    Ok,
    /// Something is.
    Degraded,
    /// This process does without it.
    #[default]
    Off,
}

/// Health of the stores, probed when it is asked for.
pub struct Health {
    probe: Arc<StoreProbe>,
    last: Arc<Mutex<Option<(Instant, HealthReport)>>>,
}

/// Connections that probe the stores.
struct StoreProbe {
    database: Option<ConnectionPool<()>>,
    bus: Option<TopicSender>,
    /// The documents, if they are in Cosmos DB.
    documents: Option<read::store::DocumentStore>,
    /// Those of this process's parts that write: what they write is asked about.
    writers: Vec<&'static str>,
    /// The tables that queries read are.
    tables: bool,
    /// And whether they may be read.
    queries: bool,
    conditions: StoreConditions,
}

/// Conditions of the stores, to which their users report.
#[derive(Debug, Clone)]
pub struct StoreConditions {
    /// Of what commands write.
    pub write_model: Arc<StoreCondition>,
    /// Of what queries read.
    pub read_model: Arc<StoreCondition>,
    bus: Arc<StoreCondition>,
}

impl Default for StoreConditions {
    fn default() -> Self {
        let condition = |store| Arc::new(StoreCondition::new(store));
        Self {
            write_model: condition("writeModel"),
            read_model: condition("readModel"),
            bus: condition("bus"),
        }
    }
}

impl Health {
    /// Of the stores that these settings name and whose parts use them; `documents` is the account, if they name one. Connects when
    /// first asked.
    #[must_use]
    pub fn new(
        config: &Config,
        documents: Option<&Arc<CosmosConnection>>,
        conditions: StoreConditions,
    ) -> Self {
        let serves = |part: Part| config.parts.has(part);
        let is_read = serves(Part::Query) || serves(Part::Operator);
        let tables = config.read_model == ReadModelKind::Postgres && is_read;
        let needed = if tables {
            read::tables::NEEDED_SCHEMA
        } else {
            write::NEEDED_SCHEMA
        };
        let pool = |to: &PostgresTarget| {
            ConnectionPool::for_schema(needed, to.clone(), CONNECTIONS).through(config.pooler)
        };
        let bus = config.bus.as_ref();
        let writers = [Part::Command, Part::Operator]
            .into_iter()
            .filter(|part| serves(*part));
        let probe = StoreProbe {
            database: config.postgres.as_ref().map(pool),
            // The probe is a sender's link, and a process that only projects may not send.
            bus: bus
                .filter(|_| serves(Part::Command) || serves(Part::Operator))
                .cloned()
                .map(TopicSender::new),
            documents: documents.map(cosmos::probed_container),
            writers: writers.map(Part::name).collect(),
            tables,
            queries: serves(Part::Query),
            conditions,
        };
        Self {
            probe: Arc::new(probe),
            last: Arc::default(),
        }
    }

    /// Health as probed a second ago at most. A probe goes on when its caller hangs up, so that the next caller need not probe
    /// again.
    pub async fn now(&self) -> HealthReport {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < PROBE_LIFETIME
        {
            return report.clone();
        }
        let probe = Arc::clone(&self.probe);
        let running = tokio::spawn(async move {
            let report = probe.run().await;
            *last = Some((Instant::now(), report.clone()));
            report
        });
        // It has panicked: no store has been seen well.
        running.await.unwrap_or_default()
    }
}

impl StoreProbe {
    async fn run(&self) -> HealthReport {
        let (database, bus, documents) = tokio::join!(self.database(), self.bus(), self.documents());
        let (writes, tables) = database.unzip();
        let write_model = writes.filter(|_| !self.writers.is_empty());
        let read_model = if self.tables { tables } else { documents };
        let StoreConditions {
            write_model: write,
            read_model: read,
            bus: sent,
        } = &self.conditions;
        HealthReport {
            write_model: StoreHealth::new(write, write_model),
            bus: StoreHealth::new(sent, bus),
            read_model: StoreHealth::new(read, read_model),
        }
    }

    /// Probes the tables that commands write, and those that queries read.
    async fn database(&self) -> Option<(Option<StoreTrouble>, Option<StoreTrouble>)> {
        let pool = self.database.as_ref()?;
        let asking = async {
            let mut connection = pool.acquire().await?;
            let writes = if self.writers.is_empty() {
                None
            } else {
                write::probe(&mut connection, &self.writers).await?
            };
            let reads = if self.tables {
                read::tables::probe(&mut connection, self.queries).await
            } else {
                Ok(None)
            };
            if writes.is_some() {
                // Its session may have begun in bad times: the next probe begins a new one.
                connection.close();
            }
            Ok::<_, PostgresError>((writes, reads))
        };
        Some(match timeout(PATIENCE, asking).await {
            Ok(Ok((writes, reads))) => (writes, reads.unwrap_or_else(|fault| Some(trouble_of(&fault)))),
            Ok(Err(fault)) => (Some(trouble_of(&fault)), Some(trouble_of(&fault))),
            Err(_) => (Some(no_answer()), Some(no_answer())),
        })
    }

    async fn bus(&self) -> Option<Option<StoreTrouble>> {
        let found = timeout(PATIENCE, self.bus.as_ref()?.probe()).await;
        Some(found.unwrap_or_else(|_| Some(no_answer())))
    }

    async fn documents(&self) -> Option<Option<StoreTrouble>> {
        let found = timeout(PATIENCE, self.documents.as_ref()?.probe()).await;
        Some(found.unwrap_or_else(|_| Some(no_answer())))
    }
}

/// A fault of a probe: whatever it is, nobody can say that the store is well.
fn trouble_of(fault: &PostgresError) -> StoreTrouble {
    let lost = || StoreTrouble::new(StoreReason::Unreachable, chain(fault).to_string());
    fault.trouble().unwrap_or_else(lost)
}

fn no_answer() -> StoreTrouble {
    StoreTrouble::new(StoreReason::Unreachable, format!("no answer in {PATIENCE:?}"))
}

impl StoreHealth {
    /// Health after a probe's finding, if there is such a store, and after its users' reports.
    fn new(condition: &StoreCondition, found: Option<Option<StoreTrouble>>) -> Self {
        let Some(found) = found else {
            return Self::default();
        };
        match condition.record_probe(found) {
            None => Self {
                status: ComponentStatus::Ok,
                ..Self::default()
            },
            Some(StoreTrouble { reason, why }) => Self {
                status: ComponentStatus::Degraded,
                reason: Some(reason),
                why: Some(why),
            },
        }
    }

    /// True when something is the matter.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.status == ComponentStatus::Degraded
    }
}

impl HealthReport {
    /// Every store with its name.
    #[must_use]
    pub fn stores(&self) -> [(&'static str, &StoreHealth); 3] {
        [
            ("writeModel", &self.write_model),
            ("bus", &self.bus),
            ("readModel", &self.read_model),
        ]
    }

    /// `degraded` when a store is.
    #[must_use]
    pub fn status(&self) -> ComponentStatus {
        let degraded = self.stores().iter().any(|(_, store)| store.is_degraded());
        if degraded {
            ComponentStatus::Degraded
        } else {
            ComponentStatus::Ok
        }
    }

    /// True when a command and a query would be served now, as far as this process serves them: what waits for the bus waits
    /// in the outbox.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.write_model.is_degraded() && !self.read_model.is_degraded()
    }
}
