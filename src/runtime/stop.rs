//! Stopping: all workers of all processes together, so that nothing that was read is lost and no
//! window closes that could still have changed.
//!
//! A small dataflow beside the jobs; its time is the stage.
//!
//! ```text
//! stage 0  running             somebody asks: every worker hears of it, and tells all others
//!                              the last tick at which it has read
//! stage 1  nobody reads        each waits until the greatest of these ticks is confirmed
//! stage 2  all are confirmed   capabilities are dropped; open windows stay unwritten
//! ```
//!
//! Without the last barrier a worker that ends first would give up its share of the watermark, and
//! others would close windows that are still open. All wait for the same tick: a worker that has
//! reached the barrier lets nothing move any more, so nobody may need more than it has seen.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use super::context::{Context, Phase};

/// Asks a run for its end; cloned into signal handlers, timers, tests.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A request that nobody has made yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// The flag itself, for a signal handler.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

/// One worker's part in stopping.
pub struct Stopper {
    asked: Stop,
    input: Option<InputHandle<u64, CapacityContainerBuilder<Vec<Reached>>>>,
    probe: ProbeHandle<u64>,
    heard: Rc<Cell<bool>>,
    /// Per job: the greatest tick at which any worker has read.
    targets: Rc<RefCell<Vec<u64>>>,
}

/// A job, and the tick that one worker has reached with it.
type Reached = (usize, u64);

impl Stopper {
    /// Builds the dataflow; on every worker at the same place in the order of dataflows.
    pub fn new(worker: &mut Worker, asked: Stop, jobs: usize) -> Stopper {
        let heard = Rc::new(Cell::new(false));
        let targets = Rc::new(RefCell::new(vec![0; jobs]));
        let probe = ProbeHandle::new();
        let mut input = InputHandle::new_with_builder();
        let (hear, reach) = (heard.clone(), targets.clone());
        worker.dataflow_named("stop", |scope| {
            scope
                .input_from(&mut input)
                .broadcast()
                .inspect(move |&(job, tick): &Reached| {
                    hear.set(true);
                    let target = &mut reach.borrow_mut()[job];
                    *target = tick.max(*target);
                })
                .probe_with(&probe);
        });
        Stopper { asked, input: Some(input), probe, heard, targets }
    }

    /// Moves the jobs through the stages.
    pub fn step(&mut self, contexts: &[Rc<Context>]) {
        let Some(input) = &mut self.input else { return };
        if *input.time() == 0 && (self.asked.is_asked() || self.heard.get()) {
            // Somebody may have asked another process: this one stops as well, and says so.
            self.asked.ask();
            contexts.iter().for_each(|context| context.enter(Phase::Stopping));
            let reached = contexts.iter().map(|context| context.settled());
            reached.enumerate().for_each(|reached| input.send(reached));
            // Advancing also pushes what was sent.
            input.advance_to(1);
        }
        if *input.time() == 1 && !self.probe.less_than(&1) {
            let targets = self.targets.borrow();
            let mut all = contexts.iter().zip(&*targets);
            let is_confirmed = |(context, target): (&Rc<Context>, &u64)| {
                *target < context.confirmed.get()
                    && *target < context.completed.get()
                    && context.is_kept(context.pace.epoch(*target))
            };
            if all.all(is_confirmed) {
                contexts.iter().for_each(|context| context.enter(Phase::Confirmed));
                input.advance_to(2);
            }
        }
        if *input.time() == 2 && !self.probe.less_than(&2) {
            contexts.iter().for_each(|context| context.enter(Phase::Halted));
            self.input = None;
        }
    }

    /// The jobs have ended by themselves.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Whether all workers have closed it.
    pub fn is_done(&self) -> bool {
        self.probe.done()
    }
}
