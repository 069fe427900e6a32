//! How the rows of windows enter a view: what each (key, window) holds now, until it is forgotten.
//!
//! A view keeps a closed row for a while of event time, then lets go of it. That is no deletion: a
//! sink must be able to tell it from one. So a row is forgotten two epochs after its window closed
//! at the soonest, when whoever looks at the watermarks of complete epochs knows that it is over
//! (`operators/views.rs` has the other half of the argument).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::operator::Durable;
use super::panes::PaneStep;
use super::view::{decode, encode};
use crate::hash;
use crate::key::Key;
use crate::keyed::{Live, Pane, encode_groups};
use crate::row::{self, Change, Mark, Origin, Rows};
use crate::time::{Millis, Time};
use crate::window::Window;

/// The step; what it holds is shared with the snapshot.
pub(super) struct Retain<K>(Rc<RefCell<Held<K>>>);

/// The rows that a view holds of windows.
struct Held<K> {
    /// How long after the end of its window, in event time; a binding may change it.
    keep: Rc<Cell<Duration>>,
    /// By end, start and key, so that what is forgotten first comes first.
    rows: BTreeMap<(Time, Time, K), Vec<u8>>,
    /// The watermark at the end of each of the last epochs.
    watermarks: VecDeque<(u64, Millis)>,
    /// What leaves: each row as one cell.
    changes: Rc<RefCell<Rows>>,
}

impl<K> Retain<K> {
    pub(super) fn new(keep: Rc<Cell<Duration>>, changes: Rc<RefCell<Rows>>) -> Retain<K> {
        let (rows, watermarks) = (BTreeMap::new(), VecDeque::new());
        Retain(Rc::new(RefCell::new(Held { keep, rows, watermarks, changes })))
    }
}

impl<K: Key> Retain<K> {
    /// How many rows the view holds of it.
    pub(super) fn len(&self) -> u64 {
        self.0.borrow().rows.len() as u64
    }

    /// What a snapshot holds of it.
    pub(super) fn state(&self) -> Rc<RefCell<dyn Durable>> {
        self.0.clone()
    }
}

impl<K: Key> Held<K> {
    fn set(&mut self, key: K, window: Window, row: Vec<u8>) {
        let place = (window.end, window.start, key);
        if let Some(before) = self.rows.insert(place, row.clone()) {
            if before == row {
                return;
            }
            self.change(Change::Delete, window, before);
        }
        self.change(Change::Upsert, window, row);
    }

    fn remove(&mut self, key: K, window: Window) {
        if let Some(before) = self.rows.remove(&(window.end, window.start, key)) {
            self.change(Change::Delete, window, before);
        }
    }

    fn change(&self, change: Change, window: Window, row: Vec<u8>) {
        let mark = Mark { change, origin: Origin::Window(window) };
        self.changes.borrow_mut().push(mark, [row::Cell::Bytes(row)]);
    }
}

impl<K: Key, R: Serialize> PaneStep<K, R> for Retain<K> {
    fn finals(&mut self, panes: Vec<Pane<K, R>>) {
        let mut held = self.0.borrow_mut();
        panes.into_iter().for_each(|pane| held.set(pane.key, pane.window, encode(&pane.value)));
    }

    fn changes(&mut self, changes: Vec<Live<K, R>>) {
        let mut held = self.0.borrow_mut();
        for change in changes {
            match change {
                Live::Now(pane) => held.set(pane.key, pane.window, encode(&pane.value)),
                Live::Gone(key, window) => held.remove(key, window),
            }
        }
    }
}

impl<K: Key> Durable for Held<K> {
    fn snapshot(&self) -> Vec<(u16, Vec<u8>)> {
        let rows = self.rows.iter();
        encode_groups(rows.map(|((end, start, key), row)| (hash::of(key), (end, start, key, row))))
    }

    fn restore(&mut self, bytes: &[u8]) {
        let rows: Vec<(Time, Time, K, Vec<u8>)> = decode(bytes);
        for (end, start, key, row) in rows {
            self.set(key, Window::new(start, end), row);
        }
    }

