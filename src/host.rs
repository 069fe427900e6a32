//! [`Host`]: what a running job asks of its machine: the time, threads, and to wait.
//!
//! ```text
//! worker, keeper, thread of a sink ──► Host ──► the machine: std::time, std::thread, Condvar
//!                                          └──► a Stage: one thread at a time, a clock of its own
//! ```
//!
//! On a machine each call is one of the standard library. A simulation puts a [`Stage`] in its
//! place, which lets one thread run at a time, in an order that a seed decides, and whose clock
//! stands still while it runs. All waiting of these threads has to go through here: one that waits
//! by other means keeps its turn, and nobody is left to wake it.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Time;

/// The machine that a job runs on, or what a test puts in its place.
#[derive(Clone, Default)]
pub struct Host(Option<Arc<dyn Stage>>);

/// In the place of a machine: lets one thread run at a time.
///
/// Threads are numbered; workers have the first numbers, by their index.
pub trait Stage: Send + Sync {
    /// The time that never goes back.
    fn now(&self) -> Instant;

    /// The time of day.
    fn wall_time(&self) -> Time;

    /// Whether the machine is on. Once it is not, everything comes to its end, and nothing that is
    /// still done counts.
    fn is_on(&self) -> bool;

    /// Announces a thread that the calling one is about to start; its number.
    fn announce(&self, name: &str) -> usize;

    /// The calling thread has this number: waits for its first turn.
    fn enter(&self, number: usize);

    /// The calling thread gives its turn back for ever.
    fn leave(&self, number: usize);

    /// The calling thread gives its turn back until another has left.
    fn join(&self, number: usize);

    /// A new number to wait for.
    fn signal(&self) -> usize;

    /// The calling thread gives its turn back until somebody notifies, or the time is over.
    fn wait(&self, signal: usize, timeout: Option<Duration>);

    /// Ends the waiting of all that wait for a signal.
    fn notify(&self, signal: usize);

    /// A worker gives its turn back; if nothing happens meanwhile, for so long at most.
    fn turn(&self, pause: Duration);
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Host(stage)" } else { "Host(machine)" })
    }
}

impl Host {
    /// A stage in the place of the machine.
    pub fn staged(stage: Arc<dyn Stage>) -> Host {
        Host(Some(stage))
    }

    /// The time that never goes back.
    pub fn now(&self) -> Instant {
        self.0.as_ref().map_or_else(Instant::now, |stage| stage.now())
    }

    /// The time since an instant; zero if that is still to come.
    pub fn since(&self, instant: Instant) -> Duration {
        self.now().saturating_duration_since(instant)
    }

    /// The time of day; it may go back.
    pub fn wall_time(&self) -> Time {
        if let Some(stage) = &self.0 {
            return stage.wall_time();
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is a clock that nobody has set.
        Time::from_micros(since.map_or(0, |since| since.as_micros() as i64))
    }

    /// The stage, if there is one.
    pub fn stage(&self) -> Option<&Arc<dyn Stage>> {
        self.0.as_ref()
    }

    /// Starts a thread.
    ///
    /// # Errors
    ///
    /// The system refuses another one.
    pub fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
        let seat = self.0.as_ref().map(|stage| (stage.clone(), stage.announce(&name)));
        let joins = seat.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let _seat = seat.map(|(stage, number)| Seat::take(stage, number));
            body();
        })?;
        Ok(Thread { thread, joins })
    }

    /// Takes part as a worker, until what is returned is dropped; of no meaning on a machine.
    pub fn enter(&self, worker: usize) -> Option<Seat> {
        Some(Seat::take(self.0.clone()?, worker))
    }
}

/// A thread that was started.
pub struct Thread {
    thread: std::thread::JoinHandle<()>,
    joins: Option<(Arc<dyn Stage>, usize)>,
}

impl Thread {
    /// Waits until it has ended. If it panicked, the hook has reported that already.
    pub fn join(self) {
        if let Some((stage, number)) = self.joins {
            stage.join(number);
        }
        let _ = self.thread.join();
    }
}

/// The place of a thread on a stage, until it is dropped.
pub struct Seat {
    stage: Arc<dyn Stage>,
    number: usize,
}

impl Seat {
    fn take(stage: Arc<dyn Stage>, number: usize) -> Seat {
        stage.enter(number);
        Seat { stage, number }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stage.leave(self.number);
    }
}

/// A condition variable.
#[derive(Debug)]
pub struct Signal {
    machine: Condvar,
    staged: Option<(Host, usize)>,
}

impl Signal {
    /// That nobody waits for yet.
    pub fn new(host: &Host) -> Signal {
        let staged = host.0.as_ref().map(|stage| (host.clone(), stage.signal()));
        Signal { machine: Condvar::new(), staged }
    }

    /// Releases a lock until somebody notifies or the time is over, or sooner. `guard` is of
    /// `mutex`.
    pub fn wait<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        if let Some((Host(Some(stage)), number)) = &self.staged {
            // Nobody else runs between these two.
            drop(guard);
            stage.wait(*number, timeout);
            return mutex.lock().unwrap_or_else(PoisonError::into_inner);
        }
        match timeout {
            None => self.machine.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.machine.wait_timeout(guard, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// Ends the waiting of all.
    pub fn notify_all(&self) {
        match &self.staged {
            Some((Host(Some(stage)), number)) => stage.notify(*number),
            _ => self.machine.notify_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_the_machine_is_woken_by_a_signal() {
        let host = Host::default();
        let shared = Arc::new((Mutex::new(0), Signal::new(&host)));
        let other = shared.clone();
        let thread = host.spawn("other".into(), move || {
            *other.0.lock().unwrap() = 7;
            other.1.notify_all();
        });
        let (number, changed) = &*shared;
        let mut found = number.lock().unwrap();
        while *found == 0 {
            found = changed.wait(number, found, Some(Duration::from_secs(20)));
        }
        assert_eq!(*found, 7);
        drop(found);
        thread.unwrap().join();
    }
}
