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
use super::view::{Stored, View, ViewPlan, encode};
use super::windowed::Windowed;
use crate::aggregate::Stamp;
use crate::hash;
use crate::key::Key;
use crate::keyed::{Behind, Open, Pane, Saved, Saver, Saves, Table, entries, head};
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
        let state = Waiting::new(limit, rows, (answered.clone(), expired.clone()));
        let state = Rc::new(RefCell::new(state));
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
    keys: Table<K, Of<Q, A>>,
    /// When which keys have to be looked at, in event time.
    due: BTreeMap<Time, BTreeSet<K>>,
    /// The watermark: what it has passed is settled.
    passed: Millis,
    /// How far each key group was when it was saved; only while a state is restored.
    heads: BTreeMap<u16, Millis>,
    saver: Saver,
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

type Ends<K, Q, A> = (Rc<PaneNode<K, (Q, A)>>, Rc<PaneNode<K, Q>>);

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Waiting<K, Q, A> {
    fn new(
        limit: Duration,
        rows: Rc<RefCell<Rows>>,
        (answered, expired): Ends<K, Q, A>,
    ) -> Waiting<K, Q, A> {
        Waiting {
            limit,
            keys: Table::default(),
            due: BTreeMap::new(),
            passed: Millis::MIN,
            heads: BTreeMap::new(),
            saver: Saver::default(),
            rows,
            answered,
            expired,
        }
    }

    fn ask(&mut self, key: K, stamp: Stamp, question: Q) {
        let limit = self.limit;
        look(&mut self.due, limit, &key, stamp.time);
        let row = encode(&question);
        let of = Self::of(&mut self.keys, &mut self.saver, key);
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
        look(&mut self.due, limit, &key, stamp.time);
        let of = Self::of(&mut self.keys, &mut self.saver, key);
        for (asked, question) in &of.questions {
            let before = of.answers.iter().any(|(other, _)| is_near(*other, *asked, limit));
            if is_near(stamp, *asked, limit) && !before {
                change(&self.rows, Change::Delete, encode(question));
            }
        }
        insert(&mut of.answers, stamp, answer);
    }

    fn of<'t>(keys: &'t mut Table<K, Of<Q, A>>, saver: &mut Saver, key: K) -> &'t mut Of<Q, A> {
        let hash = hash::of(&key);
        if keys.get(hash, &key).is_none() {
            keys.insert_new(saver, (hash, key.clone()), Of::new());
        }
        keys.get_mut((saver, ()), (hash, &key)).expect("it is there")
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
            let hash = hash::of(&key);
            let found = self.keys.get_mut((&mut self.saver, ()), (hash, &key));
            let Some(of) = found else { continue };
            let is_over = of.settle(self.limit, watermark, |window, question, answer| {
                let key = key.clone();
                match answer {
                    Some(answer) => {
                        let value = (question.clone(), answer.clone());
                        answered.push(Pane { key, window, value });
                    }
                    None => {
                        change(&self.rows, Change::Delete, encode(question));
                        expired.push(Pane { key, window, value: question.clone() });
                    }
                }
            });
            if is_over {
                self.keys.remove((&mut self.saver, ()), (hash, &key));
            }
        }
        self.passed = self.passed.max(watermark);
        self.answered.finals(answered);
        self.expired.finals(expired);
    }
}

impl<Q, A> Of<Q, A> {
    fn new() -> Of<Q, A> {
        Of { questions: Vec::new(), answers: Vec::new() }
    }

    /// Lets go of what is settled at a watermark: questions with their answer or without, then
    /// answers. Whether nothing is left.
    fn settle(
        &mut self,
        limit: Duration,
        watermark: Millis,
        mut tell: impl FnMut(Window, &Q, Option<&A>),
    ) -> bool {
        let Of { questions, answers } = self;
        questions.retain(|(asked, question)| {
            let window = Window::new(asked.time, asked.time.plus(limit));
            let first = answers.iter().find(|(answer, _)| is_near(*answer, *asked, limit));
            match first {
                // A pair is settled at the later of its times.
                Some((stamp, answer)) if is_past(asked.time.max(stamp.time), watermark) => {
                    tell(window, question, Some(answer));
                    false
                }
                None if is_past(window.end, watermark) => {
                    tell(window, question, None);
                    false
                }
                _ => true,
            }
        });
        answers.retain(|(answer, _)| !is_past(answer.time.plus(limit), watermark));
        questions.is_empty() && answers.is_empty()
    }
}

/// Has a key looked at when an event of it is settled, and when it is over.
fn look<K: Key>(due: &mut BTreeMap<Time, BTreeSet<K>>, limit: Duration, key: &K, time: Time) {
    for time in [time, time.plus(limit)] {
        due.entry(time).or_default().insert(key.clone());
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

impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Durable for Waiting<K, Q, A> {}

/// A key that is settled is in no later save: a restore settles what was when it was saved.
impl<K: Key, Q: Stored + Clone, A: Stored + Clone> Saves for Waiting<K, Q, A> {
    fn begin_save(&mut self, whole: bool) {
        self.keys.begin_save(&self.saver, whole);
        self.saver.begin(whole, &self.passed);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.keys.save((&mut self.saver, ()), budget).then(|| self.saver.finish())
    }

    fn restore_head(&mut self, group: u16, bytes: &[u8]) {
        self.heads.insert(group, head(bytes));
    }

    fn restore(&mut self, bytes: &[u8]) {
        for ((), key, of) in entries::<((), K, Of<Q, A>)>(bytes) {
            self.keys.insert((&mut self.saver, ()), (hash::of(&key), key), of);
        }
    }

    fn restored(&mut self) {
        let heads = std::mem::take(&mut self.heads);
        for slot in std::mem::take(&mut self.keys) {
            let (hash, key, mut of) = (hash::of(&slot.key), slot.key, slot.value);
            let passed = heads.get(&hash::group(hash)).copied().unwrap_or(Millis::MIN);
            if of.settle(self.limit, passed, |_, _, _| {}) {
                continue;
            }
            let times = of.questions.iter().map(|(stamp, _)| stamp.time);
            let times = times.chain(of.answers.iter().map(|(stamp, _)| stamp.time));
            times.for_each(|time| look(&mut self.due, self.limit, &key, time));
            for (asked, question) in &of.questions {
                if !of.answers.iter().any(|(answer, _)| is_near(*answer, *asked, self.limit)) {
                    change(&self.rows, Change::Upsert, encode(question));
                }
            }
            self.keys.insert_new(&self.saver, (hash, key), of);
        }
        self.passed = heads.into_values().min().unwrap_or(Millis::MIN);
    }

    fn resume(&mut self) {
        self.saver.resume();
    }
}

/// The side of the questions; it moves the state on, as both sides have one watermark.
struct Asks<K, Q, A>(Rc<RefCell<Waiting<K, Q, A>>>);

impl<K, Q, A> Saves for Asks<K, Q, A> {}

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
        let entries = state.keys.iter().map(|slot| slot.value.questions.len() as u64).sum();
        Open { windows: 0, entries, first_end: None }
    }
}

impl<K, Q, A> Saves for Answers<K, Q, A> {}

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
}

#[cfg(test)]
mod tests;
