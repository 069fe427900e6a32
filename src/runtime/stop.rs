//! Stopping: all workers of all processes together, so that nothing that was read is lost and no
//! window closes that could still have changed.
//!
//! A small dataflow beside the jobs; its time is the stage.
//!
//! ```text
//! stage 0  running             somebody asks: every worker hears of it
//! stage 1  nobody reads        each waits until its sinks have confirmed all that was read
//! stage 2  all are confirmed   capabilities are dropped; open windows stay unwritten
//! ```
//!
//! Without the last barrier a worker that ends first would give up its share of the watermark, and
//! others would close windows that are still open.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use super::context::{Context, Phase};
use super::ticks::Pace;

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
    input: Option<InputHandle<u64, CapacityContainerBuilder<Vec<()>>>>,
    probe: ProbeHandle<u64>,
    heard: Rc<Cell<bool>>,
    /// Per job: the tick up to which all must be confirmed, once nobody reads.
    targets: Vec<Option<u64>>,
}

impl Stopper {
    /// Builds the dataflow; on every worker at the same place in the order of dataflows.
    pub fn new(worker: &mut Worker, asked: Stop, jobs: usize) -> Stopper {
        let heard = Rc::new(Cell::new(false));
        let probe = ProbeHandle::new();
        let mut input = InputHandle::new_with_builder();
        let hear = heard.clone();
        worker.dataflow_named("stop", |scope| {
            scope
                .input_from(&mut input)
                .broadcast()
                .inspect(move |()| hear.set(true))
                .probe_with(&probe);
        });
        Stopper { asked, input: Some(input), probe, heard, targets: vec![None; jobs] }
    }

    /// Moves the jobs through the stages.
    pub fn step(&mut self, contexts: &[Rc<Context>]) {
        let Some(input) = &mut self.input else { return };
        if *input.time() == 0 && (self.asked.is_asked() || self.heard.get()) {
            if !self.heard.get() {
                input.send(());
            }
            // Advancing also pushes what was sent.
            input.advance_to(1);
            contexts.iter().for_each(|context| context.phase.set(Phase::Stopping));
        }
        if *input.time() == 1 && !self.probe.less_than(&1) {
            let confirmed = contexts.iter().zip(&mut self.targets).all(|(context, target)| {
                let target = *target.get_or_insert_with(|| last_tick(context));
                target < context.confirmed.get() && target < context.completed.get()
            });
            if confirmed {
                contexts.iter().for_each(|context| context.phase.set(Phase::Confirmed));
                input.advance_to(2);
            }
        }
        if *input.time() == 2 && !self.probe.less_than(&2) {
            contexts.iter().for_each(|context| context.phase.set(Phase::Halted));
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

/// A tick behind everything that anybody has sent: no source is further ahead of what is complete
/// than [`Pace::in_flight_max`] and its slack.
fn last_tick(context: &Context) -> u64 {
    let Pace { in_flight_max, .. } = context.pace;
    context.completed.get().min(u64::MAX / 2) + 2 * in_flight_max
}
