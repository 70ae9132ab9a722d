//! Work on what all databases of a server share, such as its roles: others may do the same at the same moment, and no lock of one
//! database keeps them apart. Never used for work that would do harm when it is done twice.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{Error, error::SqlState};

/// Most tries. Each loser of a race finds the winner's work done.
const TRIES: u32 = 20;

/// True when it is what others did meanwhile that is to blame: they have made the same, or changed the same row.
fn is_race(error: &Error) -> bool {
    let races = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::UNIQUE_VIOLATION,
        SqlState::OBJECT_IN_USE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // "tuple concurrently updated" has no code of its own.
        SqlState::INTERNAL_ERROR,
    ];
    error.code().is_some_and(|code| races.contains(code))
}

/// Does the step, and again where it lost a race.
pub(super) async fn settle<T>(mut step: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..TRIES {
        match step().await {
            Err(error) if is_race(&error) => {
                // Not in step with the others.
                sleep(Duration::from_millis(rand::random_range(5..100))).await;
            }
            settled => return settled,
        }
    }
    step().await
}
