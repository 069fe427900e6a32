//! How the rows of windows enter a view: what each (key, window) holds now, until it is forgotten.
//!
//! A view keeps a closed row for a while of event time, then lets go of it. That is no deletion: a
//! sink must be able to tell it from one, and all rows of a window must go at once, whichever
//! operator and worker holds them. So this step only holds rows; when they are forgotten is decided
//! where the views are (`operators/views/forget.rs`).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::flow::Flow;
use super::operator::Durable;
use super::panes::PaneStep;
use super::plan::From;
use super::view::encode;
use crate::hash;
use crate::key::Key;
use crate::keyed::{Live, Pane, Saved, Saves, Set, Shelf, rows};
use crate::row::{Cell, Change, Mark, Origin, Rows};
use crate::time::{Millis, Time};
use crate::window::Window;

/// Rows that views hold until their time is over.
pub trait Retained {
    /// Forgets the rows whose time is over at a watermark; each leaves as a deletion.
    fn expire(&mut self, over: Millis) -> Rows;

    /// Says how long they are held after their windows have closed.
    fn keep_for(&mut self, keep: Duration);
}

/// The step; what it holds is shared with the snapshot and with whoever forgets it.
pub(super) struct Retain<K>(Rc<RefCell<Held<K>>>);

/// The rows that a view holds of windows.
struct Held<K> {
    /// How long after the end of its window, in event time; a binding may change it.
    keep: Duration,
    /// By end, start and key, so that what is forgotten first comes first.
    rows: Shelf<Place<K>>,
    /// What leaves: each row as one cell.
    changes: Rc<RefCell<Rows>>,
}

/// End and start of a window, and a key.
type Place<K> = (Time, Time, K);

impl<K: Key> Retain<K> {
    pub(super) fn new(keep: Duration, changes: Rc<RefCell<Rows>>) -> Retain<K> {
        Retain(Rc::new(RefCell::new(Held::new(keep, changes))))
    }
}

impl<K: Key> Retain<K> {
    /// How many rows the view holds of it.
    pub(super) fn len(&self) -> u64 {
        self.0.borrow().rows.len() as u64
    }

    /// One that fills a new port of an operator; returns the number of the port, too.
    pub(super) fn fill(
        flow: &Flow,
        operator: usize,
        keep: Duration,
        updates: bool,
    ) -> (usize, Self) {
        let (port, rows) = flow.add_inner_port(From::Operator(operator), updates);
        let retain = Retain::new(keep, rows);
        flow.with(|plan| {
            plan.durables.push((operator, retain.0.clone()));
            plan.ports[port].retained = Some(retain.0.clone());
        });
        (port, retain)
    }
}

impl<K: Key> Held<K> {
    fn new(keep: Duration, changes: Rc<RefCell<Rows>>) -> Held<K> {
        let rows = Shelf::new(|(_, _, key)| hash::group(hash::of(key)).into());
        Held { keep, rows, changes }
    }

    fn set(&mut self, key: K, window: Window, row: Vec<u8>) {
        match self.rows.set((window.end, window.start, key), &row) {
            Set::Equal => return,
            Set::Other(before) => self.change(Change::Delete, window, before),
            Set::New => {}
        }
        self.change(Change::Upsert, window, row);
    }

    fn remove(&mut self, key: K, window: Window) {
        if let Some(before) = self.rows.remove(&(window.end, window.start, key)) {
            self.change(Change::Delete, window, before);
        }
    }

    fn change(&self, change: Change, window: Window, row: Vec<u8>) {
        push(&mut self.changes.borrow_mut(), change, window, row);
    }
}

fn push(rows: &mut Rows, change: Change, window: Window, row: Vec<u8>) {
    let mark = Mark { change, origin: Origin::Window(window) };
    rows.push(mark, [Cell::Bytes(row)]);
}

impl<K: Key> Retained for Held<K> {
    fn expire(&mut self, over: Millis) -> Rows {
        let mut gone = Rows::default();
        let is_over = |place: &Place<K>| place.0.plus(self.keep).floor_ms() <= over;
        while let Some(((end, start, _), row)) = self.rows.pop_first_if(is_over) {
            push(&mut gone, Change::Delete, Window::new(start, end), row);
        }
        gone
    }

