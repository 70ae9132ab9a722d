//! Waiting for something to be seen.
//! Never sleeps for luck: it looks again and again, and gives up at a deadline with what it saw last.

use std::{fmt::Debug, time::Duration};

use tokio::time::{interval, timeout};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` finds what is waited for; until then it says what is there instead.
pub(crate) async fn wait_for<T, S: Debug>(
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let mut last = None;
    let looking = async {
        let mut again = interval(PAUSE);
        loop {
            again.tick().await;
            match look().await {
                Ok(seen) => return seen,
                Err(other) => last = Some(other),
            }
        }
    };
    let seen = timeout(deadline, looking).await;
    seen.unwrap_or_else(|_| panic!("it has not come; last seen: {last:?}"))
}
