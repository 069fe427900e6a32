//! `engine = "differential"`: one differential dataflow, over erased data, for all views that ask
//! for it. Same rows as the shell, other means; for tests and comparison.
//!
//! ```text
//!            ┌──────────────── taken back, a tick later ────────────────┐
//!            ▼                                                          │
//! parts ─► concat ─► reduce: merge per (root, window, key) ─► merged ─► closer ─► rows, letters
//!            └───────────────────────────── parts ────────────────────►  ▲
//! readers ── (source, worker, watermark) at their ticks ── broadcast ────┘
//! ```
//!
//! A checkpoint holds what the parts of open windows were merged to, per window and key, as the
//! operators were told at the end of its epoch. After a restart that comes in again as parts, at
//! the first tick.
//!
//! The watermark arrives as data here, which is safe only at *complete* ticks: the closer reads the
//! least over all workers of what was announced up to a tick that nothing can precede any more.
//! (Taken from an antichain, one worker's announcement hides behind another's lower tick: trap T3
//! of the design, wrong with two workers and right with one.)

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::AsCollection;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{
    Capability, CapabilitySet, Concat, ConnectLoop, Feedback, ToStream,
};
use timely::dataflow::{Scope, StreamVec};
use timely::progress::frontier::MutableAntichain;

use super::shell::letter_rows;
use crate::checkpoint::{Agent, At};
use crate::hash;
use crate::parcel::Parcel;
use crate::row::Rows;
use crate::runtime::{Context, Phase};
use crate::stream::{Loose, LooseKey, Merge, Merged, Operator};
use crate::time::Millis;
use crate::window::{Fixed, Window};

/// A reader's promise, as data: source, worker, watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Number of the source.
    pub source: usize,
    /// The worker that reads.
    pub worker: usize,
    /// No event before this comes from it.
    pub watermark: Millis,
}

/// An operator whose windows the collection keeps.
pub struct Kept {
    /// The operator.
    pub operator: Operator,
    /// Its roots, by their numbers in the plan, in the order of its inputs.
    pub roots: Vec<u32>,
    /// The sources that its watermark is the least of.
    pub sources: Vec<usize>,
    /// Tells its files in checkpoints from those of other operators of this worker.
    pub number: usize,
}

/// Merges measures by the number of their root.
pub type Merges = BTreeMap<u32, Merge>;

type Update<D> = (D, u64, isize);
type RowStreams<'s> = (Vec<(usize, StreamVec<'s, u64, Rows>)>, StreamVec<'s, u64, Rows>);

/// What was restored, at the first tick.
fn restored(kept: &mut [Kept], context: &Context) -> Vec<Update<Loose>> {
    let first = context.pace.first_tick(context.first_epoch());
    let restored = kept.iter_mut().flat_map(|kept| kept.operator.restored_parts());
    restored.map(|part| (part, first, 1)).collect()
}

/// Builds the dataflow. Returns the rows by port, and letters.
pub fn differential<'s>(
    scope: Scope<'s, u64>,
    mut kept: Vec<Kept>,
    merges: Merges,
    parts: StreamVec<'s, u64, Update<Loose>>,
    announcements: StreamVec<'s, u64, Announcement>,
    context: &Rc<Context>,
) -> RowStreams<'s> {
    let parts = parts.concat(restored(&mut kept, context).to_stream(scope));
    let (taken_back, again) = scope.feedback::<Vec<Update<Loose>>>(1);
    let all = parts.clone().as_collection().concat(again.as_collection());
    let merged = all.reduce(move |key: &LooseKey, measures, output| {
        output.push((merges[&key.0](measures), 1isize));
    });

    let mut builder = OperatorBuilder::new("close".into(), scope);
    let activator = scope.activator_for(builder.operator_info().address);
    context.operators.borrow_mut().push(activator);
    let peers = context.peers as u64;
    let owner = move |((_, hash, ..), _): &Loose| u64::from(hash::group(*hash)) % peers;
    let route = || Exchange::new(move |update: &Update<Loose>| owner(&update.0));
    let mut merged = builder.new_input(merged.inner, route());
    let mut parts = builder.new_input(parts, route());
    let mut announced = builder.new_input(announcements, Pipeline);
    let (output, back) = builder.new_output();
    back.connect_loop(taken_back);
    let mut back = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Update<Loose>>>>::from(output);
    let (mut outputs, mut streams) = (vec![], vec![]);
    let ports: Vec<usize> = kept.iter().flat_map(|kept| kept.operator.ports.clone()).collect();
    for _ in 0..=ports.len() {
        let (output, stream) = builder.new_output();
        outputs.push(Output::from(output));
        streams.push(stream);
    }
    let letters = streams.pop().expect("the output of letters");
    let context = context.clone();
    if let Some(agent) = &context.agent {
        kept.iter_mut().for_each(|kept| kept.number = agent.expect_state());
    }
    builder.build(move |mut capabilities| {
        // Rows are taken back by the right of an announcement; holding one of our own would make
        // the loop go round once per tick.
        drop(capabilities.remove(0));
        let held = capabilities.into_iter().map(CapabilitySet::from_elem).collect();
        let mut closer = Closer::new(kept, outputs, held, context);
        move |frontiers| {
            merged.for_each(|_, updates: &mut Vec<Update<Loose>>| {
                updates.drain(..).for_each(|(data, tick, change)| {
                    closer.at(tick).merged.push((data, change));
                });
            });
            parts.for_each(|_, updates: &mut Vec<Update<Loose>>| {
                updates.drain(..).for_each(|(data, tick, change)| {
                    closer.at(tick).parts.push((data, change));
                });
            });
            announced.for_each(|capability, announcements: &mut Vec<Announcement>| {
                let tick = closer.at(*capability.time());
                tick.right.get_or_insert_with(|| capability.retain(0));
                tick.announced.append(announcements);
            });
            closer.work(frontiers, |capability, updates| {
                back.activate().session(capability).give_iterator(updates.into_iter());
            });
        }
    });
    (ports.into_iter().zip(streams).collect(), letters)
}

