//! Runs jobs on the workers of a process, alone or among others, from the checks at the start to
//! the last answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::execute::execute_from;
use timely::worker::ProgressMode;

use super::cluster::Peers;
use super::context::{Failure, OnFailure};
use super::job::Job;
use super::stop::Stop;
use super::worker::{Begun, work};
use crate::error::{Error, Kind, Result};
use crate::host::Host;

/// How many workers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// Worker threads of this process.
    pub threads: usize,
    /// `--zerocopy`: serialise between the threads of a process as well.
    pub zerocopy: bool,
    /// `--progress-mode eager`: send progress at once, even if it may change nothing.
    pub eager: bool,
}

impl Workers {
    /// So many threads.
    pub fn threads(threads: usize) -> Workers {
        Workers { threads, zerocopy: false, eager: false }
    }

    fn config(&self) -> timely::WorkerConfig {
        timely::WorkerConfig::default().progress_mode(match self.eager {
            true => ProgressMode::Eager,
            false => ProgressMode::Demand,
        })
    }
}

/// How a process deals with the others that it is connected with.
#[derive(Clone, Copy, Debug)]
pub struct Among {
    /// What is done with the first error; it should not return.
    pub fail: OnFailure,
    /// `cluster.frame_bytes_max`.
    pub frame_bytes_max: usize,
    /// `cluster.silence_max`.
    pub silence_max: Duration,
}

/// Waiting for sources and sinks at the start.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// `connect.attempts`.
    pub attempts: usize,
    /// `connect.every`.
    pub every: Duration,
}

/// Runs jobs in this process until their input ends, somebody asks for the end, or one fails.
///
/// # Errors
///
/// What made the jobs end before their time.
pub fn run(jobs: Vec<Arc<Job>>, workers: &Workers, stop: &Stop) -> Result<()> {
    run_on(&Host::default(), jobs, workers, stop)
}

/// As [`run`], on a host.
///
/// # Errors
///
/// As [`run`].
pub fn run_on(host: &Host, jobs: Vec<Arc<Job>>, workers: &Workers, stop: &Stop) -> Result<()> {
    let communication = match workers.threads {
        1 => timely::CommunicationConfig::Thread,
        threads if workers.zerocopy => timely::CommunicationConfig::ProcessBinary(threads),
        threads => timely::CommunicationConfig::Process(threads),
    };
    let (builders, others) = communication.try_build().map_err(Error::unreachable)?;
    let communication = Communication { builders, others, silence_max: None };
    execute(host, communication, jobs, workers, (stop, Failure::default()))
}

/// Runs this process's share of jobs, as [`run`], among processes that are connected already.
///
/// An error here, or a lost peer, has to end the process at once: what it holds back must not be
/// given up, or other processes would close windows that are open. So `among.fail` should not
/// return, and the panic hook has to end the process as well: timely panics when a peer is lost.
///
/// # Errors
///
/// What made the jobs end before their time, if `fail` returns.
pub fn run_among(
    peers: Peers,
    jobs: Vec<Arc<Job>>,
    workers: &Workers,
    stop: &Stop,
    among: Among,
) -> Result<()> {
    let hooks = Hooks::default();
    let (refill, spill) = (hooks.refill.clone(), hooks.spill.clone());
    let inner = match workers.zerocopy {
        true => ProcessBuilder::new_bytes_vector(workers.threads, refill, spill),
        false => ProcessBuilder::new_typed_vector(workers.threads, refill, spill),
    };
    let index = peers.index;
    let sockets = peers.streams(workers.threads, among.frame_bytes_max);
    let connected =
        initialize_networking_from_sockets(inner, sockets, index, workers.threads, hooks);
    let (builders, guard) = connected.map_err(Error::unreachable)?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
    let silence_max = Some(among.silence_max);
    let communication = Communication { builders, others: Box::new(guard), silence_max };
    let host = Host::default();
    execute(&host, communication, jobs, workers, (stop, Failure::then(among.fail)))
}

/// What timely needs to let workers talk to each other.
struct Communication {
    builders: Vec<AllocatorBuilder>,
    others: Box<dyn Any + Send>,
    /// Among several processes: how long one may be silent.
    silence_max: Option<Duration>,
}

fn execute(
    host: &Host,
    communication: Communication,
    jobs: Vec<Arc<Job>>,
    workers: &Workers,
    (stop, failure): (&Stop, Failure),
) -> Result<()> {
    let Communication { builders, others, silence_max } = communication;
    let (fail, stop, start) = (failure.clone(), stop.clone(), host.now());
    let begun = Begun { host: host.clone(), start, threads: workers.threads, silence_max };
    let guards = execute_from(builders, others, workers.config(), move |worker| {
        let _seat = begun.host.enter(worker.index());
        // A panic here would leave the other threads waiting for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(worker, &jobs, &stop, &fail, &begun)));
        if let Err(panic) = outcome {
            fail.set(Error::bug(format!("a worker panicked: {}", text(&*panic))));
        }
        if fail.is_set() {
            // timely would go on with what is left of the dataflows.
            worker.installed_dataflows().into_iter().for_each(|flow| worker.drop_dataflow(flow));
        }
    });
    let guards = guards.map_err(Error::unreachable)?;
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
        patiently(patience, stop, &place, || bound.check())?;
    }
    patiently(patience, stop, "dead letters", || job.letters.check())
}

/// Tries again while something is unreachable; `place` is what messages call it.
///
/// # Errors
///
/// The last one of the call.
pub fn patiently(
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
