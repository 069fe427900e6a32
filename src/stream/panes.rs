//! The steps that panes take from their state to the ports: a tree, as before the exchange.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::alert::Raised;
use crate::key::Key;
use crate::keyed::{Live, Pane};
use crate::letter::{Letter, Reason, Reject};
use crate::row::{Cell, Change, Mark, Origin, Position, Row, Rows};
use crate::text::Text;
use crate::window::Window;

/// One step, with everything behind it.
pub(crate) trait PaneStep<K, R> {
    /// Panes that have closed, in the order of their windows.
    fn finals(&mut self, panes: Vec<Pane<K, R>>);

    /// Panes that changed while they are open.
    fn changes(&mut self, changes: Vec<Live<K, R>>);

    /// As [`PaneStep::finals`], when another step needs them too.
    fn shared_finals(&mut self, panes: &[Pane<K, R>])
    where
        K: Clone,
        R: Clone,
    {
        self.finals(panes.to_vec());
    }

    /// As [`PaneStep::changes`], when another step needs them too.
    fn shared_changes(&mut self, changes: &[Live<K, R>])
    where
        K: Clone,
        R: Clone,
    {
        self.changes(changes.to_vec());
    }
}

/// A place in the tree: what several steps read.
pub(crate) struct PaneNode<K, R> {
    steps: RefCell<Vec<Box<dyn PaneStep<K, R>>>>,
}

impl<K: Key, R: Clone + 'static> PaneNode<K, R> {
    pub(crate) fn new() -> Rc<PaneNode<K, R>> {
        Rc::new(PaneNode { steps: RefCell::new(Vec::new()) })
    }

    pub(crate) fn push(&self, step: impl PaneStep<K, R> + 'static) {
        self.steps.borrow_mut().push(Box::new(step));
    }

    pub(crate) fn finals(&self, panes: Vec<Pane<K, R>>) {
        if panes.is_empty() {
            return;
        }
        if let Some((last, others)) = self.steps.borrow_mut().split_last_mut() {
            others.iter_mut().for_each(|step| step.shared_finals(&panes));
            last.finals(panes);
        }
    }

    pub(crate) fn changes(&self, changes: Vec<Live<K, R>>) {
        if changes.is_empty() {
            return;
        }
        if let Some((last, others)) = self.steps.borrow_mut().split_last_mut() {
            others.iter_mut().for_each(|step| step.shared_changes(&changes));
            last.changes(changes);
        }
    }
}

/// Makes another value of each pane, or none: `rows`, `filter`, `filter_map`.
pub(crate) struct Transform<K, S, F> {
    pub(crate) make: F,
    /// Whether it may make none: then what was shown of the pane has to go.
    pub(crate) vanishes: bool,
    pub(crate) below: Rc<PaneNode<K, S>>,
}

impl<K, R, S, F> PaneStep<K, R> for Transform<K, S, F>
where
    K: Key,
    S: Clone + 'static,
    F: Fn(Pane<K, R>) -> Option<Pane<K, S>>,
{
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        if !self.vanishes {
            self.below.finals(panes.into_iter().filter_map(&self.make).collect());
            return;
        }
        let mut gone = Vec::new();
        let mut kept = Vec::with_capacity(panes.len());
        for pane in panes {
            let (key, window) = (pane.key.clone(), pane.window);
            match (self.make)(pane) {
                Some(pane) => kept.push(pane),
                None => gone.push(Live::Gone(key, window)),
            }
        }
        self.below.changes(gone);
        self.below.finals(kept);
    }

    fn changes(&mut self, changes: Vec<Live<K, R>>) {
        let made = changes.into_iter().map(|change| match change {
            Live::Now(pane) => {
                let (key, window) = (pane.key.clone(), pane.window);
                (self.make)(pane).map_or(Live::Gone(key, window), Live::Now)
            }
            Live::Gone(key, window) => Live::Gone(key, window),
        });
        let made = made.collect();
        self.below.changes(made);
    }
}