    fn forget(&mut self, watermark: Millis, epoch: u64) {
        match self.watermarks.back_mut() {
            Some((last, at)) if *last == epoch => *at = watermark,
            _ => self.watermarks.push_back((epoch, watermark)),
        }
        while self.watermarks.get(1).is_some_and(|(next, _)| next + 2 <= epoch) {
            self.watermarks.pop_front();
        }
        let Some((first, over)) = self.watermarks.front().copied() else { return };
        if epoch < first + 2 {
            return;
        }
        while let Some(entry) = self.rows.first_entry() {
            let (end, start, _) = *entry.key();
            if over < end.plus(self.keep.get()).floor_ms() {
                break;
            }
            let row = entry.remove();
            self.change(Change::Delete, Window::new(start, end), row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    fn pane(key: i64, end: i64, value: i64) -> Pane<i64, i64> {
        let window = Window::new(Time::from_seconds(end - 10), Time::from_seconds(end));
        Pane { key, window, value }
    }

    fn taken(changes: &Rc<RefCell<Rows>>) -> Vec<(Change, i64)> {
        let rows = changes.take();
        let decoded = rows.iter().map(|(mark, cells)| match cells {
            [row::Cell::Bytes(bytes)] => (mark.change, decode(bytes)),
            other => panic!("{other:?}"),
        });
        decoded.collect()
    }

    #[test]
    fn a_row_replaces_the_one_before_and_an_equal_one_changes_nothing() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(Rc::new(Cell::new(seconds(10))), changes.clone());
        retain.changes(vec![Live::Now(pane(1, 10, 5))]);
        assert_eq!(taken(&changes), [(Change::Upsert, 5)]);
        retain.changes(vec![Live::Now(pane(1, 10, 6))]);
        assert_eq!(taken(&changes), [(Change::Delete, 5), (Change::Upsert, 6)]);
        retain.finals(vec![pane(1, 10, 6)]);
        assert_eq!(taken(&changes), []);
        PaneStep::<i64, i64>::changes(&mut retain, vec![Live::Gone(1, pane(1, 10, 0).window)]);
        assert_eq!(taken(&changes), [(Change::Delete, 6)]);
    }

    #[test]
    fn a_row_is_forgotten_when_its_time_is_over_and_two_epochs_have_passed() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(Rc::new(Cell::new(seconds(10))), changes.clone());
        let state = retain.state();
        let forget = |watermark: i64, epoch| {
            state.borrow_mut().forget(Millis(watermark * 1_000), epoch);
            taken(&changes).len()
        };
        retain.finals(vec![pane(1, 10, 5), pane(2, 20, 6)]);
        assert_eq!(taken(&changes).len(), 2);
        assert_eq!(forget(1_000, 3), 0, "closed in this epoch");
        assert_eq!(forget(1_000, 4), 0);
        assert_eq!(forget(1_000, 5), 2);
        retain.finals(vec![pane(3, 1_030, 7)]);
        taken(&changes);
        assert_eq!(forget(1_039, 6), 0);
        assert_eq!(forget(1_040, 7), 0);
        assert_eq!(forget(1_050, 8), 0, "at the end of epoch 6 it still had a second");
        assert_eq!(forget(1_050, 9), 1);
    }

    #[test]
    fn a_snapshot_brings_the_rows_back() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(Rc::new(Cell::new(seconds(10))), changes.clone());
        retain.finals((0..50).map(|key| pane(key, 10, key)).collect());
        let groups = retain.state().borrow().snapshot();
        assert!(1 < groups.len());
        let again = Rc::<RefCell<Rows>>::default();
        let restored = Retain::<i64>::new(Rc::new(Cell::new(seconds(10))), again.clone());
        groups.iter().for_each(|(_, bytes)| restored.state().borrow_mut().restore(bytes));
        let mut values: Vec<i64> = taken(&again).into_iter().map(|(_, value)| value).collect();
        values.sort();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }
}
