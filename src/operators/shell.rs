//! The shell: the one host of all keyed states, and the home of everything subtle about timely.
//!
//! ```text
//! 1  read        epoch(message) <= open ─► apply          epoch(message) > open ─► stash
//! 2  emit        updates, then what the watermark closes
//! 3  while epoch(frontier) > open:      the open epoch is complete here
//!        begin to save it, open the next, apply its stash, emit
//! 4  downgrade the capabilities to the input frontier
//! 5  save another slice
//! ```
//!
//! The watermark is the least event time over the frontiers of all inputs *and* the stash: what is
//! stashed has been consumed for timely, but not applied. Rows leave at a tick that never goes
//! back and lies inside the open epoch. No capability is held per message or window: one at an old
//! tick would freeze the whole tick frontier. (Rules eR3 to eR6 and eR16 of the design.)

use std::collections::VecDeque;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, CapabilitySet};
use timely::order::Product;
use timely::progress::frontier::MutableAntichain;
use timely::scheduling::Activator;

use super::Event;
use crate::checkpoint::{At, SLICE};
use crate::letter::Letter;
use crate::parcel::Parcel;
use crate::row::{Change, Mark, Origin, Rows, oldest};
use crate::runtime::{Context, Phase};
use crate::stream::Operator;
use crate::time::{Millis, Time};

type Output = OutputBuilder<Event, CapacityContainerBuilder<Vec<Rows>>>;

/// Hosts an operator. Returns a stream of rows per port of it, and its letters as rows.
pub fn shell<'s>(
    operator: Operator,
    inputs: Vec<StreamVec<'s, Event, Parcel>>,
    context: &Rc<Context>,
) -> (Vec<StreamVec<'s, Event, Rows>>, StreamVec<'s, Event, Rows>) {
    let scope = inputs[0].scope();
    let mut builder = OperatorBuilder::new(format!("window {}", operator.place), scope);
    let address = builder.operator_info().address;
    context.operators.borrow_mut().push(scope.activator_for(address.clone()));
    let again = scope.activator_for(address);
    let number = context.agent.as_ref().map_or(0, |agent| agent.expect_state());
    let mut handles: Vec<_> = inputs
        .into_iter()
        .map(|input| builder.new_input(input, Exchange::new(|parcel: &Parcel| parcel.to.into())))
        .collect();
    let mut outputs: Vec<Output> = Vec::new();
    let mut streams = Vec::new();
    // The last output carries the letters.
    for _ in 0..=operator.ports.len() {
        let (output, stream) = builder.new_output();
        outputs.push(OutputBuilder::from(output));
        streams.push(stream);
    }
    let letters = streams.pop().expect("the output of letters");
    let context = context.clone();
    builder.build(move |capabilities| {
        let held = capabilities.into_iter().map(CapabilitySet::from_elem).collect();
        let mut shell = Shell::new((number, operator), outputs, held, (context, again));
        move |frontiers| {
            shell.show_restored();
            for (input, handle) in handles.iter_mut().enumerate() {
                handle.for_each(|capability, parcels: &mut Vec<Parcel>| {
                    let time = *capability.time();
                    parcels.drain(..).for_each(|parcel| shell.take(input, time, parcel));
                });
            }
            shell.work(frontiers);
        }
    });
    (streams, letters)
}

struct Shell {
    /// Tells its files from those of other shells of this worker.
    number: usize,
    operator: Operator,
    outputs: Vec<Output>,
    /// One set per output, as timely wants it; all hold the same times.
    held: Vec<CapabilitySet<Event>>,
    context: Rc<Context>,
    /// Wakes it while there is more to save.
    again: Activator,
    /// The epoch whose state is being saved.
    saving: Option<u64>,
    stash: VecDeque<Stashed>,
    open: u64,
    last_tick: u64,
    watermark: Millis,
    applied: bool,
    /// Whether views wait for what was restored.
    restored: bool,
    /// When the oldest record that was applied since the last emission was sent.
    sent: Option<Time>,
    reported: Option<u64>,
    /// Whether its last state was saved.
    ended: bool,
    /// The times of all input frontiers; kept for its memory.
    times: Vec<Event>,
}

