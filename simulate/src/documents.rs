//! The read store as projections and jobs see it: documents with ETags in memory, written by requests that may be refused,
//! lost, late or unheard. Never half a batch, and never a write against another ETag than the document has.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use handler::{
    error_chain::cause,
    read::{
        connection::CosmosContainer,
        document::Generation,
        store::{
            BatchError, BatchWrite, Collection, DocumentSearch, StoreError, StoredDocument, from_status,
        },
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fault_plan::{FaultPlan, far, lock},
    trouble::Trouble,
};

/// The longest that a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest that a replica lags.
const LAG: Duration = Duration::from_secs(2);

/// Container, partition key, id.
pub(crate) type Place = (&'static str, String, String);

/// The account.
pub(crate) struct SimulatedStore {
    plan: Arc<FaultPlan>,
    inner: Mutex<StoreState>,
}

#[derive(Default)]
struct StoreState {
    there: BTreeMap<Place, DocumentVersions>,
    etags: u64,
    /// The time before which no request is answered.
    away_until: Option<Instant>,
}

/// A document as it is, and as a replica may still show it.
#[derive(Clone)]
struct DocumentVersions {
    now: (Value, u64),
    before: Option<(Value, u64)>,
    written: Instant,
}

/// One process's way to one container.
#[derive(Clone)]
pub(crate) struct SimulatedContainer {
    documents: Arc<SimulatedStore>,
    container: &'static str,
}

/// A write of a batch: the document's id, its condition, and the document, or `None` where it is removed. The condition: `None`
/// whatever is there, `Some(None)` nothing is there, else this ETag.
type Write = (String, Option<Option<u64>>, Option<Value>);

/// A write that did not hold, by its place in the batch.
type Held = Result<Vec<String>, usize>;

impl SimulatedStore {
    pub(crate) fn new(plan: &Arc<FaultPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            inner: Mutex::default(),
        }
    }

    /// One process's way to a container.
    pub(crate) fn shelf(self: &Arc<Self>, container: CosmosContainer) -> SimulatedContainer {
        SimulatedContainer {
            documents: Arc::clone(self),
            container: match container {
                CosmosContainer::Orders => "orders",
                CosmosContainer::Customers => "customers",
                CosmosContainer::Products => "products",
                CosmosContainer::Sales => "sales",
                CosmosContainer::Control => "control",
            },
        }
    }

    /// Is away for all, for so long.
    pub(crate) fn away(&self, duration: Duration) {
        self.plan.say(format_args!("the store is away for {duration:?}"));
        lock(&self.inner).away_until = Some(Instant::now() + duration);
    }

    /// Everything, with the time at which it was last written.
    pub(crate) fn all(&self) -> BTreeMap<Place, (Value, Instant)> {
        let inner = lock(&self.inner);
        let all = inner.there.iter();
        all.map(|(place, versions)| (place.clone(), (versions.now.0.clone(), versions.written)))
            .collect()
    }

    /// A stranger writes the document of an aggregate that is not in the log.
    pub(crate) fn forge(&self, generation: Generation) {
        let places = [
            ("orders", "order"),
            ("customers", "customer"),
            ("products", "product"),
        ];
        let (container, kind) = places[self.plan.pick(places.len())];
        let pk = generation.partition("forged");
        let document = json!({ "id": kind, "pk": pk, "gen": generation, "kind": kind });
        // Whatever is there; so it holds.
        let _ = self.write_all(container, &pk, vec![(kind.to_owned(), None, Some(document))]);
    }

    fn is_away(&self) -> bool {
        lock(&self.inner)
            .away_until
            .is_some_and(|until| Instant::now() < until)
    }

    fn read(&self, place: &Place, stale: bool) -> Option<(Value, u64)> {
        lock(&self.inner).there.get(place)?.shown(stale)
    }

    /// In the order of the partitions.
    fn find(&self, container: &str, search: DocumentSearch<'_>, stale: bool) -> Vec<Value> {
        let inner = lock(&self.inner);
        let shown = inner.there.iter().filter(|(place, _)| place.0 == container);
        let shown = shown.filter_map(|(_, versions)| versions.shown(stale));
        let shown = shown.map(|(document, _)| document);
        match search {
            DocumentSearch::OfPartition { pk, kind } => shown
                .filter(|document| document["pk"] == pk && document["kind"] == kind)
                .collect(),
            DocumentSearch::OfKind {
                generation,
                kind,
                after,
                most,
            } => shown
                .filter(|document| is_of(document, generation) && document["kind"] == kind)
                .filter(|document| document["pk"].as_str() > Some(after))
                .take(most as usize)
                .collect(),
            DocumentSearch::Keys { generation, most } => shown
                .filter(|document| is_of(document, generation))
                .take(most as usize)
                .collect(),
        }
    }

    /// All of it or nothing.
    fn write_all(&self, container: &'static str, pk: &str, writes: Vec<Write>) -> Held {
        let mut inner = lock(&self.inner);
        let place = |id: &str| (container, pk.to_owned(), id.to_owned());
        for (at, (id, condition, _)) in writes.iter().enumerate() {
            let etag = inner.there.get(&place(id)).map(|versions| versions.now.1);
            if condition.is_some_and(|wanted| wanted != etag) {
                return Err(at);
            }
        }
        let mut etags = Vec::new();
        for (id, _, document) in writes {
            let Some(document) = document else {
                inner.there.remove(&place(&id));
                continue;
            };
            inner.etags += 1;
            let etag = inner.etags;
            let before = inner.there.get(&place(&id)).map(|versions| versions.now.clone());
            inner.there.insert(
                place(&id),
                DocumentVersions {
                    now: (document, etag),
                    before,
                    written: Instant::now(),
                },
            );
            etags.push(etag.to_string());
        }
        Ok(etags)
    }
}

