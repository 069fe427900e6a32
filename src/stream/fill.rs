//! `fill_gaps`: rows for windows without events, between two windows of a key that have some.
//!
//! ```text
//! windows of a key     1    2    3    4    5        rows
//! left side            a    ·    ·    b    ·        when 1 closes: 1
//! right side           ·    c    ·    ·    ·        when 2 closes: 2, of which the left side is 0
//!                                                   when 4 closes: 3, of which both are 0, and 4
//! ```
//!
//! It stands between the windows of an operator and everything behind them: filters, joins and
//! trailing rows see filled rows like others. A window of a key has a value of every root if one of
//! them has events in it; when it closes, the windows since the key's last one get the aggregate
//! of nothing, before it and in their order. Nothing follows the last window, so rows are a
//! function of the log. After `forget_after` without events a key is new: nothing is filled, and
//! the work is bounded.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::differential::Loose;
use super::expiry::Expiry;
use super::operator::{Durable, Root};
use super::panes::{PaneNode, PaneStep};
use super::view::{decode, encode};
use crate::aggregate::Aggregate;
use crate::hash::{self, FixedMap};
use crate::key::Key;
use crate::keyed::{Live, Open, Pane, Saved, Saver, Saves, Table, entries};
use crate::parcel::Parcel;
use crate::time::{Millis, Time, micros};
use crate::window::{Fixed, Window};

/// A key as bytes, for roots of one operator have the same keys but other types of aggregates.
type Bytes = Vec<u8>;

/// What the roots of one operator share: the last window of each key.
pub(crate) struct Gaps {
    slide: i64,
    forget_after: Duration,
    keys: Table<Bytes, Seen>,
    saver: Saver,
    /// Keys with the hashes by which they are found, which are those of what they stand for.
    ends: Expiry<(u64, Bytes)>,
    /// What has closed since the last settlement, with the hash of the key.
    closed: BTreeMap<(Window, Bytes), u64>,
    /// What every root has to show of it.
    wanted: Vec<(Window, Bytes)>,
}

/// The last window of a key, and the hash of the key.
type Seen = (u64, Window);

impl Gaps {
    /// Of an operator with these windows.
    pub(crate) fn new(windows: Fixed, forget_after: Duration) -> Gaps {
        Gaps {
            slide: micros(windows.slide()),
            forget_after,
            keys: Table::default(),
            saver: Saver::default(),
            ends: Expiry::default(),
            closed: BTreeMap::new(),
            wanted: Vec::new(),
        }
    }

    /// Decides which rows there are, once every root has closed what it had to.
    pub(crate) fn settle(&mut self) {
        self.wanted.clear();
        for ((window, key), hash) in std::mem::take(&mut self.closed) {
            let seen = self.keys.get(hash, &key).map(|(_, last)| *last);
            let near = seen.filter(|last| window.end <= last.end.plus(self.forget_after));
            let mut before = near.unwrap_or(window);
            while before.start < window.start {
                before = self.next(before);
                if before.start < window.start {
                    self.wanted.push((before, key.clone()));
                }
            }
            if seen.is_none() {
                self.ends.note(window.end.plus(self.forget_after), (hash, key.clone()));
            }
            let saver = (&mut self.saver, ());
            self.keys.insert(saver, (hash, key.clone()), (hash, window));
            self.wanted.push((window, key));
        }
        self.wanted.sort();
    }

    fn next(&self, window: Window) -> Window {
        let later = |time: Time| Time::from_micros(time.micros() + self.slide);
        Window::new(later(window.start), later(window.end))
    }
}

impl Durable for Gaps {
    fn forget(&mut self, watermark: Millis) {
        self.ends.pass(watermark, |(hash, key), noted| {
            let end = self.keys.get(*hash, key)?.1.end.plus(self.forget_after);
            if noted < end {
                return Some(end);
            }
            self.keys.remove((&mut self.saver, ()), (*hash, key));
            None
        });
    }
}

/// A key that is forgotten is in no later save: when it is restored, it is soon forgotten again,
/// and nothing is filled up to what comes meanwhile.
impl Saves for Gaps {
    fn begin_save(&mut self, whole: bool) {
        self.keys.begin_save(&self.saver, whole);
        self.saver.begin(whole, &());
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.keys.save((&mut self.saver, ()), budget).then(|| self.saver.finish())
    }