/// Raises an alert where a final pane is worth it. What changes is no cause: it could still be
/// taken back.
pub(crate) struct Raise<K, F> {
    /// The row that says so, or none.
    pub(crate) judge: F,
    pub(crate) below: Rc<PaneNode<K, Raised>>,
}

impl<K, R, F> PaneStep<K, R> for Raise<K, F>
where
    K: Key,
    R: Clone + 'static,
    F: Fn(&Pane<K, R>) -> Option<Raised>,
{
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        self.shared_finals(&panes);
    }

    fn changes(&mut self, _changes: Vec<Live<K, R>>) {}

    fn shared_finals(&mut self, panes: &[Pane<K, R>]) {
        let raised = panes.iter().filter_map(|pane| {
            let value = (self.judge)(pane)?;
            Some(Pane { key: pane.key.clone(), window: pane.window, value })
        });
        let raised = raised.collect();
        self.below.finals(raised);
    }

    fn shared_changes(&mut self, _changes: &[Live<K, R>]) {}
}

/// Turns panes into the rows of a view.
pub(crate) struct Terminal<K> {
    pub(crate) view: Text,
    pub(crate) rows: Rc<RefCell<Rows>>,
    pub(crate) letters: Rc<RefCell<Vec<Letter>>>,
    /// Rows that were shown and may change, if the view declares updates.
    pub(crate) shown: Option<BTreeMap<(Window, K), Vec<Cell>>>,
}

impl<K: Key> Terminal<K> {
    fn put<R: Row>(&self, change: Change, pane: &Pane<K, R>) -> bool {
        let mark = Mark { change, origin: Origin::Window(pane.window) };
        match self.rows.borrow_mut().put(mark, &pane.value) {
            Ok(()) => true,
            Err(misfit) => {
                self.letters.borrow_mut().push(self.refused(pane, misfit));
                false
            }
        }
    }

    fn refused<R: Row>(&self, pane: &Pane<K, R>, misfit: String) -> Letter {
        let window = pane.window;
        let detail = format!("key {:?}, window {} to {}", pane.key, window.start, window.end);
        let reject = Reject::new(Reason::RejectedBySink, format!("{misfit} ({detail})"));
        Letter::of_row(&self.view, Position::default(), reject)
    }
}

impl<K: Key, R: Row> PaneStep<K, R> for Terminal<K> {
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        for pane in panes {
            self.put(Change::Final, &pane);
            if let Some(shown) = &mut self.shown {
                shown.remove(&(pane.window, pane.key));
            }
        }
    }

    fn shared_finals(&mut self, panes: &[Pane<K, R>]) {
        for pane in panes {
            self.put(Change::Final, pane);
            if let Some(shown) = &mut self.shown {
                shown.remove(&(pane.window, pane.key.clone()));
            }
        }
    }

    fn shared_changes(&mut self, changes: &[Live<K, R>])
    where
        R: Clone,
    {
        if self.shown.is_some() {
            self.changes(changes.to_vec());
        }
    }

    fn changes(&mut self, changes: Vec<Live<K, R>>) {
        if self.shown.is_none() {
            return;
        }
        for change in changes {
            match change {
                Live::Now(pane) => {
                    if self.put(Change::Upsert, &pane) {
                        let rows = self.rows.borrow();
                        let start = rows.cells.len() - rows.width();
                        let cells = rows.cells[start..].to_vec();
                        drop(rows);
                        let shown = self.shown.as_mut().expect("checked above");
                        shown.insert((pane.window, pane.key), cells);
                    }
                }
                Live::Gone(key, window) => {
                    let shown = self.shown.as_mut().expect("checked above");
                    if let Some(cells) = shown.remove(&(window, key)) {
                        let origin = Origin::Window(window);
                        let mark = Mark { change: Change::Delete, origin };
                        self.rows.borrow_mut().push(mark, cells);
                    }
                }
            }
        }
    }
}
