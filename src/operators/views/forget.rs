//! Forgetting: rows of windows that are long over leave the views, on all workers in one epoch.
//!
//! A view that saw some rows of a window go an epoch before the others would count, rank and join
//! what is left, and write that. So it is not the watermark of an operator that decides, which
//! moves at another time on each worker, but what readers have announced by the end of an epoch:
//! that is the same everywhere. What an epoch makes useless goes at the first tick of the next one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::least;
use crate::operators::differential::Announcement;
use crate::row::Rows;
use crate::runtime::{Context, Phase};
use crate::stream::Retained;
use crate::time::Millis;

/// What readers have promised, epoch by epoch.
pub(super) struct Promises {
    /// The sources that count.
    sources: Vec<usize>,
    peers: usize,
    announced: BTreeMap<u64, Vec<Announcement>>,
    /// By source and worker, in the epochs that were taken.
    taken: BTreeMap<(usize, usize), Millis>,
}

impl Promises {
    pub(super) fn new(sources: Vec<usize>, peers: usize) -> Promises {
        Promises { sources, peers, announced: BTreeMap::new(), taken: BTreeMap::new() }
    }

    /// Notes what was announced in an epoch.
    pub(super) fn announced(&mut self, epoch: u64, announcements: &mut Vec<Announcement>) {
        announcements.retain(|announcement| self.sources.contains(&announcement.source));
        if !announcements.is_empty() {
            self.announced.entry(epoch).or_default().append(announcements);
        }
    }

    /// Takes the first epoch with an announcement, if it is before another one.
    pub(super) fn take_first(&mut self, before: Option<u64>) -> Option<u64> {
        let first = *self.announced.first_key_value()?.0;
        if before.is_some_and(|before| before <= first) {
            return None;
        }
        for Announcement { source, worker, watermark } in self.announced.remove(&first)? {
            let promised = self.taken.entry((source, worker)).or_insert(Millis::MIN);
            *promised = watermark.max(*promised);
        }
        Some(first)
    }

    /// How many epochs are not taken.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.announced.len()
    }

    /// Takes all epochs before one.
    pub(super) fn take_before(&mut self, epoch: u64) {
        while self.take_first(Some(epoch)).is_some() {}
    }

    /// The least of what all workers have promised for the sources, in the epochs taken.
    pub(super) fn watermark(&self) -> Millis {
        let readers = self
            .sources
            .iter()
            .flat_map(|source| (0..self.peers).map(move |worker| (*source, worker)));
        let promised = readers.map(|reader| self.taken.get(&reader).copied());
        promised.map(|promised| promised.unwrap_or(Millis::MIN)).min().unwrap_or(Millis::MIN)
    }
}

/// The retractions of rows whose time is over. `rows` is what enters the views, which tells when
/// all of an epoch has come.
pub(super) fn forgotten<'s>(
    rows: StreamVec<'s, u64, Rows>,
    announcements: StreamVec<'s, u64, Announcement>,
    retained: Rc<RefCell<dyn Retained>>,
    sources: Vec<usize>,
    context: &Rc<Context>,
) -> StreamVec<'s, u64, Rows> {
    let mut builder = OperatorBuilder::new("forget".into(), rows.scope());
    let activator = rows.scope().activator_for(builder.operator_info().address);
    context.operators.borrow_mut().push(activator);
    let mut rows = builder.new_input(rows, Pipeline);
    let mut announced = builder.new_input(announcements, Pipeline);
    let (output, gone) = builder.new_output();
    let mut output = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Rows>>>::from(output);
    let context = context.clone();
    builder.build(move |capabilities| {
        let mut held: CapabilitySet<u64> = CapabilitySet::from(capabilities);
        let mut promises = Promises::new(sources, context.peers);
        move |frontiers| {
            let pace = context.pace;
            rows.for_each(|_, batches: &mut Vec<Rows>| batches.clear());
            announced.for_each(|capability, announcements: &mut Vec<Announcement>| {
                promises.announced(pace.epoch(*capability.time()), announcements);
            });
            match context.phase.get() {
                Phase::Running | Phase::Stopping => {}
                Phase::Confirmed => return,
                Phase::Halted => return held.downgrade(std::iter::empty::<&u64>()),
            }
            let complete = least(frontiers);
            let open = complete.map(|tick| pace.epoch(tick));
            while let Some(epoch) = promises.take_first(open) {
                let over = promises.watermark();
                // The end of all input closes windows, but is no time that passes.
                if over == Millis::MAX {
                    continue;
                }
                let rows = retained.borrow_mut().expire(over);
                if !rows.is_empty() {
                    let capability = held.delayed(&pace.first_tick(epoch + 1));
                    output.activate().session(&capability).give(rows);
                }
            }
            held.downgrade(complete.iter());
        }
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(promises: &mut Promises, epoch: u64, all: &[(usize, usize, i64)]) {
        let announcement = |(source, worker, watermark): &(usize, usize, i64)| {
            let (source, worker, watermark) = (*source, *worker, Millis(*watermark));
            Announcement { source, worker, watermark }
        };
        promises.announced(epoch, &mut all.iter().map(announcement).collect());
    }

    #[test]
    fn an_epoch_is_promised_what_the_slowest_worker_of_the_slowest_source_has_promised() {
        let mut promises = Promises::new(vec![1, 3], 2);
        announce(&mut promises, 5, &[(1, 0, 10), (1, 1, 20), (3, 0, 30), (2, 0, 1)]);
        announce(&mut promises, 6, &[(2, 1, 7)]);
        announce(&mut promises, 9, &[(3, 1, 15), (1, 0, 12), (1, 0, 11)]);
        assert_eq!(promises.take_first(Some(5)), None, "epoch 5 is open");
        assert_eq!(promises.take_first(Some(6)), Some(5));
        assert_eq!(promises.watermark(), Millis::MIN, "worker 1 has said nothing of source 3");
        assert_eq!(promises.take_first(Some(9)), None);
        assert_eq!(promises.take_first(None), Some(9));
        assert_eq!(promises.watermark(), Millis(12));
        assert_eq!(promises.take_first(None), None);
    }
}
