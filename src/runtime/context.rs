//! What the operators of one job share on one worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use timely::scheduling::Activator;

use super::alarms::Alarms;
use super::ticks::Pace;
use crate::checkpoint::Agent;
use crate::error::Error;
use crate::host::Host;
use crate::observe::JobBoard;
use crate::operators::floors::Floors;

/// Processing time since the start of the job.
pub trait Clock {
    /// The time that has passed.
    fn now(&self) -> Duration;
}

/// The clock of the host.
#[derive(Clone, Debug)]
pub struct WallClock {
    /// Whose clock it is.
    pub host: Host,
    /// When the process began.
    pub start: Instant,
    /// What the clock showed then: not zero, if a checkpoint was restored.
    pub ahead: Duration,
}

impl Clock for WallClock {
    fn now(&self) -> Duration {
        self.ahead + self.host.since(self.start)
    }
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reads.
    Running,
    /// Reads no more; what was read is processed.
    Stopping,
    /// All that was read is in the sinks of this worker; nothing closes any more.
    Confirmed,
    /// The same holds for all workers: capabilities may go, open windows stay unwritten.
    Halted,
}

/// What the operators of one job share on one worker.
pub struct Context {
    /// The machine.
    pub host: Host,
    /// Wakes operators later.
    pub alarms: Alarms,
    /// Processing time.
    pub clock: Box<dyn Clock>,
    /// Ticks and epochs.
    pub pace: Pace,
    /// Least tick that is not complete on all workers.
    pub completed: Cell<u64>,
    /// Least tick that the sinks of all workers have not confirmed.
    pub confirmed: Cell<u64>,
    /// What the job does.
    pub phase: Cell<Phase>,
    /// The greatest tick at which a source of this worker may have read.
    pub reached: Cell<u64>,
    /// Whether sinks get some rows only when an epoch is complete.
    pub by_epoch: Cell<bool>,
    /// Wakes the operators that act on a change of the phase.
    pub operators: RefCell<Vec<Activator>>,
    /// Index of this worker.
    pub worker: usize,
    /// How many workers there are.
    pub peers: usize,
    /// Whether it speaks for its process: one worker of each does.
    pub speaks: bool,
    /// Name of the system, for letters.
    pub system: String,
    /// What others may see of the job.
    pub board: Arc<JobBoard>,
    /// The first error that ends the process.
    pub failure: Failure,
    /// What readers say of idle partitions, and what was decided about them.
    pub floors: Rc<Floors>,
    /// This worker's share in the checkpoints, if there are any.
    pub agent: Option<Rc<Agent>>,
    /// Positions by epoch, until all sinks have confirmed it.
    pub positions: RefCell<Vec<EpochPositions>>,
}

impl Context {
    /// The tick by which everything that was read has left for the sinks.
    pub fn settled(&self) -> u64 {
        let reached = self.reached.get();
        match self.by_epoch.get() {
            true => self.pace.first_tick(self.pace.epoch(reached) + 1) - 1,
            false => reached,
        }
    }

    /// The first epoch of this attempt to run the job.
    pub fn first_epoch(&self) -> u64 {
        self.agent.as_ref().map_or(0, |agent| agent.checkpoints.first_epoch())
    }

    /// The last tick before the first epoch: what was restored is shown to views at this tick, so
    /// that all that comes of the first epoch is a change of it.
    pub fn tick_before(&self) -> u64 {
        self.pace.first_tick(self.first_epoch()).saturating_sub(1)
    }

    /// Whether an epoch is in a checkpoint, where there are any.
    pub fn is_kept(&self, epoch: u64) -> bool {
        self.agent.as_ref().is_none_or(|agent| Some(epoch) <= agent.published())
    }

    /// Moves on to a phase, and has every operator act on it.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.operators.borrow().iter().for_each(Activator::activate);
    }
}

/// Where a source stood at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochPositions {
    /// The epoch.
    pub epoch: u64,
    /// Number of the source.
    pub source: usize,
    /// Partition and next offset.
    pub offsets: Vec<(u32, i64)>,
}

/// The first error that ends the process; shared by all threads.
#[derive(Clone, Default)]
pub struct Failure(Arc<Inner>);

#[derive(Default)]
struct Inner {
    error: Mutex<Option<Error>>,
    then: Option<OnFailure>,
}

/// What is done with the first error, by the thread that has met it.
pub type OnFailure = fn(&Error);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Failure").field(&self.get()).finish()
    }
}

impl Failure {
    /// One that acts on the first error before anybody else sees it: among several processes a
    /// failed one has to be gone before it gives up its share of the watermark.
    pub fn then(act: OnFailure) -> Failure {
        Failure(Arc::new(Inner { error: Mutex::default(), then: Some(act) }))
    }

    /// Keeps an error, unless there is one already.
    pub fn set(&self, error: Error) {
        let mut first = self.lock();
        if first.is_none() {
            if let Some(act) = self.0.then {
                act(&error);
            }
            *first = Some(error);
        }
    }

    /// The error.
    pub fn get(&self) -> Option<Error> {
        self.lock().clone()
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.0.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