type Output = OutputBuilder<u64, CapacityContainerBuilder<Vec<Rows>>>;

/// What has arrived for a tick that is not complete.
#[derive(Default)]
struct Tick {
    merged: Vec<(Loose, isize)>,
    parts: Vec<(Loose, isize)>,
    announced: Vec<Announcement>,
    /// The right to take rows back at this tick.
    right: Option<Capability<u64>>,
}

/// Saves the states of all operators.
fn save(kept: &mut [Kept], agent: &Agent, at: At) {
    for Kept { operator, number, .. } in kept {
        operator.begin_save(agent.wants_whole(&operator.place));
        let saved = operator.save(&mut usize::MAX.clone()).expect("no end to a budget");
        agent.state(at, (*number, &operator.place), saved);
    }
}

struct Closer {
    kept: Vec<Kept>,
    outputs: Vec<Output>,
    held: Vec<CapabilitySet<u64>>,
    context: Rc<Context>,
    waiting: BTreeMap<u64, Tick>,
    /// What each (source, worker) has promised at complete ticks.
    promises: BTreeMap<(usize, usize), Millis>,
    /// The parts of open windows, to be taken back when the window closes.
    parts: BTreeMap<(Window, u32), Vec<(Loose, isize)>>,
    reported: u64,
    /// The first epoch whose state is not saved yet, nor left out.
    open: u64,
    /// Whether its last state was saved.
    ended: bool,
}

impl Closer {
    fn new(
        kept: Vec<Kept>,
        outputs: Vec<Output>,
        held: Vec<CapabilitySet<u64>>,
        context: Rc<Context>,
    ) -> Closer {
        let (waiting, promises, parts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (reported, open, ended) = (0, context.first_epoch(), false);
        Closer { kept, outputs, held, context, waiting, promises, parts, reported, open, ended }
    }

    fn at(&mut self, tick: u64) -> &mut Tick {
        self.waiting.entry(tick).or_default()
    }

    fn work(
        &mut self,
        frontiers: &[MutableAntichain<u64>],
        mut take_back: impl FnMut(&Capability<u64>, Vec<Update<Loose>>),
    ) {
        match self.context.phase.get() {
            Phase::Running | Phase::Stopping => {}
            Phase::Confirmed => return,
            Phase::Halted => {
                self.waiting.clear();
                self.held.iter_mut().for_each(|held| held.downgrade(std::iter::empty::<&u64>()));
                return self.report();
            }
        }
        let firsts = frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied());
        let complete = firsts.min();
        while let Some(entry) = self.waiting.first_entry() {
            if complete.is_some_and(|complete| complete <= *entry.key()) {
                break;
            }
            let (at, tick) = entry.remove_entry();
            self.save_before(self.context.pace.epoch(at), complete.is_some());
            let right = tick.right.clone();
            let back = self.close(at, tick);
            if let Some(right) = right.filter(|_| !back.is_empty()) {
                take_back(&right.delayed(&at), back);
            }
        }
        match complete {
            Some(complete) => self.save_before(self.context.pace.epoch(complete), true),
            None => self.end(),
        }
        for held in &mut self.held {
            held.downgrade(complete.iter());
        }
        let epoch = complete.map_or(u64::MAX, |complete| self.context.pace.epoch(complete));
        if self.reported != epoch {
            self.reported = epoch;
            self.report();
        }
    }

