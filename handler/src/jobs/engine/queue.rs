//! The queue of jobs: any kind is started, looked at, stopped and worked on here.
//! Never knows one kind from another: it is given the list of them.

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    error::JobError,
    job::{Job, ProgressSink},
    kind::JobKind,
    row::{JobRow, JobState, WantedState},
    table::{CreateOutcome, JobTable, NewJob},
    worker::TurnEnd,
};
use crate::postgres::{PostgresError, PostgresTarget};

/// The person or program that asks for a job.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// A caller's id, or the name of who sits at the terminal.
    pub by: &'a str,
    /// Idempotency-Key, and a digest of the request that it came with.
    pub key: Option<(&'a str, &'a str)>,
}

/// The jobs of a deployment, as far as this process can do them.
pub struct JobQueue<R: 'static> {
    table: JobTable,
    kinds: &'static [JobKind<R>],
    resources: R,
}

impl<R: Sync> JobQueue<R> {
    /// Connects when first used.
    #[must_use]
    pub fn new(postgres: &PostgresTarget, kinds: &'static [JobKind<R>], resources: R) -> Self {
        Self {
            table: JobTable::new(postgres.clone()),
            kinds,
            resources,
        }
    }

    /// The stores that this process reaches.
    pub fn resources(&self) -> &R {
        &self.resources
    }

    /// Writes a job down, when this process can do it and nothing speaks against it. A request that has come under its key
    /// before leads to the job that it led to then.
    ///
    /// # Errors
    /// [`JobError`].
    pub async fn start<J: Job<R>>(&self, job: &J, requester: Requester<'_>) -> Result<JobRow, JobError> {
        let violations = job.validate();
        if !violations.is_empty() {
            return Err(JobError::Invalid(violations));
        }
        // Before anything else is asked: the job itself may be what speaks against another.
        if let Some(row) = self.repeated(J::KIND, requester).await? {
            return Ok(row);
        }
        J::needs(&self.resources)?;
        job.may_start(&self.resources).await?;
        let request = json!(job);
        let new = NewJob {
            kind: J::KIND,
            request: &request,
            state: J::FIRST_STATE,
            exclusive: J::EXCLUSIVE,
            by: requester.by,
            key: requester.key,
        };
        match self.table.create(&new).await? {
            CreateOutcome::Created(row) => {
                tracing::info!(job = %row.id, kind = J::KIND, by = requester.by, "job_requested");
                Ok(*row)
            }
            // The same request was faster on another connection.
            CreateOutcome::KeyTaken | CreateOutcome::Excluded
                if let Some(row) = self.repeated(J::KIND, requester).await? =>
            {
                Ok(row)
            }
            CreateOutcome::KeyTaken => Err(JobError::KeyReused),
            CreateOutcome::Excluded => Err(self.under_way(J::EXCLUSIVE).await?),
        }
    }

    /// The job that the same request led to before.
    async fn repeated(&self, kind: &str, requester: Requester<'_>) -> Result<Option<JobRow>, JobError> {
        let Some((key, fingerprint)) = requester.key else {
            return Ok(None);
        };
        match self.table.by_key(requester.by, key).await? {
            None => Ok(None),
            Some((known, row)) if known == fingerprint && row.kind == kind => Ok(Some(row)),
            Some(_) => Err(JobError::KeyReused),
        }
    }

    async fn under_way(&self, exclusive: Option<&'static str>) -> Result<JobError, JobError> {
        let open = match exclusive {
            Some(exclusive) => self.table.open_of(exclusive).await?,
            None => None,
        };
        let words = match open {
            Some(row) => format!("the {} {} has to end first", row.kind, row.id),
            None => "another job had to end first".to_owned(),
        };
        Ok(JobError::UnderWay(words))
    }

    /// Lets a job go on, stops it for now, or for good.
    ///
    /// # Errors
    /// [`JobError::NotFound`]; [`JobError::Refused`] when it is in no state for that.
    pub async fn set_state(&self, id: Uuid, wanted: WantedState) -> Result<JobRow, JobError> {
        let before = self.get(id).await?;
        if before.state == wanted.state() {
            return Ok(before);
        }
        let kind = self.kinds.iter().find(|kind| kind.name == before.kind);
        let leaves_something = kind.filter(|kind| kind.cleans_up && wanted == WantedState::Cancelled);
        if let Some(kind) = leaves_something {
            (kind.needs)(&self.resources)?;
        }
        let Some(after) = self.table.set_state(id, wanted).await? else {
            let state = self.get(id).await?.state.name();
            return Err(JobError::refused(format!("job {id} is {state}")));
        };
        if let Some(kind) = leaves_something {
            kind.clean_up(&self.resources).await?;
        }
        Ok(after)
    }

    /// Reads one job.
    ///
    /// # Errors
    /// [`JobError::NotFound`] when there is none.
    pub async fn get(&self, id: Uuid) -> Result<JobRow, JobError> {
        let found = self.table.get(id).await?;
        found.ok_or_else(|| JobError::NotFound(format!("there is no job {id}")))
    }

    /// Reads jobs, newest first, older than one of them; of all states, or of these.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn list(
        &self,
        before: Option<Uuid>,
        states: Option<&[JobState]>,
        most: i64,
    ) -> Result<Vec<JobRow>, JobError> {
        Ok(self.table.list(before, states, most).await?)
    }

    /// Reads the open job among those that exclude each other under this name.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn open_of(&self, exclusive: &str) -> Result<Option<JobRow>, JobError> {
        Ok(self.table.open_of(exclusive).await?)
    }

    /// Works until then on a job that waits, or on this very one.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn turn(
        &self,
        only: Option<Uuid>,
        until: Instant,
        sink: ProgressSink<'_>,
    ) -> Result<TurnEnd, PostgresError> {
        let able = self
            .kinds
            .iter()
            .filter(|kind| (kind.needs)(&self.resources).is_ok());
        let names: Vec<&str> = able.map(|kind| kind.name).collect();
        let Some(claim) = self.table.claim(&names, only).await? else {
            return Ok(TurnEnd::NothingToDo);
        };
        let kind = self.kinds.iter().find(|kind| kind.name == claim.row.kind);
        match kind {
            Some(kind) => kind.work(&self.table, &claim, &self.resources, until, sink).await,
            None => Ok(TurnEnd::NothingToDo),
        }
    }
}
