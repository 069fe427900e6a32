//! `pending`: what waits for an answer: keyed state that retires on the match.
//!
//! ```text
//! questions ═by key═► ┌─────────┐ ─► waiting   a view: who has no answer yet
//! answers   ═by key═► │ pending │ ─► answered  each question with its first answer
//!                     └─────────┘ ─► expired   questions whose limit has passed
//! ```
//!
//! Two topics have no common order, so nothing here depends on it: a question is answered if any
//! answer of its key lies at most the limit before or behind it, and its first answer is the one
//! that comes first by (event time, position). Both are settled when the watermark has passed the
//! later of the two times, for then no earlier answer can come. The lateness rule is strict.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chunk::Chunk;
use super::events::{Keyed, Keys};
use super::node::{Outbox, Step};
use super::operator::{Durable, Root};
use super::panes::PaneNode;
use super::plan::{From, RootPlan, Slot};
use super::view::{Stored, View, ViewPlan, decode, encode};
use super::windowed::Windowed;
use crate::aggregate::Stamp;
use crate::hash::{self, FixedMap};
use crate::key::Key;
use crate::keyed::{Behind, Open, Pane, encode_groups};
use crate::lateness::Reach;
use crate::letter::{Letter, Reason, Reject};
use crate::parcel::Parcel;
use crate::row::{Cell, Change, Mark, Origin, Rows};
use crate::text::Text;
use crate::time::{Millis, Time};
use crate::window::{Session, Sliding, Window, Windows};

/// What became of questions; see [`Keyed::pending`].
pub struct Pending<K, Q, A> {
    /// Those that wait.
    pub waiting: View<Q>,
    /// Those that were answered, with their first answer; the window is question to limit.
    pub answered: Windowed<K, (Q, A)>,
    /// Those whose limit has passed; the window is the same.
    pub expired: Windowed<K, Q>,
}

impl<K: Key, Q: Stored + Clone + Send> Keyed<K, Q> {
    /// Keeps events until an event of the same key on the other side answers them, at most `limit`
    /// of event time before or behind. A key that is NULL is never answered.
    ///
    /// ```
    /// use highwater::prelude::*;
    /// # use highwater::testing::Example;
    /// // Values above zero ask, those below answer.
    /// let events = [("a", 1, 1), ("b", 2, 1), ("a", 5, -1), ("c", 30, 1), ("c", 999, -1)];
    /// let rows = Example::flow(events, |flow| {
    ///     let events = flow.source("events", seconds(10), Example::time);
    ///     let asked = events.filter(|event| 0 < event.value).key_by(|event| event.key.clone());
    ///     let told = events.filter(|event| event.value < 0).key_by(|event| event.key.clone());
    ///     let pending = asked.pending(&told, seconds(60));
    ///     pending.answered.rows(|key, window, _| Example::row(key, window, 0)).sink("answered");
    ///     pending.expired.rows(|key, window, _| Example::row(key, window, 0)).sink("expired");
    /// });
    /// assert_eq!(rows, ["answered a 00:01 0", "expired b 00:02 0", "expired c 00:30 0"]);
    /// ```
    pub fn pending<A: Stored + Clone + Send>(
        &self,
        answers: &Keyed<K, A>,
        limit: Duration,
    ) -> Pending<K, Q, A> {
        let flow = self.stream.flow.clone();
        let (answered, expired) = (PaneNode::new(), PaneNode::new());
        let operator = flow.with(|plan| plan.add_operator());
        let (port, rows) = flow.add_inner_port(From::Operator(operator), false);
        let state = Rc::new(RefCell::new(Waiting {
            limit,
            keys: FixedMap::default(),
            due: BTreeMap::new(),
            rows,
            answered: answered.clone(),
            expired: expired.clone(),
        }));
        let asks: Rc<RefCell<dyn Durable>> = state.clone();
        flow.with(|plan| plan.durables.push((operator, asks)));
        lead(self, operator, Duration::ZERO, Asks(state.clone()));
        lead(answers, operator, Duration::ZERO, Answers(state));
        let windows = Windows::Session(Session::new(limit));
        Pending {
            waiting: View::of(&flow, ViewPlan::Port(port)),
            answered: Windowed::new(&flow, operator, windows, answered),
            expired: Windowed::new(&flow, operator, windows, expired),
        }
    }
}