    /// All ticks of the epochs before this one have been taken in: their states are saved. Once
    /// nothing can come any more, the last one will do.
    fn save_before(&mut self, epoch: u64, goes_on: bool) {
        while self.open < epoch {
            if let Some(agent) = self.context.agent.as_ref().filter(|_| goes_on)
                && agent.wants(self.open)
            {
                save(&mut self.kept, agent, At::Epoch(self.open));
            }
            self.open += 1;
        }
    }

    /// Nothing will come any more: the state holds for ever.
    fn end(&mut self) {
        if let Some(agent) = self.context.agent.as_ref().filter(|_| !self.ended) {
            save(&mut self.kept, agent, At::End(self.open));
            self.ended = true;
        }
    }

    /// Takes in a complete tick, and closes what it allows to close. Returns what is taken back.
    fn close(&mut self, at: u64, tick: Tick) -> Vec<Update<Loose>> {
        for (part, change) in tick.parts {
            let (root, _, window, _) = part.0;
            self.parts.entry((window, root)).or_default().push((part, change));
        }
        self.apply(tick.merged);
        for Announcement { source, worker, watermark } in tick.announced {
            let promised = self.promises.entry((source, worker)).or_insert(Millis::MIN);
            *promised = watermark.max(*promised);
        }
        let mut back = Vec::new();
        for index in 0..self.kept.len() {
            let watermark = self.watermark(index);
            if let Err(error) = self.kept[index].operator.check_groups(self.context.worker) {
                self.context.failure.set(error);
                continue;
            }
            self.kept[index].operator.emit(watermark);
            self.send(index, at);
            self.closed_parts(index, watermark, at + 1, &mut back);
        }
        back
    }

    fn apply(&mut self, merged: Vec<(Loose, isize)>) {
        let mut by_root: BTreeMap<u32, Vec<Merged>> = BTreeMap::new();
        for (((root, hash, window, key), value), change) in merged {
            let merged = Merged { change, window, hash, key, value };
            by_root.entry(root).or_default().push(merged);
        }
        for kept in &mut self.kept {
            for (input, root) in kept.roots.iter().enumerate() {
                if let Some(mut merged) = by_root.remove(root) {
                    // What is taken back comes first: it would else undo the new value.
                    merged.sort();
                    kept.operator.apply(input, Parcel::new(0, merged));
                }
            }
        }
    }

    /// The least of what all workers have promised for the sources of an operator.
    fn watermark(&self, index: usize) -> Millis {
        let sources = self.kept[index].sources.iter();
        let readers = sources.flat_map(|source| (0..self.context.peers).map(|w| (*source, w)));
        let promised = readers.map(|reader| self.promises.get(&reader).copied());
        promised.map(|promised| promised.unwrap_or(Millis::MIN)).min().unwrap_or(Millis::MAX)
    }

    fn closed_parts(
        &mut self,
        index: usize,
        watermark: Millis,
        at: u64,
        back: &mut Vec<Update<Loose>>,
    ) {
        let roots = &self.kept[index].roots;
        let closed =
            self.parts.keys().take_while(|(window, _)| Fixed::is_closed(*window, watermark));
        let closed: Vec<(Window, u32)> =
            closed.filter(|(_, root)| roots.contains(root)).copied().collect();
        for key in closed {
            let parts = self.parts.remove(&key).expect("found above");
            back.extend(parts.into_iter().map(|(part, change)| (part, at, -change)));
        }
    }

    /// Sends what the operator made at a tick.
    fn send(&mut self, index: usize, at: u64) {
        let first: usize = self.kept[..index].iter().map(|kept| kept.operator.ports.len()).sum();
        let operator = &mut self.kept[index].operator;
        let letters = operator.letters();
        self.context.board.letters(&letters);
        let letters = letter_rows(&letters, &self.context.system);
        let rows = (0..operator.ports.len()).map(|output| (first + output, operator.rows(output)));
        let last = self.outputs.len() - 1;
        for (output, rows) in rows.chain([(last, letters)]).collect::<Vec<_>>() {
            if !rows.is_empty() {
                let capability = self.held[output].delayed(&at);
                self.outputs[output].activate().session(&capability).give(rows);
            }
        }
    }

    fn report(&self) {
        for (index, kept) in self.kept.iter().enumerate() {
            let watermark = self.watermark(index);
            self.context.board.operator(&kept.operator, self.context.worker, watermark);
        }
    }
}
