//! The work on one job over virtual hours: stores that are away, steps that panic, errors that stay.
//! Never a real table: rows are kept in memory, by the same rules.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{super::error::patiently, *};
use crate::{error_chain::cause, jobs::engine::row::JobRow, read::store::StoreError};

const TURN: Duration = Duration::from_secs(15);
const BETWEEN: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3_600);

/// A step of a test's own.
type Script = dyn for<'a> Fn(&'a mut u32) -> BoxFuture<'a, Result<StepOutcome, JobError>> + Sync;

/// A closure as a script, whatever its cursor's lifetime.
fn script<F>(step: F) -> F
where
    F: for<'a> Fn(&'a mut u32) -> BoxFuture<'a, Result<StepOutcome, JobError>> + Sync,
{
    step
}

/// A job that does what the test says.
#[derive(Serialize, Deserialize)]
struct Scripted {}

impl Job<Script> for Scripted {
    const KIND: &'static str = "scripted";
    const SUMMARY: &'static str = "";
    type Cursor = u32;

    fn example() -> Value {
        json!({})
    }

    fn needs(_: &Script) -> Result<(), JobError> {
        Ok(())
    }

    async fn step(
        &self,
        script: &Script,
        _: &StepContext<'_>,
        cursor: &mut u32,
    ) -> Result<StepOutcome, JobError> {
        script(cursor).await
    }
}

/// A ledger of one row.
struct MemoryLedger(Mutex<ClaimedJob>);

impl MemoryLedger {
    fn new() -> Self {
        Self::asked(json!({}))
    }

    fn asked(request: Value) -> Self {
        Self(Mutex::new(ClaimedJob {
            row: JobRow {
                id: Uuid::nil(),
                kind: Scripted::KIND.to_owned(),
                request,
                state: JobState::Running,
                requested_by: "tests".to_owned(),
                requested_at: crate::domain::timestamp::Timestamp::UNIX_EPOCH,
                started_at: None,
                ended_at: None,
                progress: JobProgress::default(),
                result: None,
                note: None,
            },
            cursor: None,
            panics: 0,
            lease: Uuid::nil(),
        }))
    }

    fn claim(&self) -> ClaimedJob {
        let claim = self.0.lock().unwrap();
        ClaimedJob {
            row: claim.row.clone(),
            cursor: claim.cursor.clone(),
            ..*claim
        }
    }

    fn state(&self) -> JobState {
        self.claim().row.state
    }

    fn note(&self) -> String {
        self.claim().row.note.unwrap_or_default()
    }

    /// Turn after turn, as the timer gives them, until it is over; how many there were.
    async fn turns(&self, script: &Script) -> u32 {
        let mut turns = 0;
        while self.state() == JobState::Running {
            let until = Instant::now() + TURN;
            work::<Script, Scripted>(self, &self.claim(), script, until, &|_, _, _| {})
                .await
                .unwrap();
            turns += 1;
            sleep(BETWEEN).await;
        }
        turns
    }
}

impl Ledger for MemoryLedger {
    async fn renew(&self, _: &ClaimedJob) -> Result<Option<JobState>, PostgresError> {
        Ok(Some(self.state()))
    }

    async fn save(
        &self,
        _: &ClaimedJob,
        at: &Checkpoint,
        _: &JobProgress,
    ) -> Result<Option<JobState>, PostgresError> {
        let mut claim = self.0.lock().unwrap();
        (claim.cursor, claim.panics) = (Some(at.cursor.clone()), at.panics);
        Ok(Some(claim.row.state))
    }

    async fn release(&self, _: &ClaimedJob, panics: i32, note: Option<&str>) -> Result<(), PostgresError> {
        let mut claim = self.0.lock().unwrap();
        claim.panics = panics;
        claim.row.note = note.map(str::to_owned).or(claim.row.note.take());
        Ok(())
    }

    async fn end(
        &self,
        _: &ClaimedJob,
        state: JobState,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        let mut claim = self.0.lock().unwrap();
        claim.row.state = state;
        claim.row.result = result.cloned();
        claim.row.note = note.map(str::to_owned);
        Ok(())
    }
}

