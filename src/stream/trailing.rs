//! `trailing`: sets each final row beside the rows of its key before it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::expiry::Expiry;
use super::operator::Durable;
use super::panes::{PaneNode, PaneStep};
use crate::hash;
use crate::key::Key;
use crate::keyed::{Live, Pane, Saved, Saver, Saves, Table, entries};
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
    keys: Table<K, Past<R>>,
    saver: Saver,
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
        let history = History::new(count, forget_after);
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

impl<K, R> History<K, R> {
    fn new(count: usize, forget_after: Rc<Cell<Duration>>) -> History<K, R> {
        let (keys, saver, ends) = (Table::default(), Saver::default(), Expiry::default());
        History { count, forget_after, keys, saver, ends }
    }
}

impl<K: Key, R: Serialize + Clone> History<K, R> {
    fn push(&mut self, key: &K, end: Time, compare: impl FnOnce(&[R]) -> R) -> R {
        let (count, forget_after) = (self.count, self.forget_after.get());
        if count == 0 {
            return compare(&[]);
        }
        let hash = hash::of(key);
        let saver = (&mut self.saver, ());
        let Some(past) = self.keys.get_mut(saver, (hash, key)) else {
            let row = compare(&[]);
            let mut rows = Vec::with_capacity(count);
            rows.push(row.clone());
            self.keys.insert_new(&self.saver, (hash, key.clone()), Past { last: end, rows });
            self.ends.note(end.plus(forget_after), key.clone());
            return row;
        };
        if past.last.plus(forget_after) < end {
            past.rows.clear();
        }
        let row = compare(&past.rows);
        if past.rows.len() == count {
            past.rows.remove(0);
        }
        past.rows.push(row.clone());
        past.last = end;
        row
    }
}

impl<K, R, F> PaneStep<K, R> for Trailing<K, R, F>
where
    K: Key,
    R: Serialize + Clone + 'static,
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
    fn forget(&mut self, watermark: Millis) {
        self.ends.pass(watermark, |key, noted| {
            let hash = hash::of(key);
            let end = self.keys.get(hash, key)?.last.plus(self.forget_after.get());
            if noted < end {
                return Some(end);
            }
            self.keys.remove((&mut self.saver, ()), (hash, key));
            None
        });
    }
}

/// A key that is forgotten is in no later save: when it is restored, it is soon forgotten again,
/// and no row of it stands beside one that comes meanwhile.
impl<K: Key, R: Serialize + DeserializeOwned + Clone> Saves for History<K, R> {
    fn begin_save(&mut self, whole: bool) {
        self.keys.begin_save(&self.saver, whole);
        self.saver.begin(whole, &());
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.keys.save((&mut self.saver, ()), budget).then(|| self.saver.finish())
    }

    fn restore(&mut self, bytes: &[u8]) {
        for ((), key, past) in entries::<((), K, Past<R>)>(bytes) {
            self.keys.insert((&mut self.saver, ()), (hash::of(&key), key), past);
        }
    }

    fn restored(&mut self) {
        for slot in self.keys.iter() {
            let end = slot.value.last.plus(self.forget_after.get());
            self.ends.note(end, slot.key.clone());
        }
    }

    fn resume(&mut self) {
        self.saver.resume();
    }
}

#[cfg(test)]
mod tests;
