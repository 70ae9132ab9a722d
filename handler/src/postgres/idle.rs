//! Idle connections: the one used last is used next, and one that was idle for a minute is closed.
//! Never decides how many there may be: of those that a rush has made, the ones in use stay.

use std::{
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The time after which an idle item is dropped.
const KEPT: Duration = Duration::from_secs(60);

/// Items, each with the time since which it is idle, oldest first.
type IdleItems<T> = Mutex<Vec<(Instant, T)>>;

/// Idle items; those at the bottom grow old.
#[derive(Debug)]
pub(super) struct IdleStack<T> {
    waiting: Arc<IdleItems<T>>,
    watched: Once,
}

impl<T> IdleStack<T> {
    pub(super) fn new() -> Self {
        Self {
            waiting: Arc::default(),
            watched: Once::new(),
        }
    }

    /// The item that was used last, so that the others can grow old.
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

impl<T: Send + 'static> IdleStack<T> {
    /// Starts the task that drops old items; it ends with the stack.
    pub(super) fn watch(&self) {
        self.watched.call_once(|| {
            tokio::spawn(let_go(Arc::downgrade(&self.waiting)));
        });
    }
}

async fn let_go<T>(waiting: Weak<IdleItems<T>>) {
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

fn lock<T>(waiting: &IdleItems<T>) -> MutexGuard<'_, Vec<(Instant, T)>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_idle_for_a_minute_are_closed_and_those_in_use_stay() {
        let idle = IdleStack::new();
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
