//! Random pauses: processes that were refused together must not come back together.
//! Never repeats itself, unless a simulation gives a seed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// A source of random pauses.
#[derive(Debug)]
pub struct Jitter(Mutex<StdRng>);

impl Default for Jitter {
    fn default() -> Self {
        Self(Mutex::new(StdRng::from_rng(&mut rand::rng())))
    }
}

impl Jitter {
    /// One that repeats itself.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Between half and all of this pause.
    #[must_use]
    pub fn spread(&self, pause: Duration) -> Duration {
        let mut chance = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chance.random_range(pause / 2..=pause)
    }
}
