//! Joins on equal windows: both sides close in the same operator at the same watermark.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::rc::Rc;

use super::operator::Settle;
use super::panes::{PaneNode, PaneStep};
use crate::hash::FixedMap;
use crate::key::Key;
use crate::keyed::{Live, Pane};
use crate::window::Window;

/// What both sides of a join have shown and closed.
pub(super) struct Join<K, L, R, T, F> {
    pair: F,
    below: Rc<PaneNode<K, T>>,
    left: Vec<Pane<K, L>>,
    right: Vec<Pane<K, R>>,
    /// Open panes of both sides, as last shown; empty unless updates are wanted.
    shown: BTreeMap<(Window, K), (Option<L>, Option<R>)>,
    touched: BTreeSet<(Window, K)>,
}

impl<K, L, R, T, F> Join<K, L, R, T, F>
where
    K: Key,
    L: Clone + 'static,
    R: Clone + 'static,
    T: Clone + 'static,
    F: Fn(K, Window, L, Option<R>) -> Option<T>,
{
    pub(super) fn new(pair: F, below: Rc<PaneNode<K, T>>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Join {
            pair,
            below,
            left: Vec::new(),
            right: Vec::new(),
            shown: BTreeMap::new(),
            touched: BTreeSet::new(),
        }))
    }

    fn make(&self, key: K, window: Window, left: L, right: Option<R>) -> Live<K, T> {
        let right = if key.is_null() { None } else { right };
        match (self.pair)(key.clone(), window, left, right) {
            Some(value) => Live::Now(Pane { key, window, value }),
            None => Live::Gone(key, window),
        }
    }

    fn change<V>(
        &mut self,
        change: Live<K, V>,
        side: impl Fn(&mut (Option<L>, Option<R>), Option<V>),
    ) {
        let at = match change {
            Live::Now(Pane { key, window, value }) => {
                let at = (window, key);
                side(self.shown.entry(at.clone()).or_default(), Some(value));
                at
            }
            Live::Gone(key, window) => {
                let at = (window, key);
                // What was never shown need not go: closing rows that a filter drops are many.
                let Some(sides) = self.shown.get_mut(&at) else { return };
                side(sides, None);
                at
            }
        };
        self.touched.insert(at);
    }
}

impl<K, L, R, T, F> Settle for Join<K, L, R, T, F>
where
    K: Key,
    L: Clone + 'static,
    R: Clone + 'static,
    T: Clone + 'static,
    F: Fn(K, Window, L, Option<R>) -> Option<T>,
{
    fn settle_changes(&mut self) {
        let touched = take(&mut self.touched);
        let changes = touched.into_iter().map(|at| {
            let sides = self.shown.get(&at).cloned().unwrap_or_default();
            if let (None, None) = sides {
                self.shown.remove(&at);
            }
            let (window, key) = at;
            match sides {
                (Some(left), right) => self.make(key, window, left, right),
                (None, _) => Live::Gone(key, window),
            }
        });
        let changes = changes.collect();
        self.below.changes(changes);
    }

    fn settle_finals(&mut self) {
        // A side that closed without a row has taken back what it showed.
        self.settle_changes();
        if self.left.is_empty() && self.right.is_empty() {
            return;
        }
        let mut partners: FixedMap<(Window, K), R> = FixedMap::default();
        for Pane { key, window, value } in take(&mut self.right) {
            self.shown.remove(&(window, key.clone()));
            partners.insert((window, key), value);
        }
        let (mut finals, mut gone) = (Vec::with_capacity(self.left.len()), Vec::new());
        for Pane { key, window, value } in take(&mut self.left) {
            let at = (window, key);
            let right = partners.remove(&at);
            self.shown.remove(&at);
            match self.make(at.1, window, value, right) {
                Live::Now(pane) => finals.push(pane),
                none => gone.push(none),
            }
        }
        self.below.changes(gone);
        self.below.finals(finals);
    }
}

/// One side of a join: collects what its panes do.
pub(super) struct Side<J, const LEFT: bool>(Rc<RefCell<J>>);

impl<J> Side<J, true> {
    pub(super) fn left(join: &Rc<RefCell<J>>) -> Side<J, true> {
        Side(join.clone())
    }
}

impl<J> Side<J, false> {
    pub(super) fn right(join: &Rc<RefCell<J>>) -> Side<J, false> {
        Side(join.clone())
    }
}

impl<K, L, R, T, F> PaneStep<K, L> for Side<Join<K, L, R, T, F>, true>
where
    K: Key,
    L: Clone + 'static,
    R: Clone + 'static,
    T: Clone + 'static,
    F: Fn(K, Window, L, Option<R>) -> Option<T>,
{
    fn finals(&mut self, mut panes: Vec<Pane<K, L>>) {
        self.0.borrow_mut().left.append(&mut panes);
    }

    fn changes(&mut self, changes: Vec<Live<K, L>>) {
        let mut join = self.0.borrow_mut();
        changes.into_iter().for_each(|change| join.change(change, |sides, value| sides.0 = value));
    }
}

impl<K, L, R, T, F> PaneStep<K, R> for Side<Join<K, L, R, T, F>, false>
where
    K: Key,
    L: Clone + 'static,
    R: Clone + 'static,
    T: Clone + 'static,
    F: Fn(K, Window, L, Option<R>) -> Option<T>,
{
    fn finals(&mut self, mut panes: Vec<Pane<K, R>>) {
        self.0.borrow_mut().right.append(&mut panes);
    }

    fn changes(&mut self, changes: Vec<Live<K, R>>) {
        let mut join = self.0.borrow_mut();
        changes.into_iter().for_each(|change| join.change(change, |sides, value| sides.1 = value));
    }
}

#[cfg(test)]
mod tests;
