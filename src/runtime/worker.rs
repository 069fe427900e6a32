//! What one worker does: builds the jobs, then steps them until they end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::worker::Worker;

use super::alarms::Alarms;
use super::build::{Probes, build};
use super::cluster::heartbeat::Heartbeat;
use super::context::{Context, Failure, Phase, WallClock};
use super::job::Job;
use super::stop::{Stop, Stopper};
use super::wall_time;
use crate::checkpoint::Agent;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::host::Host;
use crate::observe::progress::Reached;
use crate::operators::checkpoints::CheckpointExchange;
use crate::operators::floors::FloorExchange;

/// How long a worker sleeps at most before it looks whether somebody asked for the end.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// What all workers of a process begin with.
#[derive(Clone)]
pub(super) struct Begun {
    /// The machine.
    pub(super) host: Host,
    /// When the process began.
    pub(super) start: Instant,
    /// Worker threads of this process.
    pub(super) threads: usize,
    /// Among several processes: how long one may be silent.
    pub(super) silence_max: Option<Duration>,
}

/// Runs jobs on a worker.
pub(super) fn work(
    worker: &mut Worker,
    jobs: &[Arc<Job>],
    stop: &Stop,
    failure: &Failure,
    begun: &Begun,
) {
    let seat = (begun.start, begun.threads);
    let mut heartbeat =
        begun.silence_max.map(|silence_max| Heartbeat::new(worker, seat, silence_max));
    let mut contexts = Vec::with_capacity(jobs.len());
    let mut probes: Vec<Probes> = Vec::with_capacity(jobs.len());
    let mut floors = Vec::with_capacity(jobs.len());
    let mut stopper = Stopper::new(worker, stop.clone(), jobs.len());
    let mut checkpoints = Vec::new();
    let mut progress = Vec::with_capacity(jobs.len());
    for job in jobs {
        let exchange = match checkpoint_exchange(worker, job, (&begun.host, failure)) {
            Ok(exchange) => exchange,
            Err(error) => return failure.set(error),
        };
        let agent = exchange.as_ref().map(|exchange| exchange.agent().clone());
        let context = Rc::new(context(worker, job, agent, failure, begun));
        if job.sources.values().any(|source| source.idle_timeout.is_some()) {
            floors.push(FloorExchange::new(worker, context.floors.clone()));
        }
        match build(worker, job, &context) {
            Ok(built) => probes.push(built),
            Err(error) => return failure.set(error),
        }
        progress.push(job.board.worker(worker.index()));
        show_checkpoints(job, &context);
        contexts.push(context);
        checkpoints.extend(exchange);
    }
    failpoint!("restore.before_first_tick");
    loop {
        if !step(worker, &contexts, &begun.host) {
            return failure.set(Error::unreachable("the machine was switched off"));
        }
        for ((context, probes), progress) in contexts.iter().zip(&probes).zip(&progress) {
            let (completed, confirmed) = (least(&probes.flow), least(&probes.confirmed));
            context.completed.set(completed);
            context.confirmed.set(confirmed);
            progress.turn(Reached { reached: context.reached.get(), completed, confirmed });
        }
        if failure.is_set() {
            return;
        }
        if let Some(Err(silence)) = heartbeat.as_mut().map(Heartbeat::step) {
            return failure.set(silence);
        }
        stopper.step(&contexts);
        floors.iter_mut().for_each(FloorExchange::step);
        checkpoints.iter_mut().for_each(CheckpointExchange::step);
        if probes.iter().all(|probes| probes.flow.done() && probes.confirmed.done()) {
            stopper.close();
            floors.iter_mut().for_each(FloorExchange::close);
            let halted = contexts.iter().all(|context| context.phase.get() == Phase::Halted);
            checkpoints.iter_mut().for_each(|kept| if halted { kept.close() } else { kept.end() });
            if stopper.is_done() && checkpoints.iter().all(CheckpointExchange::is_done) {
                heartbeat.iter_mut().for_each(Heartbeat::close);
                if heartbeat.iter().all(Heartbeat::is_done) {
                    break;
                }
            }
        }
    }
}

/// Lets the dataflows work, or waits until they have something to do; whether the machine is on.
fn step(worker: &mut Worker, contexts: &[Rc<Context>], host: &Host) -> bool {
    let Some(stage) = host.stage() else {
        worker.step_or_park(Some(SLEEP_MAX));
        return true;
    };
    for context in contexts {
        context.alarms.ring();
    }
    worker.step();
    let due = contexts.iter().filter_map(|context| context.alarms.ring()).min();
    stage.turn(due.map_or(SLEEP_MAX, |due| due.saturating_duration_since(host.now())));
    stage.is_on()
}

/// What the operators of a job share on this worker.
fn context(
    worker: &Worker,
    job: &Job,
    agent: Option<Rc<Agent>>,
    failure: &Failure,
    begun: &Begun,
) -> Context {
    let Begun { host, start, threads, .. } = begun.clone();
    let first = agent.as_ref().map_or(0, |agent| agent.checkpoints.first_epoch());
    let ahead = job.pace.time_of(job.pace.first_tick(first));
    Context {
        clock: Box::new(WallClock { host: host.clone(), start, ahead }),
        alarms: Alarms::new(host.clone()),
        host,
        pace: job.pace,
        completed: Cell::new(0),
        confirmed: Cell::new(0),
        phase: Cell::new(Phase::Running),
        reached: Cell::new(0),
        by_epoch: Cell::new(agent.is_some()),
        agent,
        operators: RefCell::default(),
        worker: worker.index(),
        peers: worker.peers(),
        speaks: worker.index().is_multiple_of(threads.max(1)),
        system: job.system.clone(),
        board: job.board.clone(),
        failure: failure.clone(),
        floors: Rc::default(),
        positions: RefCell::default(),
    }
}

/// Has the board of this process know which checkpoint is the newest.
fn show_checkpoints(job: &Job, context: &Context) {
    let Some(agent) = context.agent.as_ref().filter(|_| context.speaks) else { return };
    if let Some(restored) = &agent.checkpoints.restored {
        job.board.published(restored.epoch, restored.written_at);
    }
    let (board, heard) = (job.board.clone(), Rc::downgrade(agent));
    agent.listen(move || {
        if let Some(epoch) = heard.upgrade().and_then(|agent| agent.published()) {
            board.published(epoch, wall_time());
        }
    });
}

/// What this worker says to others about the checkpoints of a job, if it has any.
fn checkpoint_exchange(
    worker: &mut Worker,
    job: &Job,
    (host, failure): (&Host, &Failure),
) -> Result<Option<CheckpointExchange>> {
    let Some(checkpoints) = &job.checkpoints else { return Ok(None) };
    checkpoints.begin()?;
    CheckpointExchange::new(worker, checkpoints, (host, failure)).map(Some)
}

/// The least tick that may still appear; the greatest of all, when none can.
fn least(probe: &timely::dataflow::ProbeHandle<u64>) -> u64 {
    probe.with_frontier(|frontier| frontier.first().copied().unwrap_or(u64::MAX))
}
