//! The intake of a source: bytes become events, each is judged once, the steps run.
//!
//! ```text
//! batch ─► decode ─► event time ─► future? ─► late? ─► duplicate? ─► steps ─► outbox
//!             │          │            │         │           │
//!             └──────────┴─ dead ─────┘       late     duplicates       read = their sum + used
//! ```
//!
//! Everything here is a function of the partition's log: its state is `PartitionState`, and no
//! clock is read.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::chunk::{Chunk, Origin, Places, letter};
use super::dedup::Dedup;
use super::judge::{Case, Judge};
use super::node::{Node, Outbox, caught};
use super::times::TimeColumn;
use crate::codec::json::{self, Decoded};
use crate::codec::{At, Options, RawRecord, TypeErrors, Wire};
use crate::hash::FixedSet;
use crate::keyed::Saved;
use crate::lateness::{Lateness, Ledger, Reach, Watermark};
use crate::letter::{Letter, Reason, Reject};
use crate::row::Position;
use crate::source::Batch;
use crate::text::Text;
use crate::time::minutes;

/// What a binding says about a source.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Overrides the delay of the code.
    pub lateness: Option<Duration>,
    /// Overrides the rule of the code.
    pub strict: Option<bool>,
    /// How far ahead of its record's own time an event may be; `None`: not looked at.
    pub future_skew: Option<Duration>,
    /// Field whose time is the record's own time, of a source that has none.
    pub arrival: Option<Text>,
    /// Field whose repetitions are dropped, and for how much event time it is remembered; `None`:
    /// for the lateness and the longest window. Stands in for a `dedup` of the code.
    pub dedup: Option<(Text, Option<Duration>)>,
    /// Whether a record's own time stands in for a missing event time.
    pub record_time_as_event_time: bool,
    /// Decoding.
    pub codec: Options,
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            lateness: None,
            strict: None,
            future_skew: Some(minutes(5)),
            arrival: None,
            dedup: None,
            record_time_as_event_time: false,
            codec: Options::default(),
        }
    }
}

/// Where one partition stands.
#[derive(Clone, Debug)]
pub struct PartitionState {
    /// Its number.
    pub id: u32,
    /// Its promise.
    pub watermark: Watermark,
    /// What became of its records.
    pub ledger: Ledger,
    /// Offset of the next record.
    pub next_offset: Option<i64>,
    /// Whether offsets count records, so that a jump is a gap.
    pub dense: bool,
}

impl PartitionState {
    /// A partition of which nothing was read.
    pub fn new(id: u32, delay: Duration) -> PartitionState {
        let watermark = Watermark::new(delay);
        PartitionState { id, watermark, ledger: Ledger::default(), next_offset: None, dense: false }
    }
}

/// Decodes, judges and runs the steps behind a source.
pub trait Intake {
    /// Takes a batch of one partition; gives its records a time of their own where a binding says
    /// which field has it.
    fn take(&mut self, batch: &mut Batch, partition: &mut PartitionState, out: &mut Outbox);

    /// Values that had the wrong type and became NULL, by field.
    fn stats(&self) -> SourceStats;

    /// Whether it remembers more of a partition than [`PartitionState`] holds.
    fn remembers(&self) -> bool {
        self.memory().is_some()
    }

    /// What it remembers, in words.
    fn memory(&self) -> Option<String>;

    /// Begins to save what it remembers; see [`Saves::begin_save`](crate::keyed::Saves).
    fn begin_save(&mut self, whole: bool);

    /// Goes on saving what it remembers; the groups are partitions.
    fn save(&mut self, budget: &mut usize) -> Option<Saved>;

    /// Takes in what it remembered of a partition, one save after the other; shows again what
    /// nobody else remembers.
    fn restore(&mut self, partition: u32, bytes: &[u8], out: &mut Outbox);
}

/// What an intake counted beside the ledgers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Values of the wrong type, by field.
    pub type_errors: Vec<(Text, u64)>,
}

/// Reads the event times of a batch.
pub(super) type Times<E> = Box<dyn Fn(&[E], &mut TimeColumn)>;

/// The intake of a source of one wire type.
pub(super) struct SourceIntake<E> {
    pub(super) index: u32,
    pub(super) name: Text,
    pub(super) lateness: Lateness,
    pub(super) reaches: Rc<RefCell<Vec<Reach>>>,
    pub(super) options: SourceOptions,
    pub(super) node: Rc<Node<E>>,
    pub(super) dedup: Rc<RefCell<Option<Dedup<E>>>>,
    pub(super) times: Times<E>,
    pub(super) decoder: Decoder<E>,
    pub(super) judge: Judge,
}

