//! How far a worker is with a job: three numbers, stored at every turn of its loop.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How far one worker is with a job.
#[derive(Debug, Default)]
pub struct WorkerProgress {
    reached: AtomicU64,
    completed: AtomicU64,
    confirmed: AtomicU64,
}

/// What a worker said last, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The greatest tick at which it may have read.
    pub reached: u64,
    /// The least tick that is not complete on all workers.
    pub completed: u64,
    /// The least tick that the sinks of all workers have not confirmed.
    pub confirmed: u64,
}

impl WorkerProgress {
    /// The worker has made a turn.
    pub fn turn(&self, now: Reached) {
        self.reached.store(now.reached, Relaxed);
        self.completed.store(now.completed, Relaxed);
        self.confirmed.store(now.confirmed, Relaxed);
    }

    /// Where it was at its last turn. Each number is one that it said, not all of one turn.
    pub fn get(&self) -> Reached {
        Reached {
            reached: self.reached.load(Relaxed),
            completed: self.completed.load(Relaxed),
            confirmed: self.confirmed.load(Relaxed),
        }
    }
}

impl Reached {
    /// Whether its sources do not read, as so many ticks are under way: a sink is full, or another
    /// worker is slow.
    ///
    /// ```
    /// use highwater::observe::progress::Reached;
    ///
    /// let reached = Reached { reached: 40, completed: 8, confirmed: 0 };
    /// assert!(reached.is_held(32));
    /// assert!(!Reached { completed: 9, ..reached }.is_held(32));
    /// ```
    pub fn is_held(self, in_flight_max: u64) -> bool {
        self.completed.saturating_add(in_flight_max) <= self.reached
    }
}