    fn restore(&mut self, bytes: &[u8]) {
        for ((), key, seen) in entries::<((), Bytes, Seen)>(bytes) {
            self.keys.insert((&mut self.saver, ()), (seen.0, key), seen);
        }
    }

    fn restored(&mut self) {
        for slot in self.keys.iter() {
            let (hash, last) = slot.value;
            self.ends.note(last.end.plus(self.forget_after), (hash, slot.key.clone()));
        }
    }

    fn resume(&mut self) {
        self.saver.resume();
    }
}

/// A root whose closed panes wait until all roots of the operator have closed theirs.
pub(crate) struct Filled<K, A> {
    root: Box<dyn Root>,
    waiting: Rc<RefCell<Vec<Pane<K, A>>>>,
    gaps: Rc<RefCell<Gaps>>,
    below: Rc<PaneNode<K, A>>,
}

impl<K: Key, A: Aggregate> Filled<K, A> {
    /// A root that is made with a place for its panes, in front of the steps below.
    pub(crate) fn new(
        gaps: Rc<RefCell<Gaps>>,
        below: Rc<PaneNode<K, A>>,
        make: impl FnOnce(Rc<PaneNode<K, A>>) -> Box<dyn Root>,
    ) -> Filled<K, A> {
        let (front, waiting) = (PaneNode::new(), Rc::default());
        front.push(Front { waiting: Rc::clone(&waiting), below: below.clone() });
        Filled { root: make(front), waiting, gaps, below }
    }
}

impl<K: Key, A: Aggregate> Root for Filled<K, A> {
    fn apply(&mut self, parcel: Parcel) {
        self.root.apply(parcel);
    }

    fn flush(&mut self) {
        self.root.flush();
    }

    fn advance(&mut self, watermark: Millis) {
        self.root.advance(watermark);
        let mut gaps = self.gaps.borrow_mut();
        for pane in &*self.waiting.borrow() {
            gaps.closed.insert((pane.window, encode(&pane.key)), hash::of(&pane.key));
        }
    }

    fn fill(&mut self) {
        let waiting = self.waiting.take();
        let mut own: FixedMap<(Window, Bytes), Pane<K, A>> = FixedMap::default();
        own.extend(waiting.into_iter().map(|pane| ((pane.window, encode(&pane.key)), pane)));
        let gaps = self.gaps.borrow();
        let panes = gaps.wanted.iter().map(|place| {
            own.remove(place).unwrap_or_else(|| {
                let (window, key) = place;
                Pane { key: decode(key), window: *window, value: A::default() }
            })
        });
        let panes = panes.collect();
        drop(gaps);
        self.below.finals(panes);
    }

    fn open(&self) -> Open {
        self.root.open()
    }

    fn groups(&self) -> u64 {
        self.root.groups()
    }

    fn restored_parts(&mut self, root: u32) -> Vec<Loose> {
        self.root.restored_parts(root)
    }

    fn shape(&self) -> String {
        self.root.shape()
    }
}

impl<K: Key, A: Aggregate> Saves for Filled<K, A> {
    fn begin_save(&mut self, whole: bool) {
        self.root.begin_save(whole);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.root.save(budget)
    }

    fn restore_head(&mut self, group: u16, head: &[u8]) {
        self.root.restore_head(group, head);
    }

    fn restore(&mut self, bytes: &[u8]) {
        self.root.restore(bytes);
    }

    fn restore_added(&mut self, bytes: &[u8]) {
        self.root.restore_added(bytes);
    }

    fn restored(&mut self) {
        self.root.restored();
    }

    fn resume(&mut self) {
        self.root.resume();
    }
}

/// Where the panes of a root arrive: open ones pass, closed ones wait.
struct Front<K, A> {
    waiting: Rc<RefCell<Vec<Pane<K, A>>>>,
    below: Rc<PaneNode<K, A>>,
}

impl<K: Key, A: Aggregate> PaneStep<K, A> for Front<K, A> {
    fn finals(&mut self, mut panes: Vec<Pane<K, A>>) {
        self.waiting.borrow_mut().append(&mut panes);
    }

    fn changes(&mut self, changes: Vec<Live<K, A>>) {
        self.below.changes(changes);
    }
}

#[cfg(test)]
mod tests;
