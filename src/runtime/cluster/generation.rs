//! Which attempt to run a job a process belongs to.

use super::secret::random;
use crate::error::Result;
use crate::runtime::wall_time;

/// One attempt to run a job, from the start of all its processes to the end of the first one.
///
/// Process 0 makes it, all others hear of it from process 0. A later attempt is greater; of two
/// that were made in the same microsecond, by a clock that went back, the nonce tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    /// The microsecond in which it was made, or more.
    pub number: u64,
    /// Made by nobody else.
    pub nonce: u64,
}

impl Generation {
    /// A new one: `least` is greater than every earlier one that the job knows of.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn mint(least: u64) -> Result<Generation> {
        let now = wall_time().micros().unsigned_abs();
        Ok(Generation { number: now.max(least).max(1), nonce: u64::from_be_bytes(random()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_generation_is_greater_and_none_is_like_another() {
        let first = Generation::mint(0).expect("a generation");
        let again = Generation::mint(first.number).expect("a generation");
        assert!(first.number <= again.number && first != again);
        let ahead = Generation::mint(u64::MAX).expect("a generation");
        assert_eq!(ahead.number, u64::MAX);
        assert!(again < ahead);
    }
}