/// Decoded events of a batch, in memory that is used again.
pub(super) struct Decoder<E> {
    decoded: Decoded<E>,
    /// Record of each event.
    records: Vec<u32>,
    type_errors: TypeErrors,
}

impl<E> Default for Decoder<E> {
    fn default() -> Decoder<E> {
        let (records, type_errors) = (Vec::new(), TypeErrors::default());
        Decoder { decoded: Decoded::default(), records, type_errors }
    }
}

impl<E: Wire> Intake for SourceIntake<E> {
    fn take(&mut self, batch: &mut Batch, partition: &mut PartitionState, out: &mut Outbox) {
        if let Some(field) = &self.options.arrival {
            read_arrivals(batch, field, &self.options.codec);
        }
        self.take_up_dedup();
        let batch = &*batch;
        let events: &[E] = match &batch.events {
            Some(ready) => {
                partition.ledger.read += ready.range.len() as u64;
                let all = ready.events.downcast_ref::<Vec<E>>();
                &all.expect("a memory source holds the events of its port")[ready.range.clone()]
            }
            None => {
                let (source, records) = ((self.index, &self.name), (batch, 0..batch.records.len()));
                self.decoder.run(source, records, &self.options, partition, out);
                &self.decoder.decoded.events
            }
        };
        let places = Places {
            source: self.index,
            partition: partition.id,
            batch,
            elements: &self.decoder.decoded.elements,
            records: &self.decoder.records,
        };
        let case = Case {
            name: &self.name,
            strict: self.lateness.is_strict(),
            dedup: self.dedup.borrow().is_some(),
            reaches: &self.reaches.borrow(),
            options: &self.options,
            places,
        };
        self.judge.begin();
        read_times(&self.times, events, &mut self.judge);
        self.judge.run(&case, partition, out);
        if let Some(dedup) = &mut *self.dedup.borrow_mut() {
            let before = self.judge.kept.len();
            dedup.retain(&places, events, &mut self.judge);
            let panics = &self.judge.panics;
            let dropped = (before - self.judge.kept.len()) as u64;
            partition.ledger.dead += panics.len() as u64;
            partition.ledger.duplicates += dropped - panics.len() as u64;
            for (index, panic) in panics {
                let (event, reject) = (*index as usize, Reject::new(Reason::UserPanic, panic));
                out.letters.push(case.letter(event, reject, self.judge.times.get(event), None));
            }
        }
        let Judge { times, within, behind, all, kept, before, .. } = &self.judge;
        partition.ledger.used += if *all { events.len() } else { kept.len() } as u64;
        partition.next_offset = Some(batch.next_offset);
        let origin = Origin { source: &self.name, places, behind, times, within, before };
        let selected = (!*all && kept.len() < events.len()).then_some(&kept[..]);
        self.node.run(&Chunk { events, selected, roots: None, origin: &origin }, out);
        tell_once(&mut out.letters);
    }

    fn stats(&self) -> SourceStats {
        self.decoder.stats()
    }

    fn memory(&self) -> Option<String> {
        match &self.options.dedup {
            Some((field, _)) => Some(format!("ids in field `{field}`")),
            None => self.dedup.borrow().as_ref().map(Dedup::shape),
        }
    }

    fn begin_save(&mut self, whole: bool) {
        self.take_up_dedup();
        if let Some(dedup) = &mut *self.dedup.borrow_mut() {
            dedup.begin_save(whole);
        }
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        let dedup = &mut *self.dedup.borrow_mut();
        dedup.as_mut().map_or_else(|| Some(Saved::nothing()), |dedup| dedup.save(budget))
    }

    fn restore(&mut self, partition: u32, bytes: &[u8], _: &mut Outbox) {
        self.take_up_dedup();
        if let Some(dedup) = &mut *self.dedup.borrow_mut() {
            dedup.restore(partition, bytes);
        }
    }
}

impl<E: 'static> SourceIntake<E> {
    /// Begins with the `dedup` that a binding asks for, once all consumers are known.
    fn take_up_dedup(&mut self) {
        if let Some(asked) = self.options.dedup.take() {
            self.dedup.replace(Some(self.dedup_of(asked)));
        }
    }

    /// The `dedup` that a binding asks for.
    fn dedup_of(&self, (field, memory): (Text, Option<Duration>)) -> Dedup<E> {
        let reaches = self.reaches.borrow();
        let longest = || reaches.iter().filter_map(Reach::size).max().unwrap_or_default();
        let memory = memory.unwrap_or_else(|| self.lateness.delay() + longest());
        Dedup::by_field(field, self.options.codec.clone(), memory)
    }
}

