//! The source operator: reads the partitions of one source that this worker owns.
//!
//! ```text
//! once per activation:
//!   tick forward ─► at an epoch's end: note positions ─► poll each partition, run the intake,
//!   send ─► downgrade to (tick, least watermark of its partitions) ─► say when to come again
//! ```
//!
//! One capability per worker and output, at (tick, least watermark): the frontier is a minimum
//! anyway, and a tick then costs one change instead of one per partition. When sinks or exchanges
//! lag, it stops reading but goes on ticking, or the frontier would stand still (rule eR10).

mod checkpoint;
mod floors;
mod report;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::order::Product;
use timely::scheduling::Activator;

use self::floors::Hold;
use self::report::{InFlight, SHOWN};
use super::limit::{Rates, Taken};
use super::{Batch, Partition, Poll, Source, Start, Wake};
use crate::checkpoint::{At, SLICE};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::observe::latency::ReaderLog;
use crate::operators::Event;
use crate::operators::differential::Announcement;
use crate::operators::shell::letter_rows;
use crate::parcel::Parcel;
use crate::row::Rows;
use crate::runtime::{Context, EpochPositions, Phase, Ticker};
use crate::stream::{Intake, Outbox, PartitionState};
use crate::text::Text;
use crate::time::Millis;

/// What a source operator is made of.
pub struct ReaderPlan {
    /// Number of the source in the plan.
    pub index: usize,
    /// Its name.
    pub name: Text,
    /// How far its watermarks run behind.
    pub delay: Duration,
    /// Decodes, judges and runs the steps behind it.
    pub intake: Box<dyn Intake>,
    /// The connector.
    pub source: Box<dyn Source>,
    /// Where reading begins.
    pub start: Start,
    /// `catch_up_skew`.
    pub catch_up_skew: Duration,
    /// `idle_timeout`.
    pub idle_timeout: Option<Duration>,
    /// Limits of a batch.
    pub limits: super::BatchLimits,
    /// `watermark_scope = "global"`.
    pub is_global: bool,
    /// `max_rate_per_partition`, `max_offsets_per_trigger`.
    pub rates: Rates,
    /// The slots that it fills, by their number in the plan.
    pub slots: Vec<usize>,
    /// The ports that it fills, by their number in the plan.
    pub ports: Vec<usize>,
    /// Whether its promises are sent as data too, for views that differential dataflow keeps.
    pub announce: bool,
    /// How many slots and ports the plan has.
    pub counts: (usize, usize),
}

/// The outputs of a source operator.
pub struct ReaderOutputs<'s> {
    /// Per slot of [`ReaderPlan::slots`].
    pub parcels: Vec<StreamVec<'s, Event, Parcel>>,
    /// Per port of [`ReaderPlan::ports`].
    pub rows: Vec<StreamVec<'s, Event, Rows>>,
    /// Dead letters.
    pub letters: StreamVec<'s, Event, Rows>,
    /// Its promises, as data.
    pub announcements: StreamVec<'s, Event, Announcement>,
}

type Output<T> = OutputBuilder<Event, CapacityContainerBuilder<Vec<T>>>;

/// Builds the operator.
pub fn reader<'s>(
    scope: Scope<'s, Event>,
    plan: ReaderPlan,
    context: &Rc<Context>,
) -> ReaderOutputs<'s> {
    let mut builder = OperatorBuilder::new(format!("source {}", plan.name), scope);
    let info = builder.operator_info();
    let activator = scope.activator_for(info.address.clone());
    context.operators.borrow_mut().push(activator.clone());
    let remote = scope.worker().sync_activator_for(info.address.to_vec());
    let wake: Wake = Arc::new(move || {
        // When the worker has ended, nobody needs waking.
        let _ = remote.activate();
    });
    let mut outputs = Outputs { parcels: vec![], rows: vec![], letters: None, announcements: None };
    let (mut parcels, mut rows) = (vec![], vec![]);
    for _ in &plan.slots {
        let (output, stream) = builder.new_output();
        outputs.parcels.push(Output::from(output));
        parcels.push(stream);
    }
    for _ in &plan.ports {
        let (output, stream) = builder.new_output();
        outputs.rows.push(Output::from(output));
        rows.push(stream);
    }
    let (output, letters) = builder.new_output();
    outputs.letters = Some(Output::from(output));
    let (output, announcements) = builder.new_output();
    outputs.announcements = Some(Output::from(output));
    let context = context.clone();
    builder.build(move |held| {
        let mut reader = Reader::new(plan, context, outputs, held, activator, wake);
        move |_frontiers| reader.activate()
    });
    ReaderOutputs { parcels, rows, letters, announcements }
}

