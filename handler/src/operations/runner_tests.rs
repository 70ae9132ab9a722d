//! The work on one operation over virtual hours: stores that are away, pieces that panic, errors that stay.
//! Never a real table: what it keeps is kept in memory, by the same rules.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::{
    error_chain::cause,
    operations::{
        operation::{Operation, Request},
        patiently,
        verify::Comparison,
    },
    read::store::StoreError,
};

const TURN: Duration = Duration::from_secs(15);
const BETWEEN: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3_600);

/// One row, as the table keeps it.
struct Row(RefCell<Claim>);

impl Row {
    fn new() -> Self {
        Self(RefCell::new(Claim {
            operation: Operation {
                id: Uuid::nil(),
                request: Request::Verify(Comparison::default()),
                state: State::Running,
                requested_by: "tests".to_owned(),
                requested_at: OffsetDateTime::UNIX_EPOCH,
                started_at: None,
                ended_at: None,
                progress: Progress::default(),
                result: None,
                note: None,
            },
            cursor: None,
            panics: 0,
            lease: Uuid::nil(),
        }))
    }

    fn claim(&self) -> Claim {
        let row = self.0.borrow();
        Claim {
            operation: row.operation.clone(),
            cursor: row.cursor.clone(),
            ..*row
        }
    }

    fn state(&self) -> State {
        self.0.borrow().operation.state
    }

    fn note(&self) -> String {
        self.0.borrow().operation.note.clone().unwrap_or_default()
    }

    fn panics(&self) -> i32 {
        self.0.borrow().panics
    }

    /// Turn after turn, as the timer gives them, until it is over; how many there were.
    async fn turns(&self, mut piece: impl AsyncFnMut(&mut u32, Tell<'_>) -> Result<Came, Failed>) -> u32 {
        let mut turns = 0;
        while self.state() == State::Running {
            let until = Instant::now() + TURN;
            work(self, &self.claim(), until, &|_, _, _| {}, &mut piece)
                .await
                .unwrap();
            turns += 1;
            sleep(BETWEEN).await;
        }
        turns
    }
}

impl Ledger for Row {
    async fn renew(&self, _: &Claim) -> Result<Option<State>, PostgresError> {
        Ok(Some(self.state()))
    }

    async fn save(&self, _: &Claim, stand: &Stand, _: &Progress) -> Result<Option<State>, PostgresError> {
        let mut row = self.0.borrow_mut();
        (row.cursor, row.panics) = (Some(stand.cursor.clone()), stand.panics);
        Ok(Some(row.operation.state))
    }

    async fn release(&self, _: &Claim, panics: i32, note: Option<&str>) -> Result<(), PostgresError> {
        let mut row = self.0.borrow_mut();
        row.panics = panics;
        row.operation.note = note.map(str::to_owned).or(row.operation.note.take());
        Ok(())
    }

    async fn end(
        &self,
        _: &Claim,
        state: State,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        let mut row = self.0.borrow_mut();
        row.operation.state = state;
        row.operation.result = result.cloned();
        row.operation.note = note.map(str::to_owned);
        Ok(())
    }
}

fn away() -> Failed {
    Failed::Store(StoreError::Away {
        source: cause("no answer"),
        retry_after: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_store_away_for_an_hour_fails_no_job_and_never_counts() {
    let (row, began) = (Row::new(), Instant::now());
    let seen = RefCell::new(String::new());
    let turns = row
        .turns(async |cursor, _| {
            *seen.borrow_mut() = row.note();
            patiently(async || {
                let back = began.elapsed() >= HOUR;
                if back { Ok(()) } else { Err(away()) }
            })
            .await?;
            *cursor += 1;
            Ok(if *cursor == 3 {
                Came::Over(json!(3))
            } else {
                Came::More
            })
        })
        .await;
    assert_eq!(
        (row.state(), row.panics()),
        (State::Completed, 0),
        "{}",
        row.note()
    );
    assert!(turns > 100 && began.elapsed() >= HOUR, "{turns}");
    assert_eq!(seen.into_inner(), "the read store is away: no answer");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_three_times_ends_its_job_with_a_note() {
    let (row, panics) = (Row::new(), AtomicU32::new(0));
    let began = Instant::now();
    row.turns(async |cursor, _| {
        if *cursor < 2 {
            *cursor += 1;
            return Ok(Came::More);
        }
        // Between the second panic and the third, and for an hour: neither counts, nor counts anew.
        if panics.load(Ordering::Relaxed) == 2 && began.elapsed() < HOUR {
            return Err(away());
        }
        panics.fetch_add(1, Ordering::Relaxed);
        *cursor += 1;
        panic!("nobody thought of {cursor}")
    })
    .await;
    assert_eq!(
        (row.state(), panics.into_inner(), row.claim().cursor),
        (State::Failed, 3, Some(json!(2)))
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
    let (row, panics) = (Row::new(), AtomicU32::new(0));
    row.turns(async |cursor, _| {
        // Two at each place.
        let seen = panics.load(Ordering::Relaxed);
        if seen < 2 * (*cursor + 1) {
            panics.store(seen + 1, Ordering::Relaxed);
            panic!("a moment's weakness");
        }
        *cursor += 1;
        Ok(if *cursor == 4 {
            Came::Over(json!(4))
        } else {
            Came::More
        })
    })
    .await;
    assert_eq!((row.state(), panics.into_inner()), (State::Completed, 8));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_stays_ends_its_operation_at_once() {
    let row = Row::new();
    let turns = row
        .turns(async |_, _| Err(Failed::refused("it cannot be done")))
        .await;
    assert_eq!(
        (row.state(), turns, row.note()),
        (State::Failed, 1, "it cannot be done".to_owned())
    );
}