fn away() -> JobError {
    JobError::Store(StoreError::Away {
        source: cause("no answer"),
        retry_after: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_store_away_for_an_hour_fails_no_job_and_never_counts() {
    let (row, began) = (Arc::new(MemoryLedger::new()), Instant::now());
    let seen = Arc::new(Mutex::new(String::new()));
    let script = {
        let (row, seen) = (Arc::clone(&row), Arc::clone(&seen));
        script(move |cursor| {
            *seen.lock().unwrap() = row.note();
            Box::pin(async move {
                let ask = || async {
                    let back = began.elapsed() >= HOUR;
                    if back { Ok(()) } else { Err(away()) }
                };
                patiently(ask).await?;
                *cursor += 1;
                Ok(if *cursor == 3 {
                    StepOutcome::Completed(json!(3))
                } else {
                    StepOutcome::More
                })
            })
        })
    };
    let turns = row.turns(&script).await;
    assert_eq!(
        (row.state(), row.claim().panics),
        (JobState::Completed, 0),
        "{}",
        row.note()
    );
    assert!(turns > 100 && began.elapsed() >= HOUR, "{turns}");
    assert_eq!(*seen.lock().unwrap(), "the read store is away: no answer");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_three_times_ends_its_job_with_a_note() {
    let (row, panics) = (MemoryLedger::new(), Arc::new(AtomicU32::new(0)));
    let began = Instant::now();
    let seen = Arc::clone(&panics);
    let script = script(move |cursor| {
        let panics = Arc::clone(&seen);
        Box::pin(async move {
            if *cursor < 2 {
                *cursor += 1;
                return Ok(StepOutcome::More);
            }
            // Between the second panic and the third, and for an hour: neither counts, nor counts anew.
            if panics.load(Ordering::Relaxed) == 2 && began.elapsed() < HOUR {
                return Err(away());
            }
            panics.fetch_add(1, Ordering::Relaxed);
            *cursor += 1;
            panic!("nobody thought of {cursor}")
        })
    });
    row.turns(&script).await;
    assert_eq!(
        (row.state(), panics.load(Ordering::Relaxed), row.claim().cursor),
        (JobState::Failed, 3, Some(json!(2)))
    );
    assert!(
        row.note().contains("3 times") && row.note().contains("nobody thought of 3"),
        "{}",
        row.note()
    );
    assert!(began.elapsed() >= HOUR);
}

#[tokio::test(start_paused = true)]
async fn panics_at_different_places_are_counted_apart() {
    let (row, panics) = (MemoryLedger::new(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&panics);
    let script = script(move |cursor| {
        let panics = Arc::clone(&count);
        Box::pin(async move {
            // Two at each place.
            let seen = panics.load(Ordering::Relaxed);
            if seen < 2 * (*cursor + 1) {
                panics.store(seen + 1, Ordering::Relaxed);
                panic!("a moment's weakness");
            }
            *cursor += 1;
            Ok(if *cursor == 4 {
                StepOutcome::Completed(json!(4))
            } else {
                StepOutcome::More
            })
        })
    });
    row.turns(&script).await;
    assert_eq!(
        (row.state(), panics.load(Ordering::Relaxed)),
        (JobState::Completed, 8)
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_that_stays_ends_its_job_at_once() {
    let row = MemoryLedger::new();
    let script = script(|_| Box::pin(async { Err(JobError::refused("it cannot be done")) }));
    let turns = row.turns(&script).await;
    assert_eq!(
        (row.state(), turns, row.note()),
        (JobState::Failed, 1, "it cannot be done".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_read_ends_its_job_with_a_note() {
    let row = MemoryLedger::asked(json!("of a newer version"));
    let script = script(|_| Box::pin(async { Ok(StepOutcome::More) }));
    assert_eq!((row.turns(&script).await, row.state()), (1, JobState::Failed));
    let note = row.note();
    assert!(
        note.starts_with("its request cannot be read by this version"),
        "{note}"
    );
}