struct Outputs {
    parcels: Vec<Output<Parcel>>,
    rows: Vec<Output<Rows>>,
    letters: Option<Output<Rows>>,
    announcements: Option<Output<Announcement>>,
}

struct Reader {
    plan: ReaderPlan,
    context: Rc<Context>,
    outputs: Outputs,
    /// One per output: slots, ports, letters, announcements.
    held: Vec<Capability<Event>>,
    activator: Activator,
    wake: Wake,
    ticker: Ticker,
    epoch: u64,
    /// Tells its files with state from others, if it has any.
    memory: Option<usize>,
    /// Whether rows of the checkpoint wait in the outbox to be shown again.
    recalled: bool,
    /// The end of which what is remembered is being saved.
    saving: Option<At>,
    /// What the capabilities promise.
    watermark: Millis,
    /// What they promised by the end of the last epoch.
    settled: Millis,
    partitions: Vec<Reading>,
    /// How many workers read.
    readers: usize,
    known: u32,
    outbox: Outbox,
    batch: Batch,
    /// When this reader promised what; for latency.
    promises: Arc<ReaderLog>,
    timer: Option<Instant>,
    /// When the first of the partitions that say so has something again.
    due: Option<Duration>,
    committed: Option<u64>,
    /// When the partitions were shown last.
    shown: Duration,
}

/// A partition that is being read.
struct Reading {
    partition: Box<dyn Partition>,
    state: PartitionState,
    last: Poll,
    /// When its last record arrived, or when it was opened.
    arrived: Duration,
    /// What its limits count.
    taken: Taken,
    /// Whether a floor waits for its checkpoint.
    hold: Hold,
    /// What of its records the sinks have not confirmed.
    flight: InFlight,
}

impl Reading {
    /// Read to its end, and silent for so long.
    fn is_idle(&self, now: Duration, timeout: Duration) -> bool {
        matches!(self.last, Poll::CaughtUp | Poll::After(_))
            && timeout <= now.saturating_sub(self.arrived)
    }
}

/// The worker that reads a partition of a source, which is known by its index in the job and read
/// by so many workers of all.
///
/// Workers that began without a partition promised that no event will come from them, so one that
/// appears later goes to a worker that has some. Each source begins with another worker: topics
/// have few partitions, and all first ones would come to the first worker.
fn reader_of(partition: u32, readers: usize, (source, peers): (usize, usize)) -> usize {
    (partition as usize % readers + source) % peers
}

/// Keeps the shorter of two pauses.
fn sooner(due: &mut Option<Duration>, pause: Duration) {
    *due = Some(due.map_or(pause, |due| due.min(pause)));
}

impl Reader {
    fn new(
        plan: ReaderPlan,
        context: Rc<Context>,
        outputs: Outputs,
        mut held: Vec<Capability<Event>>,
        activator: Activator,
        wake: Wake,
    ) -> Reader {
        let (slots, ports) = plan.counts;
        let outbox = Outbox {
            peers: context.peers,
            parcels: (0..slots).map(|_| Vec::new()).collect(),
            rows: (0..ports).map(|_| Rows::default()).collect(),
            letters: Vec::new(),
        };
        let epoch = context.first_epoch();
        let ticker = Ticker::new(context.pace, context.pace.first_tick(epoch))
            .with_checkpoints(context.agent.is_some());
        let before = Product::new(context.tick_before(), Millis::MIN);
        held.iter_mut().for_each(|held| held.downgrade(&before));
        let memory = checkpoint::register(&plan, &context);
        let promises = context.board.watermarks().reader(plan.index);
        let batch = Batch { limits: plan.limits, ..Batch::default() };
        let mut reader = Reader {
            plan,
            context,
            outputs,
            held,
            activator,
            wake,
            ticker,
            epoch,
            memory,
            recalled: false,
            saving: None,
            watermark: Millis::MIN,
            settled: Millis::MIN,
            partitions: Vec::new(),
            readers: 0,
            known: 0,
            outbox,
            batch,
            promises,
            timer: None,
            due: None,
            committed: None,
            shown: Duration::ZERO,
        };
        if let Err(error) = reader.discover() {
            reader.fail(error);
        }
        reader
    }