/// A message of a later epoch, in the order of arrival.
struct Stashed {
    epoch: u64,
    event: Millis,
    input: usize,
    parcel: Parcel,
}

impl Shell {
    fn new(
        (number, operator): (usize, Operator),
        outputs: Vec<Output>,
        held: Vec<CapabilitySet<Event>>,
        (context, again): (Rc<Context>, Activator),
    ) -> Shell {
        let open = context.first_epoch();
        Shell {
            number,
            operator,
            outputs,
            held,
            context,
            again,
            saving: None,
            stash: VecDeque::new(),
            open,
            last_tick: 0,
            watermark: Millis::MIN,
            // What was restored is shown again, as nobody remembers what was shown.
            applied: 0 < open,
            restored: 0 < open,
            sent: None,
            reported: None,
            ended: false,
            times: Vec::new(),
        }
    }

    /// Shows the views what was restored for them, as the state of the epoch before the first.
    fn show_restored(&mut self) {
        if !std::mem::take(&mut self.restored) {
            return;
        }
        for output in 0..self.operator.ports.len() {
            let rows = self.operator.restored_rows(output);
            if !rows.is_empty() {
                let held = self.held[output].iter().next().expect("nothing is promised yet");
                let time = Product::new(self.context.tick_before(), held.time().inner);
                let capability = held.delayed(&time);
                self.outputs[output].activate().session(&capability).give(rows);
            }
        }
    }

    fn take(&mut self, input: usize, time: Event, parcel: Parcel) {
        let epoch = self.context.pace.epoch(time.outer);
        if epoch <= self.open {
            self.apply(input, parcel);
        } else {
            self.stash.push_back(Stashed { epoch, event: time.inner, input, parcel });
        }
    }

    fn apply(&mut self, input: usize, parcel: Parcel) {
        self.sent = oldest(self.sent, parcel.sent);
        self.operator.apply(input, parcel);
        self.applied = true;
    }

    fn work(&mut self, frontiers: &[MutableAntichain<Event>]) {
        match self.context.phase.get() {
            Phase::Running | Phase::Stopping => {}
            Phase::Confirmed => return,
            Phase::Halted => return self.halt(),
        }
        let mut times: Vec<Event> = std::mem::take(&mut self.times);
        times.clear();
        frontiers.iter().for_each(|frontier| times.extend(frontier.frontier().iter()));
        let frontier = times.iter().map(|time| time.inner).min().unwrap_or(Millis::MAX);
        let epoch = times.iter().map(|time| self.context.pace.epoch(time.outer)).min();

        self.emit(frontier);
        // STEP 3. A frontier that jumped over several epochs is worked off one at a time, so that
        // each row leaves at a tick of the epoch that it belongs to. An empty frontier completes
        // every epoch.
        while epoch.is_none_or(|epoch| self.open < epoch) {
            let next = match epoch {
                Some(_) => self.open + 1,
                None => match self.stash.iter().map(|stashed| stashed.epoch).min() {
                    Some(next) => next,
                    None => break,
                },
            };
            if epoch.is_some() {
                self.begin_save();
            }
            self.open_epoch(next);
            self.emit(frontier);
        }
        for held in &mut self.held {
            held.downgrade(times.iter());
        }
        self.save(SLICE);
        if self.reported != Some(self.open) || times.is_empty() {
            self.report();
        }
        if times.is_empty() {
            self.end();
        }
        self.times = times;
    }

    /// The open epoch is complete: its state begins to go to the checkpoint.
    fn begin_save(&mut self) {
        if let Some(agent) = &self.context.agent
            && agent.wants(self.open)
        {
            let agent = agent.clone();
            // Rare, as an epoch is passed over while another is saved (`checkpoint/rhythm.rs`).
            self.save(usize::MAX);
            self.operator.begin_save(agent.wants_whole(&self.operator.place));
            self.saving = Some(self.open);
        }
    }

