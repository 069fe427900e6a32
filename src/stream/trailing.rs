//! `trailing`: sets each final row beside the rows of its key before it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::expiry::Expiry;
use super::operator::Durable;
use super::panes::{PaneNode, PaneStep};
use crate::hash::{self, FixedMap};
use crate::key::Key;
use crate::keyed::{Live, Pane, encode_groups};
use crate::time::{Millis, Time};

/// The step; its history is shared with the snapshot.
pub(super) struct Trailing<K, R, F> {
    compare: Rc<F>,
    history: Rc<RefCell<History<K, R>>>,
    below: Rc<PaneNode<K, R>>,
}

/// The last rows of each key.
struct History<K, R> {
    count: usize,
    forget_after: Rc<Cell<Duration>>,
    keys: FixedMap<K, Past<R>>,
    ends: Expiry<K>,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Past<R> {
    last: Time,
    rows: Vec<R>,
}

impl<K: Key, R: Clone + 'static, F> Trailing<K, R, F> {
    pub(super) fn new(
        count: usize,
        forget_after: Rc<Cell<Duration>>,
        compare: F,
        below: Rc<PaneNode<K, R>>,
    ) -> Trailing<K, R, F> {
        let history =
            History { count, forget_after, keys: FixedMap::default(), ends: Expiry::default() };
        Trailing { compare: Rc::new(compare), history: Rc::new(RefCell::new(history)), below }
    }
}

impl<K, R, F> Clone for Trailing<K, R, F> {
    fn clone(&self) -> Trailing<K, R, F> {
        Trailing {
            compare: self.compare.clone(),
            history: self.history.clone(),
            below: self.below.clone(),
        }
    }
}

impl<K, R, F> Trailing<K, R, F>
where
    K: Key,
    R: Serialize + DeserializeOwned + Clone + 'static,
{
    /// What a snapshot holds of it.
    pub(super) fn state(&self) -> Rc<RefCell<dyn Durable>> {
        self.history.clone()
    }
}

impl<K: Key, R: Clone> History<K, R> {
    fn push(&mut self, key: &K, end: Time, compare: impl FnOnce(&[R]) -> R) -> R {
        let (count, forget_after) = (self.count, self.forget_after.get());
        if count == 0 {
            return compare(&[]);
        }
        let mut is_new = false;
        let past = self.keys.entry(key.clone()).or_insert_with(|| {
            is_new = true;
            Past { last: end, rows: Vec::with_capacity(count) }
        });
        if past.last.plus(forget_after) < end {
            past.rows.clear();
        }
        let row = compare(&past.rows);
        if past.rows.len() == count {
            past.rows.remove(0);
        }
        past.rows.push(row.clone());
        if is_new {
            self.ends.note(end.plus(forget_after), key.clone());
        }
        past.last = end;
        row
    }
}

impl<K, R, F> PaneStep<K, R> for Trailing<K, R, F>
where
    K: Key,
    R: Clone + 'static,
    F: Fn(&[R], R) -> R,
{
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        let mut history = self.history.borrow_mut();
        let compared = panes.into_iter().map(|Pane { key, window, value }| {
            let value = history.push(&key, window.end, |past| (self.compare)(past, value));
            Pane { key, window, value }
        });
        let compared = compared.collect();
        drop(history);
        self.below.finals(compared);
    }

    fn changes(&mut self, changes: Vec<Live<K, R>>) {
        self.below.changes(changes);
    }
}

impl<K: Key, R: Serialize + DeserializeOwned + Clone> Durable for History<K, R> {
    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        encode_groups(self.keys.iter().map(|entry| (hash::of(entry.0), entry)))
    }

    fn restore(&mut self, bytes: &[u8]) {
        let entries: Vec<(K, Past<R>)> =
            bincode::deserialize(bytes).expect("a snapshot of this state, checked by its reader");
        for (key, past) in entries {
            self.ends.note(past.last.plus(self.forget_after.get()), key.clone());
            self.keys.insert(key, past);
        }
    }

    fn forget(&mut self, watermark: Millis) {
        self.ends.pass(watermark, |key, noted| {
            let end = self.keys.get(key)?.last.plus(self.forget_after.get());
            if noted < end {
                return Some(end);
            }
            self.keys.remove(key);
            None
        });
    }
}

#[cfg(test)]
mod tests;
