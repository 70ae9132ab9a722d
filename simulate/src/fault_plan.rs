//! Chance, and what it did: everything in a run that is not the product's own doing is drawn here, from one seed, and told
//! here, step by step. Never a clock of the machine: time is the runtime's, which stands still while any task works.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher},
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::trouble::{KINDS, TROUBLES, Trouble};

/// Of ten kinds of trouble, so many are left out of a run: what hides behind another kind shows without it.
const LEFT_OUT_OF_TEN: u64 = 4;

/// The chance of a run.
pub(crate) struct FaultPlan {
    started: Instant,
    print: bool,
    inner: Mutex<PlanState>,
}

struct PlanState {
    dice: StdRng,
    /// Of a thousand chances.
    rates: [u64; KINDS],
    counts: [u64; KINDS],
    over: bool,
    steps: u64,
    hasher: DefaultHasher,
}

/// The sums of a run, seen from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunCounts {
    /// The number of times that each kind of trouble struck.
    pub(crate) troubles: [u64; KINDS],
    pub(crate) steps: u64,
    /// Of all steps, with their times.
    pub(crate) hash: u64,
}

impl FaultPlan {
    /// Everything comes from this seed. Must be called on the runtime of the run.
    pub(crate) fn new(seed: u64, print: bool) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let rates = TROUBLES.map(|(_, most)| {
            if dice.random_range(0..10) < LEFT_OUT_OF_TEN {
                0
            } else {
                dice.random_range(1..=most)
            }
        });
        Self {
            started: Instant::now(),
            print,
            inner: Mutex::new(PlanState {
                dice,
                rates,
                counts: [0; KINDS],
                over: false,
                steps: 0,
                hasher: DefaultHasher::new(),
            }),
        }
    }

    /// True when this trouble strikes now; counted and told.
    pub(crate) fn strikes(&self, trouble: Trouble) -> bool {
        let strikes = {
            let mut inner = self.inner();
            let rate = inner.rates[trouble as usize];
            let strikes = !inner.over && rate > 0 && inner.dice.random_range(0..1_000) < rate;
            inner.counts[trouble as usize] += u64::from(strikes);
            strikes
        };
        if strikes {
            self.say(format_args!("  ! {}", TROUBLES[trouble as usize].0));
        }
        strikes
    }

    /// A number out of these.
    pub(crate) fn between(&self, range: RangeInclusive<u64>) -> u64 {
        self.inner().dice.random_range(range)
    }

    /// One of so many.
    pub(crate) fn pick(&self, of: usize) -> usize {
        self.inner().dice.random_range(0..of.max(1))
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&self, chance: u64) -> bool {
        self.between(1..=100) <= chance
    }

    /// So many milliseconds.
    pub(crate) fn ms(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.between(range))
    }

    /// Waits so many milliseconds.
    pub(crate) async fn wait(&self, range: RangeInclusive<u64>) {
        sleep(self.ms(range)).await;
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn relent(&self) {
        self.inner().over = true;
    }

    /// Tells a step.
    pub(crate) fn say(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>12.3} {what}", self.started.elapsed().as_secs_f64());
        let mut inner = self.inner();
        inner.steps += 1;
        inner.hasher.write(line.as_bytes());
        if self.print {
            println!("{line}");
        }
    }

    /// The sums so far.
    pub(crate) fn tally(&self) -> RunCounts {
        let inner = self.inner();
        RunCounts {
            troubles: inner.counts,
            steps: inner.steps,
            hash: inner.hasher.finish(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, PlanState> {
        lock(&self.inner)
    }
}

/// Takes a lock that is never held across a wait: the whole run is one thread.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has this done by another side after so long: what is on its way arrives, whatever becomes of who sent it.
pub(crate) async fn far<T: Send + 'static>(after: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let arriving = tokio::spawn(async move {
        sleep(after).await;
        work()
    });
    match arriving.await {
        Ok(answer) => answer,
        // It has panicked: so there is no answer.
        Err(_) => std::future::pending().await,
    }
}