/// Leads events to an operator that is no window; `keep` says for how long behind its time an event
/// is still wanted.
pub(super) fn lead<K: Key, E: Stored + Clone + Send>(
    keyed: &Keyed<K, E>,
    operator: usize,
    keep: Duration,
    root: impl Root + 'static,
) {
    let (slot, shared) = keyed.stream.flow.with(|plan| {
        for source in keyed.stream.sources.iter() {
            let source = &plan.sources[*source];
            let reach = match keep {
                Duration::ZERO => Reach::Strict,
                // As a window that begins with the event.
                keep => Reach::of(Sliding::new(keep, MICRO).into(), source.lateness),
            };
            source.reaches.borrow_mut().push(reach);
        }
        let sources = (*keyed.stream.sources).clone();
        plan.slots.push(Slot { sources, root: plan.roots.len() });
        plan.root_operators.push(operator);
        let make = Box::new(move |_| Box::new(root) as Box<dyn Root>);
        plan.roots.push(RootPlan { operator, windows: None, make, erased: None });
        (plan.slots.len() - 1, plan.operators[operator].clone())
    });
    let step = Route {
        slot,
        keep,
        keys: keyed.keys.clone(),
        column: Vec::new(),
        items: Vec::new(),
        letters: Vec::new(),
        place: shared.place.clone(),
    };
    keyed.stream.node.push(shared.place.clone(), Box::new(step));
}

/// The grid of windows that begin at any time.
const MICRO: Duration = Duration::from_micros(1);

/// An event on its way to the worker that owns its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item<K, E> {
    pub(super) hash: u64,
    pub(super) key: K,
    pub(super) stamp: Stamp,
    pub(super) event: E,
}

/// Sends events to the owners of their keys.
struct Route<K, E> {
    slot: usize,
    /// For how long behind its time an event is wanted.
    keep: Duration,
    keys: Keys<K, E>,
    column: Vec<K>,
    items: Vec<Item<K, E>>,
    letters: Vec<Letter>,
    place: Rc<RefCell<Text>>,
}

impl<K: Key, E: Stored + Clone + Send> Step<E> for Route<K, E> {
    fn take(&mut self, chunk: &Chunk<'_, E>) {
        (self.keys)(chunk, &mut self.column);
        let mut behinds = chunk.behinds();
        for (nth, key) in self.column.drain(..).enumerate() {
            let index = chunk.index(nth);
            let stamp = chunk.stamp(index);
            let over = |behind: &Behind| {
                stamp.time.floor_ms() < behind.watermark
                    && (behind.strict || stamp.time.plus(self.keep).floor_ms() <= behind.watermark)
            };
            match behinds.of(chunk.root(index)) {
                Some(behind) if over(&behind) => {
                    let text = format!("it lies behind the watermark, {}", behind.watermark);
                    let reject = Reject::new(Reason::Late, text);
                    self.letters.push(chunk.letter(index, reject, &self.place.borrow()));
                }
                _ => {
                    let (hash, event) = (hash::of(&key), chunk.events[index].clone());
                    self.items.push(Item { hash, key, stamp, event });
                }
            }
        }
    }

    fn commit(&mut self, out: &mut Outbox) {
        out.letters.append(&mut self.letters);
        let mut shares: Vec<Vec<Item<K, E>>> = (0..out.peers).map(|_| Vec::new()).collect();
        for item in self.items.drain(..) {
            shares[hash::owner(item.hash, out.peers)].push(item);
        }
        for (to, share) in shares.into_iter().enumerate().filter(|(_, share)| !share.is_empty()) {
            out.parcels[self.slot].push(Parcel::new(to, share));
        }
    }

    fn abort(&mut self) {
        self.column.clear();
        self.items.clear();
        self.letters.clear();
    }
}

/// The state of one worker.
struct Waiting<K, Q, A> {
    limit: Duration,
    keys: FixedMap<K, Of<Q, A>>,
    /// When which keys have to be looked at, in event time.
    due: BTreeMap<Time, BTreeSet<K>>,
    /// Changes of the view of those that wait.
    rows: Rc<RefCell<Rows>>,
    answered: Rc<PaneNode<K, (Q, A)>>,
    expired: Rc<PaneNode<K, Q>>,
}

