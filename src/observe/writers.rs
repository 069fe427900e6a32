//! How writers of sinks fare: how many of their tries have failed, and since when none succeeds.
//!
//! A writer says so on its own thread, once per call of its sink; whoever reports reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How one writer fares.
#[derive(Debug, Default)]
pub struct WriterHealth {
    state: Mutex<State>,
    /// Rows that wait in its queue.
    pending: AtomicU64,
    /// One more than the last epoch that it has confirmed; 0 before the first.
    confirmed: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    failed: u64,
    /// When the call that is being made began.
    begun: Option<Instant>,
    /// When its first try failed.
    failing: Option<Instant>,
}

impl WriterHealth {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    pub fn begin(&self, now: Instant) {
        self.state().begun = Some(now);
    }

    /// A try of the call has failed.
    pub fn fail(&self, now: Instant) {
        let mut state = self.state();
        state.failed += 1;
        state.failing.get_or_insert(now);
    }

    /// The call has succeeded.
    pub fn succeed(&self) {
        let mut state = self.state();
        (state.begun, state.failing) = (None, None);
    }

    /// How many tries have failed since the start.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// So many rows wait for it.
    pub fn set_pending(&self, rows: usize) {
        self.pending.store(rows as u64, Relaxed);
    }

    /// How many rows wait for it.
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// All rows up to the end of an epoch are written.
    pub fn confirm(&self, epoch: u64) {
        self.confirmed.fetch_max(epoch + 1, Relaxed);
    }

    /// The last epoch all rows of which are written.
    pub fn confirmed(&self) -> Option<u64> {
        self.confirmed.load(Relaxed).checked_sub(1)
    }

    /// For how long the call has been made that is being made.
    pub fn busy(&self, now: Instant) -> Option<Duration> {
        self.state().begun.map(|begun| now.saturating_duration_since(begun))
    }

    /// For how long its tries have failed.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use highwater::observe::writers::WriterHealth;
    ///
    /// let (health, begin) = (WriterHealth::default(), Instant::now());
    /// let after = |seconds| begin + Duration::from_secs(seconds);
    /// health.begin(begin);
    /// health.fail(after(1));
    /// health.fail(after(2));
    /// assert_eq!(health.away(after(5)), Some(Duration::from_secs(4)));
    /// assert_eq!(health.busy(after(5)), Some(Duration::from_secs(5)));
    /// health.succeed();
    /// assert_eq!((health.away(after(6)), health.busy(after(6))), (None, None));
    /// assert_eq!(health.failed(), 2);
    /// ```
    pub fn away(&self, now: Instant) -> Option<Duration> {
        self.state().failing.map(|failing| now.saturating_duration_since(failing))
    }
}