    fn keep_for(&mut self, keep: Duration) {
        self.keep = keep;
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

impl<K: Key> Durable for Held<K> {}

impl<K: Key> Saves for Held<K> {
    fn begin_save(&mut self, whole: bool) {
        self.rows.begin_save(whole);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        self.rows.save(budget)
    }

    fn restore(&mut self, bytes: &[u8]) {
        for (place, row) in rows::<Place<K>>(bytes) {
            match row {
                Some(row) => drop(self.rows.set(place, &row)),
                None => drop(self.rows.remove(&place)),
            }
        }
    }

    fn restored(&mut self) {
        for ((end, start, _), row) in self.rows.iter() {
            self.change(Change::Upsert, Window::new(*start, *end), row.to_vec());
        }
    }

    fn resume(&mut self) {
        self.rows.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::decode;
    use super::*;
    use crate::keyed::tests::{Ways, is_saved_as_it_was};
    use crate::time::seconds;

    fn pane(key: i64, end: i64, value: i64) -> Pane<i64, i64> {
        let window = Window::new(Time::from_seconds(end - 10), Time::from_seconds(end));
        Pane { key, window, value }
    }

    fn taken(changes: &Rc<RefCell<Rows>>) -> Vec<(Change, i64)> {
        let rows = changes.take();
        let decoded = rows.iter().map(|(mark, cells)| match cells {
            [Cell::Bytes(bytes)] => (mark.change, decode(bytes)),
            other => panic!("{other:?}"),
        });
        decoded.collect()
    }

    #[test]
    fn a_row_replaces_the_one_before_and_an_equal_one_changes_nothing() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(seconds(10), changes.clone());
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
    fn a_row_is_forgotten_when_its_time_is_over() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(seconds(10), changes.clone());
        retain.finals(vec![pane(1, 10, 5), pane(2, 20, 6), pane(3, 30, 7)]);
        taken(&changes);
        let forget = |watermark_ms: i64| {
            let gone = retain.0.borrow_mut().expire(Millis(watermark_ms));
            assert!(gone.marks.iter().all(|mark| mark.change == Change::Delete));
            gone.len()
        };
        assert_eq!([19_999, 20_000, 20_000, 40_000].map(forget), [0, 1, 0, 2]);
        assert_eq!(taken(&changes), [], "it leaves by the hand of whoever forgets");
    }

    #[test]
    fn a_snapshot_brings_the_rows_back() {
        let changes = Rc::<RefCell<Rows>>::default();
        let mut retain = Retain::<i64>::new(seconds(10), changes.clone());
        retain.finals((0..50).map(|key| pane(key, 10, key)).collect());
        let mut held = retain.0.borrow_mut();
        held.begin_save(true);
        let groups = held.save(&mut usize::MAX.clone()).unwrap().groups;
        assert!(1 < groups.len());
        let again = Rc::<RefCell<Rows>>::default();
        let restored = Retain::<i64>::new(seconds(10), again.clone());
        groups.iter().for_each(|(_, bytes)| restored.0.borrow_mut().restore(bytes));
        restored.0.borrow_mut().restored();
        let mut values: Vec<i64> = taken(&again).into_iter().map(|(_, value)| value).collect();
        values.sort();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }

    enum Happens {
        Set(i64, i64, i64),
        Remove(i64, i64),
        Expire(i64),
    }

    #[test]
    fn rows_are_saved_in_slices_as_they_were() {
        is_saved_as_it_was(
            &Ways {
                make: || Held::<i64>::new(seconds(10), Rc::default()),
                step: |dice, n| {
                    let (key, end) = (dice.below(50) as i64, n / 20 * 10);
                    match dice.below(9) {
                        0..6 => Happens::Set(key, end, dice.below(3) as i64),
                        6..8 => Happens::Remove(key, end),
                        _ => Happens::Expire(end - 20),
                    }
                },
                take: |held, happens| match happens {
                    Happens::Set(key, end, value) => {
                        held.set(*key, pane(0, *end, 0).window, encode(value));
                    }
                    Happens::Remove(key, end) => held.remove(*key, pane(0, *end, 0).window),
                    Happens::Expire(end) => drop(held.expire(Millis(end * 1_000))),
                },
                show: |held, _| {
                    let rows = held.rows.iter();
                    rows.map(|(place, row)| format!("{place:?} {row:?}")).collect()
                },
            },
            150,
        );
    }
}