/// The questions and answers of one key, in order.
#[derive(Clone, Serialize, Deserialize)]
struct Of<Q, A> {
    questions: Vec<(Stamp, Q)>,
    answers: Vec<(Stamp, A)>,
}

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Waiting<K, Q, A> {
    fn ask(&mut self, key: K, stamp: Stamp, question: Q) {
        let limit = self.limit;
        self.look(&key, stamp.time);
        let row = encode(&question);
        let of = self.keys.entry(key).or_insert_with(Of::new);
        if !of.answers.iter().any(|(answer, _)| is_near(*answer, stamp, limit)) {
            change(&self.rows, Change::Upsert, row);
        }
        insert(&mut of.questions, stamp, question);
    }

    fn answer(&mut self, key: K, stamp: Stamp, answer: A) {
        if key.is_null() {
            return;
        }
        let limit = self.limit;
        self.look(&key, stamp.time);
        let of = self.keys.entry(key).or_insert_with(Of::new);
        for (asked, question) in &of.questions {
            let before = of.answers.iter().any(|(other, _)| is_near(*other, *asked, limit));
            if is_near(stamp, *asked, limit) && !before {
                change(&self.rows, Change::Delete, encode(question));
            }
        }
        insert(&mut of.answers, stamp, answer);
    }

    /// Has a key looked at when an event of it is settled, and when it is over.
    fn look(&mut self, key: &K, time: Time) {
        for time in [time, time.plus(self.limit)] {
            self.due.entry(time).or_default().insert(key.clone());
        }
    }

    fn advance(&mut self, watermark: Millis) {
        let (mut answered, mut expired) = (Vec::new(), Vec::new());
        let mut keys = BTreeSet::new();
        while let Some(first) = self.due.first_entry() {
            if watermark <= first.key().floor_ms() {
                break;
            }
            keys.append(&mut first.remove());
        }
        for key in keys {
            let limit = self.limit;
            let Some(of) = self.keys.get_mut(&key) else { continue };
            of.questions.retain(|(asked, question)| {
                let window = Window::new(asked.time, asked.time.plus(limit));
                let first = of.answers.iter().find(|(answer, _)| is_near(*answer, *asked, limit));
                match first {
                    // A pair is settled at the later of its times.
                    Some((stamp, answer)) if is_past(asked.time.max(stamp.time), watermark) => {
                        let value = (question.clone(), answer.clone());
                        answered.push(Pane { key: key.clone(), window, value });
                        false
                    }
                    None if is_past(window.end, watermark) => {
                        change(&self.rows, Change::Delete, encode(question));
                        let value = question.clone();
                        expired.push(Pane { key: key.clone(), window, value });
                        false
                    }
                    _ => true,
                }
            });
            of.answers.retain(|(answer, _)| !is_past(answer.time.plus(limit), watermark));
            if of.questions.is_empty() && of.answers.is_empty() {
                self.keys.remove(&key);
            }
        }
        self.answered.finals(answered);
        self.expired.finals(expired);
    }
}

impl<Q, A> Of<Q, A> {
    fn new() -> Of<Q, A> {
        Of { questions: Vec::new(), answers: Vec::new() }
    }
}

fn is_past(time: Time, watermark: Millis) -> bool {
    time.floor_ms() < watermark
}

fn is_near(a: Stamp, b: Stamp, limit: Duration) -> bool {
    a.time <= b.time.plus(limit) && b.time <= a.time.plus(limit)
}

/// Inserts an event into events that are in order.
fn insert<E>(events: &mut Vec<(Stamp, E)>, stamp: Stamp, event: E) {
    let at = events.partition_point(|(other, _)| *other <= stamp);
    events.insert(at, (stamp, event));
}

fn change(rows: &Rc<RefCell<Rows>>, change: Change, row: Vec<u8>) {
    let mark = Mark { change, origin: Origin::Record(Default::default()) };
    rows.borrow_mut().push(mark, [Cell::Bytes(row)]);
}

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Durable for Waiting<K, Q, A> {
    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        encode_groups(self.keys.iter().map(|entry| (hash::of(entry.0), entry)))
    }

    fn restore(&mut self, bytes: &[u8]) {
        let keys: Vec<(K, Of<Q, A>)> = decode(bytes);
        for (key, of) in keys {
            // Answers first: questions that have one do not wait.
            for (stamp, answer) in of.answers {
                self.answer(key.clone(), stamp, answer);
            }
            for (stamp, question) in of.questions {
                self.ask(key.clone(), stamp, question);
            }
        }
    }
}

/// The side of the questions; it moves the state on, as both sides have one watermark.
struct Asks<K, Q, A>(Rc<RefCell<Waiting<K, Q, A>>>);

/// The side of the answers.
struct Answers<K, Q, A>(Rc<RefCell<Waiting<K, Q, A>>>);

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Root for Asks<K, Q, A> {
    fn apply(&mut self, parcel: Parcel) {
        let mut state = self.0.borrow_mut();
        for Item { key, stamp, event, .. } in parcel.open::<Item<K, Q>>() {
            state.ask(key, stamp, event);
        }
    }

    fn flush(&mut self) {}

    fn advance(&mut self, watermark: Millis) {
        self.0.borrow_mut().advance(watermark);
    }

    fn open(&self) -> Open {
        let state = self.0.borrow();
        let entries = state.keys.values().map(|of| of.questions.len() as u64).sum();
        Open { windows: 0, entries, first_end: None }
    }

    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        Vec::new()
    }

    fn restore(&mut self, _bytes: &[u8]) {}
}

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Root for Answers<K, Q, A> {
    fn apply(&mut self, parcel: Parcel) {
        let mut state = self.0.borrow_mut();
        for Item { key, stamp, event, .. } in parcel.open::<Item<K, A>>() {
            state.answer(key, stamp, event);
        }
    }

    fn flush(&mut self) {}

    fn advance(&mut self, _watermark: Millis) {}

    fn open(&self) -> Open {
        Open::default()
    }

    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        Vec::new()
    }

    fn restore(&mut self, _bytes: &[u8]) {}
}

#[cfg(test)]
mod tests;