impl<E: Wire> Decoder<E> {
    /// The events of the last run.
    pub(super) fn events(&self) -> &[E] {
        &self.decoded.events
    }

    /// Values that had the wrong type and became NULL, by field.
    pub(super) fn stats(&self) -> SourceStats {
        let counts = self.type_errors.counts();
        SourceStats { type_errors: counts.into_iter().collect() }
    }

    /// Decodes records of a batch; those that cannot be are dead letters.
    pub(super) fn run(
        &mut self,
        (index, name): (u32, &Text),
        (batch, records): (&Batch, Range<usize>),
        options: &SourceOptions,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        self.decoded.clear();
        self.records.clear();
        let mut next = records.start;
        while next < records.end {
            // One border for the whole batch: entering it per record would cost.
            let outcome = caught(|| {
                while next < records.end {
                    self.record((index, name), (batch, next), options, partition, out);
                    next += 1;
                }
            });
            if let Err(panic) = outcome {
                self.decoded.events.truncate(self.records.len());
                self.decoded.elements.truncate(self.records.len());
                self.decoded.rejects.clear();
                let position = position(index, partition, batch, next, 0);
                let reject = Reject::new(Reason::DecoderPanic, panic);
                partition.ledger.read += 1;
                partition.ledger.dead += 1;
                out.letters.push(letter(name, batch, next, position, reject));
                next += 1;
            }
        }
    }

    fn record(
        &mut self,
        (index, name): (u32, &Text),
        (batch, number): (&Batch, usize),
        options: &SourceOptions,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        let record = &batch.records[number];
        let value = batch.slice(&record.value);
        let place = position(index, partition, batch, number, 0);
        let at = At { topic: name, position: place };
        let (errors, decoded) = (&self.type_errors, &mut self.decoded);
        let (key, before) = (batch.slice(&record.key), decoded.events.len());
        // A record of which only the beginning is here would be kept as if it were whole.
        let is_whole = || !batch.cut.iter().any(|(cut, _)| *cut == number);
        let outcome = if E::RAW && is_whole() {
            let (time, position) = (record.time, place);
            decoded.push(E::from_record(RawRecord { key, value, time, position }));
            Ok(1)
        } else {
            json::decode(value, at, &options.codec, errors, decoded)
        };
        let ledger = &mut partition.ledger;
        let mut dead = |element, reject| {
            ledger.read += 1;
            ledger.dead += 1;
            let position = Position { element, ..place };
            out.letters.push(letter(name, batch, number, position, reject));
        };
        match outcome {
            Err(reject) => dead(0, reject),
            Ok(events) => {
                decoded.rejects.drain(..).for_each(|(element, reject)| dead(element, reject));
                ledger.read += events as u64;
                decoded.events[before..].iter_mut().for_each(|event| event.record_key(key));
                self.records.resize(decoded.events.len(), number as u32);
            }
        }
    }
}

/// Leaves one letter `late` of each record and view: of what a step made of one event all is late,
/// and both sides of a join may refuse it.
fn tell_once(letters: &mut Vec<Letter>) {
    if 1 < letters.len() {
        let mut told = FixedSet::default();
        letters.retain(|Letter { position, place, reason, .. }| {
            *reason != Reason::Late || told.insert((*position, place.clone()))
        });
    }
}

/// Gives each record the time that one of its fields says.
fn read_arrivals(batch: &mut Batch, field: &str, options: &Options) {
    let Batch { bytes, records, .. } = batch;
    for record in records {
        let value = record.value.clone().map(|range| &bytes[range]);
        record.time = value.and_then(|value| json::instant(value, field, options));
    }
}

/// Reads the event times of a batch; one at which the author's function panics has none.
fn read_times<E>(read: &Times<E>, events: &[E], judge: &mut Judge) {
    let Judge { times, panics, .. } = judge;
    if caught(|| read(events, times)).is_ok() {
        return;
    }
    times.clear();
    for (index, event) in events.iter().enumerate() {
        if let Err(panic) = caught(|| read(std::slice::from_ref(event), times)) {
            times.truncate(index);
            times.push(None);
            panics.push((index as u32, panic));
        }
    }
}

/// Position of an element of a record.
fn position(
    source: u32,
    partition: &PartitionState,
    batch: &Batch,
    record: usize,
    element: u32,
) -> Position {
    let offset = batch.records[record].offset;
    Position { source, partition: partition.id, offset, element }
}