    fn activate(&mut self) {
        if self.held.is_empty() {
            return;
        }
        if self.context.failure.is_set() {
            // The capabilities stay: without them others would close windows that are open.
            self.report();
            return;
        }
        if self.context.phase.get() == Phase::Halted {
            // Before this phase, all workers have seen everything confirmed that was read.
            let offsets = self.offsets();
            self.publish(&offsets);
            self.end();
            return;
        }
        let (now, completed) = (self.context.clock.now(), self.context.completed.get());
        let tick = self.ticker.advance(now, completed);
        self.context.reached.set(self.context.reached.get().max(tick));
        while self.epoch < self.context.pace.epoch(tick) {
            self.end_epoch();
        }
        if std::mem::take(&mut self.recalled) {
            self.send();
        }
        // What is promised now is announced in this epoch, not in the one that has ended.
        self.downgrade();
        self.promise();
        let mut more = false;
        let running = self.context.phase.get() == Phase::Running;
        if running && self.ticker.may_read(completed) {
            match self.read() {
                Ok(found) => more = found,
                Err(error) => self.fail(error),
            }
            self.promise();
            if self.is_finished() {
                self.settled = self.watermark;
                self.save(At::End(self.epoch));
                self.end();
                return;
            }
        }
        more |= self.go_on_saving(SLICE);
        if self.shown + SHOWN <= now {
            // An epoch may be long, and does not end while too much is under way.
            self.report();
        }
        self.come_again(more);
    }

    /// Takes up partitions that this worker owns and does not read yet.
    fn discover(&mut self) -> Result<()> {
        let count = self.plan.source.partitions()?;
        if count < self.known {
            let (name, before) = (&self.plan.name, self.known);
            let error = format!("source `{name}` had {before} partitions and now has {count}");
            return Err(Error::config(error).hint("it was made anew: start the job again"));
        }
        if self.known == 0 {
            self.check_marks(count)?;
            self.readers = self.context.peers.min(count as usize).max(1);
        }
        for id in self.known..count {
            let reader = reader_of(id, self.readers, (self.plan.index, self.context.peers));
            if reader != self.context.worker {
                continue;
            }
            let (start, mut state) = self.begin(id);
            self.recall(id)?;
            let partition = self.plan.source.open(id, &start, self.wake.clone())?;
            state.dense = partition.offsets_are_dense();
            if self.watermark != Millis::MAX {
                state.watermark.raise(self.watermark);
            }
            let arrived = self.context.clock.now();
            let (last, taken) = (Poll::Waiting, Taken::new(arrived));
            let hold = self.hold_if_new(state.watermark.get());
            let flight = InFlight::new(state.ledger.read);
            self.partitions.push(Reading { partition, state, last, arrived, taken, hold, flight });
        }
        self.known = count;
        Ok(())
    }

