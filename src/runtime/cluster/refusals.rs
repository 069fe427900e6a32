//! Who was turned away at the door of a process, and why: a line in the log for some, a count for
//! all.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So many refusals of an [`INTERVAL`] are warnings; all others are for those who look closer.
const WARNINGS_MAX: usize = 10;

const INTERVAL: Duration = Duration::from_secs(10);

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It hung up before it was known.
    HungUp,
    /// What it says is no handshake.
    Stranger,
    /// It said too little in time.
    Slow,
    /// Too many others came after it.
    Crowd,
    /// It does not know the secret.
    Secret,
    /// It was started with other numbers or jobs.
    Differs,
    /// There is another process with its index.
    Taken,
    /// It belongs to another generation.
    Generation,
    /// It goes on from another checkpoint.
    Checkpoint,
    /// It speaks TLS where that is plain, or its certificate is refused.
    Tls,
    /// It speaks without TLS.
    Plaintext,
}

impl Reason {
    /// All reasons with their names as labels.
    const ALL: [(Reason, &'static str); 11] = [
        (Reason::HungUp, "hung_up"),
        (Reason::Stranger, "stranger"),
        (Reason::Slow, "slow"),
        (Reason::Crowd, "crowd"),
        (Reason::Secret, "secret"),
        (Reason::Differs, "differs"),
        (Reason::Taken, "taken"),
        (Reason::Generation, "generation"),
        (Reason::Checkpoint, "checkpoint"),
        (Reason::Tls, "tls"),
        (Reason::Plaintext, "plaintext"),
    ];
}

/// Counts of refused connections, by reason.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counts: [u64; Reason::ALL.len()],
    /// When the interval began, and how many of its refusals were warnings.
    warned: Option<(Instant, usize)>,
}

impl Refusals {
    /// Counts one; says so in the log, though not for everybody of a crowd.
    pub(super) fn count(&mut self, from: SocketAddr, reason: Reason, why: &str) {
        self.counts[reason as usize] += 1;
        let now = Instant::now();
        let (since, warnings) = self.warned.get_or_insert((now, 0));
        if INTERVAL <= now.duration_since(*since) {
            (*since, *warnings) = (now, 0);
        }
        *warnings += 1;
        match (*warnings).cmp(&WARNINGS_MAX) {
            std::cmp::Ordering::Greater => {
                tracing::debug!("refused a connection from {from}: {why}");
            }
            std::cmp::Ordering::Equal => {
                tracing::warn!(
                    "refused a connection from {from}: {why}; the next ones are only counted"
                );
            }
            std::cmp::Ordering::Less => tracing::warn!("refused a connection from {from}: {why}"),
        }
    }

    /// How many there were for a reason.
    pub fn of(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// All that there were, by the names of their reasons.
    pub fn named(&self) -> BTreeMap<String, u64> {
        let some = Reason::ALL.iter().filter(|(reason, _)| 0 < self.of(*reason));
        some.map(|(reason, name)| (name.to_string(), self.of(*reason))).collect()
    }

    /// How many there were.
    pub fn all(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections refused", self.all())?;
        let some = Reason::ALL.iter().filter(|(reason, _)| 0 < self.of(*reason));
        for (index, (reason, name)) in some.enumerate() {
            write!(f, "{} {name} {}", if index == 0 { ":" } else { "," }, self.of(*reason))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_reasons() {
        let (mut refusals, from) = (Refusals::default(), ([127, 0, 0, 1], 1).into());
        assert_eq!(refusals.to_string(), "0 connections refused");
        for (index, (reason, _)) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            (0..index).for_each(|_| refusals.count(from, *reason, "of a test"));
        }
        assert_eq!((refusals.all(), refusals.of(Reason::Checkpoint)), (55, 8));
        assert!(refusals.to_string().starts_with("55 connections refused: stranger 1, slow 2,"));
    }
}
