//! What the platform does for a host: it starts one again that has ended by itself.
//! It never gives up; only the pauses get longer.

use std::time::{Duration, Instant};

use crate::stack::Stack;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A host that has lived for so long was well.
const WELL: Duration = Duration::from_secs(60);

/// Keeps the stack's host running, and says each time why it had ended.
pub(crate) async fn keep_running(stack: &mut Stack, say: impl Fn(&str)) {
    let mut pause = FIRST;
    loop {
        let started = Instant::now();
        let reason = stack.stopped().await;
        say(&format!(
            "the host ended by itself and is started again: {reason}"
        ));
        if started.elapsed() > WELL {
            pause = FIRST;
        }
        stack.stop_host().await;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
            match stack.start_host().await {
                Ok(()) => break,
                Err(error) => say(&format!("the host does not start: {error:#}")),
            }
        }
    }
}
