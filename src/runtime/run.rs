//! Runs jobs on the workers of a process, from the checks at the start to the last answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::context::Failure;
use super::job::Job;
use super::stop::Stop;
use super::worker::work;
use crate::error::{Error, Kind, Result};

/// How many workers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// Worker threads of this process.
    pub threads: usize,
    /// `--zerocopy`: serialise between the threads of a process as well.
    pub zerocopy: bool,
}

impl Workers {
    /// So many threads in one process.
    pub fn threads(threads: usize) -> Workers {
        Workers { threads, zerocopy: false }
    }
}

/// Waiting for sources and sinks at the start.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// `connect.attempts`.
    pub attempts: usize,
    /// `connect.every`.
    pub every: Duration,
}

/// Runs jobs until their input ends, somebody asks for the end, or one fails.
///
/// # Errors
///
/// What made the jobs end before their time.
pub fn run(jobs: Vec<Arc<Job>>, workers: &Workers, stop: &Stop) -> Result<()> {
    let failure = Failure::default();
    let config = timely::Config {
        communication: match workers.threads {
            1 => timely::CommunicationConfig::Thread,
            threads if workers.zerocopy => timely::CommunicationConfig::ProcessBinary(threads),
            threads => timely::CommunicationConfig::Process(threads),
        },
        worker: timely::WorkerConfig::default(),
    };
    let (fail, stop, start) = (failure.clone(), stop.clone(), Instant::now());
    let guards = timely::execute(config, move |worker| {
        // A panic here would leave the other threads waiting for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(worker, &jobs, &stop, &fail, start)));
        if let Err(panic) = outcome {
            fail.set(Error::bug(format!("a worker panicked: {}", text(&*panic))));
        }
    });
    let guards = guards.map_err(|error| Error::new(Kind::Unreachable, error))?;
    for outcome in guards.join() {
        if let Err(error) = outcome {
            failure.set(Error::bug(format!("a worker panicked: {error}")));
        }
    }
    failure.get().map_or(Ok(()), Err)
}

/// Looks at every source and sink of a job before it runs; waits for those that are away.
///
/// # Errors
///
/// What is wrong with one of them.
pub fn check(job: &Job, patience: Patience, stop: &Stop) -> Result<()> {
    let plan = job.plan()?;
    for source in &plan.sources {
        let bound = job.source(&source.name)?;
        let place = format!("source `{}`", source.name);
        patiently(patience, stop, &place, || bound.connector.check())?;
    }
    let views = job.sinks.iter().flat_map(|(view, sinks)| sinks.iter().map(move |s| (view, s)));
    for (view, bound) in views {
        let place = format!("view `{view}`");
        patiently(patience, stop, &place, || {
            bound.sink.lock().unwrap_or_else(PoisonError::into_inner).check()
        })?;
    }
    let letters = &job.letters.sink;
    patiently(patience, stop, "dead letters", || {
        letters.lock().unwrap_or_else(PoisonError::into_inner).check()
    })
}

/// Tries again while something is unreachable.
fn patiently(
    patience: Patience,
    stop: &Stop,
    place: &str,
    mut call: impl FnMut() -> Result<()>,
) -> Result<()> {
    for attempt in 1.. {
        let error = match call() {
            Ok(()) => return Ok(()),
            Err(error) => error.within(place),
        };
        if error.kind() != Kind::Unreachable || patience.attempts <= attempt || stop.is_asked() {
            return Err(error);
        }
        tracing::warn!("{error} (attempt {attempt}/{})", patience.attempts);
        let until = Instant::now() + patience.every;
        while Instant::now() < until && !stop.is_asked() {
            std::thread::sleep(Duration::from_millis(50).min(patience.every));
        }
    }
    Ok(())
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no text".into())
}
