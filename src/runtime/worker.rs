//! What one worker does: builds the jobs, then steps them until they end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::worker::Worker;

use super::build::{Probes, build};
use super::context::{Context, Failure, Phase, WallClock};
use super::job::Job;
use super::stop::{Stop, Stopper};
use crate::operators::floors::FloorExchange;

/// How long a worker sleeps at most before it looks whether somebody asked for the end.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Runs jobs on a worker.
pub(super) fn work(
    worker: &mut Worker,
    jobs: &[Arc<Job>],
    stop: &Stop,
    failure: &Failure,
    (start, threads): (Instant, usize),
) {
    let (index, peers) = (worker.index(), worker.peers());
    let mut contexts = Vec::with_capacity(jobs.len());
    let mut probes: Vec<Probes> = Vec::with_capacity(jobs.len());
    let mut floors = Vec::with_capacity(jobs.len());
    let mut stopper = Stopper::new(worker, stop.clone(), jobs.len());
    for job in jobs {
        let context = Rc::new(Context {
            clock: Box::new(WallClock(start)),
            pace: job.pace,
            completed: Cell::new(0),
            confirmed: Cell::new(0),
            phase: Cell::new(Phase::Running),
            reached: Cell::new(0),
            by_epoch: Cell::new(false),
            operators: RefCell::default(),
            worker: index,
            peers,
            speaks: index.is_multiple_of(threads.max(1)),
            system: job.system.clone(),
            board: job.board.clone(),
            failure: failure.clone(),
            floors: Rc::default(),
            positions: RefCell::default(),
        });
        if job.sources.values().any(|source| source.idle_timeout.is_some()) {
            floors.push(FloorExchange::new(worker, context.floors.clone()));
        }
        match build(worker, job, &context) {
            Ok(built) => probes.push(built),
            Err(error) => return failure.set(error),
        }
        contexts.push(context);
    }
    loop {
        worker.step_or_park(Some(SLEEP_MAX));
        for (context, probes) in contexts.iter().zip(&probes) {
            context.completed.set(least(&probes.flow));
            context.confirmed.set(least(&probes.confirmed));
        }
        if failure.is_set() {
            return;
        }
        stopper.step(&contexts);
        floors.iter_mut().for_each(FloorExchange::step);
        if probes.iter().all(|probes| probes.flow.done() && probes.confirmed.done()) {
            stopper.close();
            floors.iter_mut().for_each(FloorExchange::close);
            if stopper.is_done() {
                break;
            }
        }
    }
}

/// The least tick that may still appear; the greatest of all, when none can.
fn least(probe: &timely::dataflow::ProbeHandle<u64>) -> u64 {
    probe.with_frontier(|frontier| frontier.first().copied().unwrap_or(u64::MAX))
}