impl DocumentVersions {
    fn shown(&self, stale: bool) -> Option<(Value, u64)> {
        if stale && self.written.elapsed() < LAG {
            self.before.clone()
        } else {
            Some(self.now.clone())
        }
    }
}

impl SimulatedContainer {
    /// Lets a request meet with trouble before anything is done.
    async fn knock(&self) -> Result<(), StoreError> {
        let plan = &self.documents.plan;
        let refused = |status: u16, retry_after| from_status(status, format!("status {status}"), retry_after);
        if self.documents.is_away() {
            plan.wait(1..=50).await;
            return Err(refused(503, None));
        }
        if plan.strikes(Trouble::Throttled) {
            plan.wait(1..=1_000).await;
            return Err(refused(429, Some(plan.ms(1..=3_000))));
        }
        if plan.strikes(Trouble::StoreFailed) {
            plan.wait(1..=50).await;
            return Err(refused(503, None));
        }
        if plan.strikes(Trouble::RequestLost) {
            sleep(PATIENCE).await;
            return Err(refused(408, None));
        }
        Ok(())
    }

    /// One request that writes.
    async fn write(&self, pk: &str, writes: Vec<Write>) -> Result<Held, StoreError> {
        self.knock().await?;
        let plan = &self.documents.plan;
        if plan.strikes(Trouble::Contended) {
            plan.wait(1..=50).await;
            return Err(from_status(449, "status 449", None));
        }
        let (documents, container, partition) = (Arc::clone(&self.documents), self.container, pk.to_owned());
        let what: Vec<String> = writes.iter().map(|(id, ..)| id.clone()).collect();
        let work = move || {
            let held = documents.write_all(container, &partition, writes);
            documents.plan.say(format_args!(
                "  {container} {partition} {}: {held:?}",
                what.join(" and ")
            ));
            held
        };
        if plan.strikes(Trouble::WriteLate) {
            let arriving = far(PATIENCE + plan.ms(1..=20_000), work);
            let _ = timeout(PATIENCE, arriving).await;
            return Err(from_status(408, "no answer", None));
        }
        let held = far(plan.ms(0..=10), work).await;
        if plan.strikes(Trouble::WriteUnheard) {
            plan.wait(1..=3_000).await;
            return Err(from_status(503, "status 503", None));
        }
        plan.wait(0..=10).await;
        Ok(held)
    }

