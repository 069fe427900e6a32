//! The end of the way before an exchange: key, measure and pre-aggregation in one loop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::chunk::{Chunk, Run};
use super::differential::MergedWindows;
use super::events::Keys;
use super::fill::Filled;
use super::node::{Outbox, Step};
use super::operator::{Root, TypedRoot};
use super::panes::PaneNode;
use super::plan::{MakeRoot, Wanted};
use crate::aggregate::{Aggregate, Stamp};
use crate::key::Key;
use crate::keyed::{Behind, FixedWindows, PreAggregate, Sessions};
use crate::letter::{Letter, Reason, Reject};
use crate::parcel::Parcel;
use crate::text::Text;
use crate::time::Time;
use crate::window::Windows;

/// Tells the time of an event by which it belongs to a window.
pub(super) type OwnTime<E> = Rc<dyn Fn(&E) -> Option<Time>>;

/// Makes the state of an `accumulate`, once it is known whether updates are wanted.
pub(super) fn make_root<K: Key, A: Aggregate>(
    windows: Windows,
    panes: &Rc<PaneNode<K, A>>,
) -> MakeRoot {
    let panes = panes.clone();
    Box::new(move |wanted: Wanted| match wanted.gaps.clone() {
        None => root(windows, panes, &wanted),
        Some(gaps) => {
            let make = |front| root(windows, front, &wanted);
            Box::new(Filled::<K, A>::new(gaps, panes, make))
        }
    })
}

fn root<K: Key, A: Aggregate>(
    windows: Windows,
    panes: Rc<PaneNode<K, A>>,
    wanted: &Wanted,
) -> Box<dyn Root> {
    let updates = wanted.updates;
    match windows {
        Windows::Fixed(_) if wanted.differential => {
            Box::new(MergedWindows::<K, A>::new(panes, updates))
        }
        Windows::Fixed(fixed) => {
            Box::new(TypedRoot::new(FixedWindows::<K, A>::new(fixed, updates), panes))
        }
        Windows::Session(session) => {
            Box::new(TypedRoot::new(Sessions::<K, A>::new(session, updates), panes))
        }
    }
}

/// The end of the way before an exchange: key, measure and pre-aggregation in one loop.
pub(super) struct Accumulate<K, E, A, F> {
    pub(super) slot: usize,
    pub(super) keys: Keys<K, E>,
    /// The time by which an event belongs to a window, if it is not the event time, and whether
    /// nothing behind the watermark is taken.
    pub(super) own: Option<(OwnTime<E>, bool)>,
    pub(super) measure: F,
    pub(super) column: Vec<K>,
    pub(super) parts: PreAggregate<K, A>,
    pub(super) letters: Vec<Letter>,
    pub(super) place: Rc<RefCell<Text>>,
    pub(super) late_windows: Rc<Cell<u64>>,
    pub(super) refused: u64,
    pub(super) key_bytes_max: usize,
}

impl<K: Key, E, A: Aggregate, F> Accumulate<K, E, A, F> {
    #[cold]
    fn refuse_key(&mut self, chunk: &Chunk<'_, E>, index: usize, key: &K) {
        let (bytes, most) = (key.heap_bytes(), self.key_bytes_max);
        let text = format!("its key has {bytes} bytes, view.key_bytes_max is {most}");
        self.letters.push(chunk.letter(index, Reject::because(text), &self.place.borrow()));
    }

    /// Adds events where another time of them belongs, each judged by the watermark before it.
    fn take_by(&mut self, chunk: &Chunk<'_, E>, time: &dyn Fn(&E) -> Option<Time>, strict: bool)
    where
        F: Fn(&E, &Stamp) -> A,
    {
        let mut column = std::mem::take(&mut self.column);
        (self.keys)(chunk, &mut column);
        for (nth, key) in column.drain(..).enumerate() {
            let index = chunk.index(nth);
            let time = time(&chunk.events[index]).filter(|time| time.is_legal());
            let Some(time) = time.filter(|_| !chunk.is_undated(index)) else { continue };
            if self.key_bytes_max < key.heap_bytes() {
                self.refuse_key(chunk, index, &key);
                continue;
            }
            let stamp = Stamp { time, ..chunk.stamp(index) };
            let measure = (self.measure)(&chunk.events[index], &stamp);
            let watermark = chunk.watermark(index);
            if time.floor_ms() < watermark {
                let behind = Behind { watermark, strict };
                self.add_behind((chunk, index), time, behind, &key, &measure);
            } else {
                let micros = time.micros();
                self.parts.turn_to(&[micros], &(micros..=micros));
                self.parts.on_time(micros, key, measure);
            }
        }
        self.column = column;
    }

    /// Adds an event that its own partition's watermark has passed.
    #[cold]
    fn add_behind(
        &mut self,
        (chunk, index): (&Chunk<'_, E>, usize),
        time: Time,
        behind: Behind,
        key: &K,
        measure: &A,
    ) {
        if chunk.is_undated(index) {
            return;
        }
        let outcome = self.parts.behind(time, behind, key, measure);
        self.refused += outcome.windows;
        if outcome.taken == 0 {
            let text = format!("all its windows were over at {}", behind.watermark);
            let reject = Reject::new(Reason::Late, text);
            self.letters.push(chunk.letter(index, reject, &self.place.borrow()));
        }
    }
}

impl<K, E, A, F> Step<E> for Accumulate<K, E, A, F>
where
    K: Key,
    A: Aggregate,
    F: Fn(&E, &Stamp) -> A,
{
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        if let Some((time, strict)) = self.own.clone() {
            self.take_by(chunk, &*time, strict);
            return;
        }
        let mut column = std::mem::take(&mut self.column);
        (self.keys)(chunk, &mut column);
        let mut behinds = chunk.behinds();
        let mut keys = column.drain(..);
        while 0 < keys.len() {
            let mut run = chunk.run(chunk.len() - keys.len(), &mut behinds);
            while !run.events.is_empty() {
                let alike = match run.behind {
                    None => self.parts.turn_to(run.times, chunk.origin.within),
                    Some(_) => 1,
                };
                let Run { events, times, first, behind } = run.split_off(alike);
                let events = events.iter().zip(times).zip(&mut keys);
                for (nth, ((event, micros), key)) in events.enumerate() {
                    let index = first + nth;
                    if self.key_bytes_max < key.heap_bytes() {
                        self.refuse_key(chunk, index, &key);
                        continue;
                    }
                    // An event that is used without a time lies behind, and is as early as can be.
                    let time = Time::from_micros(*micros).max(Time::MIN);
                    let stamp = Stamp { time, ..chunk.stamp(index) };
                    let measure = (self.measure)(event, &stamp);
                    match behind {
                        None => self.parts.on_time(*micros, key, measure),
                        Some(behind) => {
                            self.add_behind((chunk, index), time, behind, &key, &measure);
                        }
                    }
                }
            }
        }
        drop(keys);
        self.column = column;
    }

    fn commit(&mut self, out: &mut Outbox) {
        self.late_windows.set(self.late_windows.get() + self.refused);
        self.refused = 0;
        out.letters.append(&mut self.letters);
        let parcels = &mut out.parcels[self.slot];
        self.parts.drain(out.peers, |to, parts| parcels.push(Parcel::new(to, parts)));
    }

    fn abort(&mut self) {
        self.parts.abort();
        self.letters.clear();
        self.refused = 0;
    }
}