    /// Polls each partition once; true if one may have more at once.
    fn read(&mut self) -> Result<bool> {
        let mut more = false;
        self.due = None;
        let slowest = self.slowest();
        let mut global = Millis::MIN;
        let (now, rates) = (self.context.clock.now(), self.plan.rates);
        let records_max = self.plan.limits.records.min(rates.batch_max());
        for index in 0..self.partitions.len() {
            let reading = &mut self.partitions[index];
            let ahead = reading.state.watermark.greatest().map(|time| time.floor_ms());
            if reading.last == Poll::Finished
                || reading.hold.is_held()
                || ahead.is_some_and(|ahead| slowest.plus(self.plan.catch_up_skew) < ahead)
            {
                continue;
            }
            match rates.allow(&reading.taken, (reading.state.id, self.known), now) {
                Ok(allowed) => self.batch.limits.records = records_max.min(allowed),
                Err(pause) => {
                    // What has come meanwhile is not known, so it must not be called idle.
                    if reading.last != Poll::Ready {
                        reading.last = Poll::Waiting;
                    }
                    sooner(&mut self.due, pause);
                    continue;
                }
            }
            let before = reading.state.next_offset.unwrap_or(0);
            self.batch.clear();
            self.batch.next_offset = before;
            reading.last = reading.partition.poll(&mut self.batch)?;
            reading.state.ledger.gaps += self.batch.lost;
            failpoint!("source.after_poll");
            more |= reading.last == Poll::Ready;
            if let Poll::After(pause) = reading.last {
                sooner(&mut self.due, pause);
            }
            let records = self.batch.len();
            if 0 < records {
                reading.arrived = self.context.clock.now();
                rates.note(&mut reading.taken, records, now);
                reading.state.watermark.raise(global);
                self.plan.intake.take(&mut self.batch, &mut reading.state, &mut self.outbox);
                self.context.board.count_read(records as u64);
            }
            // It speaks of what comes behind the batch, so it judges none of its records.
            if let Some(promise) = self.batch.promise.take() {
                reading.state.watermark.raise(promise);
                reading.state.next_offset = Some(self.batch.next_offset);
            }
            if self.plan.is_global {
                global = global.max(reading.state.watermark.get());
            }
            if 0 < records {
                self.send();
            } else if before < self.batch.next_offset {
                // Nothing but positions without records, such as the marks of transactions.
                reading.state.next_offset = Some(self.batch.next_offset);
            }
        }
        if self.plan.is_global {
            // Also those that have nothing new.
            self.partitions.iter_mut().for_each(|reading| reading.state.watermark.raise(global));
        }
        Ok(more)
    }

    /// How far the slowest partition that still has something to catch up with has come.
    fn slowest(&self) -> Millis {
        let behind = self.partitions.iter().filter(|reading| reading.last == Poll::Ready);
        let times = behind.filter_map(|reading| reading.state.watermark.greatest());
        times.map(|time| time.floor_ms()).min().unwrap_or(Millis::MAX)
    }

    /// Sends what the intake left in the outbox.
    fn send(&mut self) {
        let mut sent = false;
        for (output, slot) in self.plan.slots.iter().enumerate() {
            let parcels = &mut self.outbox.parcels[*slot];
            if !parcels.is_empty() {
                let held = &self.held[output];
                let mut activated = self.outputs.parcels[output].activate();
                let due = self.batch.sent();
                let stamped = parcels.drain(..).map(|parcel| parcel.sent(due));
                activated.session(held).give_iterator(stamped);
                sent = true;
            }
        }
        for (output, port) in self.plan.ports.iter().enumerate() {
            let mut rows = std::mem::take(&mut self.outbox.rows[*port]);
            rows.sent = self.batch.sent();
            if !rows.is_empty() {
                let held = &self.held[self.plan.slots.len() + output];
                self.outputs.rows[output].activate().session(held).give(rows);
                sent = true;
            }
        }
        if !self.outbox.letters.is_empty() {
            self.context.board.letters(&self.outbox.letters);
            let rows = letter_rows(&self.outbox.letters, &self.context.system);
            self.outbox.letters.clear();
            let held = &self.held[self.plan.slots.len() + self.plan.ports.len()];
            let output = self.outputs.letters.as_mut().expect("set when built");
            output.activate().session(held).give(rows);
            sent = true;
        }
        if sent {
            self.ticker.sent(self.context.clock.now());
        }
    }

    /// Lowers the capabilities to (tick, least watermark).
    fn promise(&mut self) {
        let open = self.partitions.iter().filter(|reading| reading.last != Poll::Finished);
        let least = open.map(|reading| reading.state.watermark.get()).min();
        let watermark = self.watermark.max(least.unwrap_or(Millis::MAX));
        if watermark != self.watermark {
            self.promises.note(watermark, self.context.host.now());
            self.watermark = watermark;
            self.announce();
        }
        self.downgrade();
    }

    fn downgrade(&mut self) {
        let time = Product::new(self.ticker.tick(), self.watermark);
        self.held.iter_mut().for_each(|held| held.downgrade(&time));
    }

