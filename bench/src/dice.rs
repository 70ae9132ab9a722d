//! Chance, free of system calls.
//! Never good enough for secrets.

/// SplitMix64: good enough to choose products and make keys.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of client number `client`, another one in each run.
    pub(crate) fn of_client(client: u64) -> Self {
        Self(client.wrapping_mul(0x5851_F42D_4C95_7F2D) ^ crate::figures::now())
    }

    /// The same throws each time.
    pub(crate) fn same() -> Self {
        Self(0)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of so many, from 0 on.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let roll = usize::try_from(self.roll() >> 32).unwrap_or_default();
        roll % count.max(1)
    }
}
