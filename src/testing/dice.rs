//! [`Dice`]: random numbers of a test that can be thrown again.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::hash;

/// Numbers from a seed that is printed; `HIGHWATER_SEED` gives the same again.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// With the seed of the environment, or one of the clock.
    #[allow(clippy::new_without_default, reason = "two of them are not the same")]
    pub fn new() -> Dice {
        let given = std::env::var("HIGHWATER_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_micros());
        let seed = given.unwrap_or_else(|| clock() as u64);
        // Shown with a test that fails, and then only.
        eprintln!("HIGHWATER_SEED={seed}");
        Dice(seed)
    }

    /// With a seed; nothing is printed.
    pub fn of(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Below `high`, which is not zero.
    pub fn below(&mut self, high: u64) -> u64 {
        self.0 = hash::of(&self.0);
        self.0 % high
    }

    /// At least `low`, and below `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }
}