    /// Says as data what the capabilities promise, at the tick that they are at.
    fn announce(&mut self) {
        if !self.plan.announce {
            return;
        }
        let (source, worker, watermark) = (self.plan.index, self.context.worker, self.watermark);
        let held = self.held.last().expect("the capability of the announcements");
        let output = self.outputs.announcements.as_mut().expect("set when built");
        output.activate().session(held).give(Announcement { source, worker, watermark });
    }

    fn is_finished(&self) -> bool {
        let finished = |reading: &Reading| reading.last == Poll::Finished;
        self.plan.source.is_bounded() && self.partitions.iter().all(finished)
    }

    /// Notes where the partitions stand: the epoch holds exactly the records before these
    /// positions. Looks for new partitions, and tells the service what all sinks have written.
    fn end_epoch(&mut self) {
        let (epoch, source, offsets) = (self.epoch, self.plan.index, self.offsets());
        let positions = EpochPositions { epoch, source, offsets };
        self.context.positions.borrow_mut().push(positions);
        self.raise_floors();
        self.save(At::Epoch(epoch));
        self.settled = self.watermark;
        self.note_flight();
        self.epoch += 1;
        self.report();
        if let Err(error) = self.discover() {
            self.fail(error);
        }
        self.commit();
    }

    /// Tells the service the positions of the last epoch that the sinks of all workers confirmed.
    fn commit(&mut self) {
        let confirmed = self.confirmed();
        let mut positions = self.context.positions.borrow_mut();
        let mine = |at: &EpochPositions| at.source == self.plan.index && at.epoch < confirmed;
        let newest = positions.iter().filter(|at| mine(at)).max_by_key(|at| at.epoch).cloned();
        positions.retain(|at| !mine(at));
        drop(positions);
        let Some(newest) = newest.filter(|newest| self.committed < Some(newest.epoch)) else {
            return;
        };
        self.committed = Some(newest.epoch);
        self.publish(&newest.offsets);
    }

    /// Offset of the next record of each partition of which something was read.
    fn offsets(&self) -> Vec<(u32, i64)> {
        let read = self.partitions.iter();
        read.filter_map(|reading| Some((reading.state.id, reading.state.next_offset?))).collect()
    }

    fn publish(&mut self, offsets: &[(u32, i64)]) {
        if let Err(error) = self.plan.source.committed(offsets) {
            tracing::warn!(source = %self.plan.name, "{error}");
        }
    }

    fn fail(&mut self, error: Error) {
        self.context.failure.set(error.within(format!("source `{}`", self.plan.name)));
    }

    /// Says when to be activated next.
    fn come_again(&mut self, more: bool) {
        if more {
            self.activator.activate();
            return;
        }
        let now = self.context.host.now();
        let pause = self.ticker.next(self.context.clock.now(), self.context.completed.get());
        let pause = self.due.map_or(pause, |due| due.min(pause));
        // A wake-up that is due sooner serves as well; timers that pile up would not.
        if self.timer.is_none_or(|timer| timer <= now || now + pause < timer) {
            self.timer = Some(now + pause);
            self.context.alarms.after(pause, &self.activator);
        }
    }

    /// Nothing will come any more.
    fn end(&mut self) {
        self.report();
        let counts = self.plan.intake.stats().type_errors;
        self.context.board.type_errors(&self.plan.name, counts);
        self.promises.note(Millis::MAX, self.context.host.now());
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::reader_of;

    #[test]
    fn first_partitions_are_not_all_read_by_the_first_worker() {
        let of = |source, peers| {
            let readers = 3.min(peers);
            (0..4).map(|partition| reader_of(partition, readers, (source, peers))).collect()
        };
        let [first, second]: [Vec<usize>; 2] = [of(0, 2), of(1, 2)];
        assert_eq!([first, second], [[0, 1, 0, 1], [1, 0, 1, 0]]);
        // The fourth partition appeared later: the fourth worker has promised that none comes.
        assert_eq!([of(0, 4), of(1, 4)], [[0, 1, 2, 0], [1, 2, 3, 1]].map(Vec::from));
    }
}