    /// Goes on with a save under way.
    fn save(&mut self, mut budget: usize) {
        if let (Some(epoch), Some(agent)) = (self.saving, &self.context.agent) {
            match self.operator.save(&mut budget) {
                Some(snapshot) => {
                    agent.state(At::Epoch(epoch), (self.number, &self.operator.place), snapshot);
                    self.saving = None;
                }
                None => self.again.activate(),
            }
        }
    }

    /// Nothing will come any more: the state holds for ever.
    fn end(&mut self) {
        self.save(usize::MAX);
        if let Some(agent) = self.context.agent.as_ref().filter(|_| !self.ended) {
            self.operator.begin_save(agent.wants_whole(&self.operator.place));
            let snapshot = self.operator.save(&mut usize::MAX.clone()).expect("no end to a budget");
            agent.state(At::End(self.open), (self.number, &self.operator.place), snapshot);
            self.ended = true;
        }
    }

    fn open_epoch(&mut self, epoch: u64) {
        self.open = epoch;
        for _ in 0..self.stash.len() {
            let stashed = self.stash.pop_front().expect("counted");
            if stashed.epoch <= epoch {
                self.apply(stashed.input, stashed.parcel);
            } else {
                self.stash.push_back(stashed);
            }
        }
    }

    /// STEP 2. Shows what changed and closes what can change no more.
    fn emit(&mut self, frontier: Millis) {
        let stashed = self.stash.iter().map(|stashed| stashed.event).min();
        let watermark = frontier.min(stashed.unwrap_or(Millis::MAX));
        assert!(
            self.watermark <= watermark,
            "the watermark of `{}` went back from {} to {watermark}",
            self.operator.place,
            self.watermark
        );
        if !self.applied && watermark == self.watermark {
            return;
        }
        if let Err(error) = self.operator.check_groups(self.context.worker) {
            return self.context.failure.set(error);
        }
        self.watermark = watermark;
        self.applied = false;
        self.operator.emit(watermark);
        for output in 0..self.operator.ports.len() {
            let mut rows = self.operator.rows(output);
            rows.sent = self.sent;
            self.send(output, rows);
        }
        self.sent = None;
        let letters = self.operator.letters();
        self.context.board.letters(&letters);
        let rows = letter_rows(&letters, &self.context.system);
        self.send(self.outputs.len() - 1, rows);
    }

    fn send(&mut self, output: usize, rows: Rows) {
        if rows.is_empty() {
            return;
        }
        let held = &self.held[output];
        let least = held.iter().min_by_key(|capability| capability.time().outer);
        let least: &Capability<Event> = least.expect("rows are made while the frontier is held");
        let first = self.context.pace.first_tick(self.open);
        self.last_tick = self.last_tick.max(least.time().outer).max(first);
        let capability = least.delayed(&Product::new(self.last_tick, least.time().inner));
        self.outputs[output].activate().session(&capability).give(rows);
    }

    /// The job stops: what is open stays unwritten.
    fn halt(&mut self) {
        self.held.iter_mut().for_each(|held| held.downgrade(std::iter::empty::<&Event>()));
        self.report();
    }

    /// Says how much is open: once an epoch, as counting costs.
    fn report(&mut self) {
        self.reported = Some(self.open);
        self.context.board.operator(&self.operator, self.context.worker, self.watermark);
    }
}

/// Letters as the rows of a sink.
pub(crate) fn letter_rows(letters: &[Letter], system: &str) -> Rows {
    let mut rows = Rows::default();
    for letter in letters {
        let mark = Mark { change: Change::Final, origin: Origin::Record(letter.position) };
        rows.push(mark, letter.cells(system));
    }
    rows
}

#[cfg(test)]
mod tests;
