//! What was given back and waits to be used again; what nobody has wanted for a minute is let go.
//! Never decides how many there may be: of those that a rush has made, the ones in use stay.

use std::{
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How long something is kept that nobody wants.
const KEPT: Duration = Duration::from_secs(60);

/// Things with the time since when each waits, oldest first.
type Waiting<T> = Mutex<Vec<(Instant, T)>>;

#[derive(Debug)]
pub(super) struct Idle<T> {
    waiting: Arc<Waiting<T>>,
    watched: Once,
}

impl<T> Idle<T> {
    pub(super) fn new() -> Self {
        Self {
            waiting: Arc::default(),
            watched: Once::new(),
        }
    }

    /// The one that was used last, so that the others can grow old.
    pub(super) fn take(&self) -> Option<T> {
        lock(&self.waiting).pop().map(|(_, thing)| thing)
    }

    pub(super) fn put(&self, thing: T) {
        lock(&self.waiting).push((Instant::now(), thing));
    }

    pub(super) fn clear(&self) {
        lock(&self.waiting).clear();
    }
}

impl<T: Send + 'static> Idle<T> {
    /// Has what is old let go, from now on until all of it is dropped.
    pub(super) fn watch(&self) {
        self.watched.call_once(|| {
            tokio::spawn(let_go(Arc::downgrade(&self.waiting)));
        });
    }
}

async fn let_go<T>(waiting: Weak<Waiting<T>>) {
    while let Some(waiting) = waiting.upgrade() {
        let now = Instant::now();
        let next = {
            let mut things = lock(&waiting);
            let old = things.partition_point(|(since, _)| *since + KEPT <= now);
            things.drain(..old);
            things.first().map_or(now, |(since, _)| *since) + KEPT
        };
        drop(waiting);
        sleep_until(next).await;
    }
}

fn lock<T>(waiting: &Waiting<T>) -> MutexGuard<'_, Vec<(Instant, T)>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_has_wanted_for_a_minute_is_let_go_and_what_is_in_use_stays() {
        let idle = Idle::new();
        idle.watch();
        let things = [Arc::new("seldom"), Arc::new("often")];
        things.iter().for_each(|thing| idle.put(Arc::clone(thing)));
        for _ in 0..20 {
            sleep(KEPT / 10).await;
            let used = idle.take().unwrap();
            assert_eq!(*used, "often");
            idle.put(used);
        }
        assert_eq!(things.each_ref().map(Arc::strong_count), [1, 2]);
        sleep(KEPT * 2).await;
        assert_eq!(things.each_ref().map(Arc::strong_count), [1, 1]);
        assert!(idle.take().is_none());
    }
}
