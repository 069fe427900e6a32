//! Floors: idle partitions stop holding the watermark, where a binding asks for it.
//!
//! ```text
//! readers ──report per epoch──► worker 0: the floor of each source ──► all readers
//! ```
//!
//! A report says of one source on one worker how far its busy partitions are, and whether it has
//! idle ones. Worker 0 decides once all workers have reported an epoch: the floor is the least
//! watermark of the busy partitions, anywhere; when all are idle, it goes on with the clock, so
//! that the last windows close. Readers raise their idle partitions to it at the end of an epoch,
//! with checkpoints once one holds it (`source/reader/floors.rs`).
//!
//! A timeout is a matter of wall clock: with it on, two runs over one log may differ in what is
//! late (rule eR8 of the design); a restart from a checkpoint finds the floors that acted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Exchange, Input, Inspect};
use timely::worker::Worker;

use crate::time::{Millis, Time};

/// What one worker says of one source at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Number of the source.
    pub source: usize,
    /// The worker.
    pub worker: usize,
    /// The epoch.
    pub epoch: u64,
    /// Least watermark of its partitions that are not idle; `None` without such a partition.
    pub busy: Option<Millis>,
    /// Whether it has idle partitions.
    pub idle: bool,
    /// The greatest event time of its partitions, less the lateness.
    pub greatest: Option<Millis>,
    /// How long ago the last record of any of its partitions arrived.
    pub quiet: Duration,
}

/// Reports that wait to be sent, and floors that were decided; shared by the readers of a worker.
#[derive(Debug, Default)]
pub struct Floors {
    reports: RefCell<Vec<Report>>,
    decided: RefCell<BTreeMap<usize, Millis>>,
}

impl Floors {
    /// Leaves a report.
    pub fn report(&self, report: Report) {
        self.reports.borrow_mut().push(report);
    }

    /// The floor of a source, if one was decided.
    pub fn of(&self, source: usize) -> Option<Millis> {
        self.decided.borrow().get(&source).copied()
    }
}

/// The dataflow between the readers and worker 0; one per job.
pub struct FloorExchange {
    input: Option<InputHandle<u64, CapacityContainerBuilder<Vec<Report>>>>,
    floors: Rc<Floors>,
}

impl FloorExchange {
    /// Builds it; on every worker at the same place in the order of dataflows.
    pub fn new(worker: &mut Worker, floors: Rc<Floors>) -> FloorExchange {
        let mut input = InputHandle::new_with_builder();
        let peers = worker.peers();
        let decided = floors.clone();
        worker.dataflow_named("floors", |scope| {
            let mut council = Council::new(peers);
            scope
                .input_from(&mut input)
                .exchange(|_| 0)
                .unary::<CapacityContainerBuilder<Vec<(usize, Millis)>>, _, _, _>(
                    Pipeline,
                    "decide",
                    move |_, _| {
                        move |input, output| {
                            input.for_each(|time, reports: &mut Vec<Report>| {
                                let floors = reports.drain(..).filter_map(|r| council.hear(r));
                                output.session(&time).give_iterator(floors);
                            });
                        }
                    },
                )
                .broadcast()
                .inspect(move |(source, floor)| {
                    decided.decided.borrow_mut().insert(*source, *floor);
                });
        });
        FloorExchange { input: Some(input), floors }
    }

    /// Sends what the readers of this worker left.
    pub fn step(&mut self) {
        let Some(input) = &mut self.input else { return };
        let mut reports = self.floors.reports.borrow_mut();
        if reports.is_empty() {
            return;
        }
        reports.drain(..).for_each(|report| input.send(report));
        // Without a step in time the exchange would keep them in its buffers.
        let next = input.time() + 1;
        input.advance_to(next);
    }

    /// The job has ended.
    pub fn close(&mut self) {
        self.input = None;
    }
}

/// What worker 0 knows: the last report of each worker, by source.
struct Council {
    peers: usize,
    sources: BTreeMap<usize, BTreeMap<usize, Report>>,
    decided: BTreeMap<usize, (u64, Millis)>,
}

impl Council {
    fn new(peers: usize) -> Council {
        Council { peers, sources: BTreeMap::new(), decided: BTreeMap::new() }
    }

    /// Takes a report; a floor comes out when it was the last one of an epoch.
    fn hear(&mut self, report: Report) -> Option<(usize, Millis)> {
        let reports = self.sources.entry(report.source).or_default();
        reports.insert(report.worker, report);
        if reports.len() < self.peers {
            return None;
        }
        let epoch = reports.values().map(|report| report.epoch).min()?;
        let (before, last) = self.decided.get(&report.source).copied().unwrap_or((0, Millis::MIN));
        if epoch <= before || !reports.values().any(|report| report.idle) {
            return None;
        }
        let busy = reports.values().filter_map(|report| report.busy).min();
        let floor = match busy {
            Some(busy) => busy,
            None => {
                let greatest = reports.values().filter_map(|report| report.greatest).max()?;
                let quiet = reports.values().map(|report| report.quiet).min()?;
                greatest.plus(quiet)
            }
        };
        let floor = floor.max(last);
        self.decided.insert(report.source, (epoch, floor));
        Some((report.source, floor))
    }
}

/// The watermark that a greatest event time makes.
pub fn watermark_of(greatest: Time, delay: Duration) -> Millis {
    greatest.minus(delay).floor_ms()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    fn report(worker: usize, epoch: u64, busy: Option<i64>, greatest: i64, quiet: u64) -> Report {
        Report {
            source: 0,
            worker,
            epoch,
            busy: busy.map(Millis),
            idle: worker == 1,
            greatest: Some(Millis(greatest)),
            quiet: seconds(quiet),
        }
    }

    #[test]
    fn the_floor_is_the_least_watermark_of_the_busy_partitions() {
        let mut council = Council::new(2);
        assert_eq!(council.hear(report(0, 1, Some(7_000), 7_000, 0)), None);
        assert_eq!(council.hear(report(1, 1, None, 2_000, 60)), Some((0, Millis(7_000))));
        assert_eq!(council.hear(report(0, 2, Some(9_000), 9_000, 0)), None, "worker 1 is behind");
        assert_eq!(council.hear(report(1, 2, None, 2_000, 61)), Some((0, Millis(9_000))));
    }

    #[test]
    fn when_all_are_idle_the_floor_goes_on_with_the_clock_and_never_back() {
        let mut council = Council::new(2);
        council.hear(report(0, 1, None, 9_000, 60));
        assert_eq!(council.hear(report(1, 1, None, 2_000, 70)), Some((0, Millis(69_000))));
        council.hear(report(0, 2, Some(30_000), 9_000, 0));
        assert_eq!(council.hear(report(1, 2, None, 2_000, 71)), Some((0, Millis(69_000))));
    }
}