    async fn one(
        &self,
        pk: &str,
        id: &str,
        condition: Option<Option<u64>>,
        document: Value,
    ) -> Result<String, StoreError> {
        let write = (id.to_owned(), condition, Some(document));
        let held = self.write(pk, vec![write]).await?;
        let etags = held.map_err(|_| StoreError::Changed)?;
        Ok(etags.into_iter().next().unwrap_or_default())
    }
}

fn is_of(document: &Value, generation: Generation) -> bool {
    document["gen"] == generation.0
}

fn encoded<T: Serialize>(document: &T) -> Result<Value, StoreError> {
    serde_json::to_value(document).map_err(|error| StoreError::Refused(cause(error)))
}

/// The number in an ETag of ours; any other text is no document's.
fn number(etag: &str) -> u64 {
    etag.parse().unwrap_or_default()
}

impl Collection for SimulatedContainer {
    async fn read<T: DeserializeOwned + Send>(
        &self,
        pk: &str,
        id: &str,
    ) -> Result<Option<StoredDocument<T>>, StoreError> {
        self.knock().await?;
        let plan = &self.documents.plan;
        plan.wait(0..=10).await;
        let stale = plan.strikes(Trouble::StaleRead);
        let found = self
            .documents
            .read(&(self.container, pk.to_owned(), id.to_owned()), stale);
        plan.wait(0..=10).await;
        let Some((document, etag)) = found else {
            return Ok(None);
        };
        let document = serde_json::from_value(document).map_err(|error| StoreError::Unreadable {
            what: format!("{pk} {id}"),
            source: cause(error),
        })?;
        Ok(Some(StoredDocument {
            document,
            etag: etag.to_string(),
        }))
    }

    async fn create<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
    ) -> Result<String, StoreError> {
        self.one(pk, id, Some(None), encoded(document)?).await
    }

    async fn upsert<T: Serialize + Sync>(&self, pk: &str, id: &str, document: &T) -> Result<(), StoreError> {
        self.one(pk, id, None, encoded(document)?).await.map(drop)
    }

    async fn replace<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
        read: &str,
    ) -> Result<String, StoreError> {
        self.one(pk, id, Some(Some(number(read))), encoded(document)?)
            .await
    }

    async fn batch(&self, pk: &str, writes: Vec<BatchWrite>) -> Result<Vec<String>, BatchError> {
        let named = |document: Value, condition| {
            let id = document["id"].as_str().unwrap_or_default().to_owned();
            (id, condition, Some(document))
        };
        let writes = writes.into_iter().map(|write| match write {
            BatchWrite::Create(document) => named(document, Some(None)),
            BatchWrite::Upsert(document) => named(document, None),
            BatchWrite::Replace { id, etag, document } => (id, Some(Some(number(&etag))), Some(document)),
        });
        match self.write(pk, writes.collect()).await {
            Ok(held) => held.map_err(|at| BatchError {
                at: Some(at),
                error: StoreError::Changed,
            }),
            Err(error) => Err(BatchError { at: None, error }),
        }
    }

    async fn find<T: DeserializeOwned + Send + 'static>(
        &self,
        search: DocumentSearch<'_>,
        _: Duration,
    ) -> Result<Vec<T>, StoreError> {
        self.knock().await?;
        let plan = &self.documents.plan;
        plan.wait(0..=10).await;
        let stale = plan.strikes(Trouble::StaleRead);
        let found = self.documents.find(self.container, search, stale);
        plan.wait(0..=10).await;
        let read = |document| serde_json::from_value(document);
        let read: Result<_, _> = found.into_iter().map(read).collect();
        read.map_err(|error| StoreError::Refused(cause(error)))
    }

    async fn delete(&self, pk: &str, id: &str) -> Result<(), StoreError> {
        self.write(pk, vec![(id.to_owned(), None, None)]).await.map(drop)
    }
}
