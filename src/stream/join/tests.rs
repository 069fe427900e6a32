//! Joins: what is paired, what is taken back, and that nothing is kept for ever.

use super::*;
use crate::time::Time;

type Key_ = Option<u32>;

/// Writes down what reaches it.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<String>>>);

impl PaneStep<Key_, String> for Seen {
    fn finals(&mut self, panes: Vec<Pane<Key_, String>>) {
        let texts = panes.into_iter().map(|pane| format!("{:?} {}", pane.key, pane.value));
        self.0.borrow_mut().extend(texts);
    }

    fn changes(&mut self, changes: Vec<Live<Key_, String>>) {
        let texts = changes.into_iter().map(|change| match change {
            Live::Now(pane) => format!("~{:?} {}", pane.key, pane.value),
            Live::Gone(key, _) => format!("-{key:?}"),
        });
        self.0.borrow_mut().extend(texts);
    }
}

impl Seen {
    fn take(&self) -> Vec<String> {
        take(&mut self.0.borrow_mut())
    }
}

/// Both sides of a join over one window.
struct Pair<J> {
    join: Rc<RefCell<J>>,
    left: Side<J, true>,
    right: Side<J, false>,
    seen: Seen,
}

fn pair(inner: bool) -> Pair<Join<Key_, i64, i64, String, Make>> {
    let (below, seen) = (PaneNode::new(), Seen::default());
    below.push(seen.clone());
    let make: Make = if inner { inner_pair } else { left_pair };
    let join = Join::new(make, below);
    Pair { left: Side::left(&join), right: Side::right(&join), join, seen }
}

type Make = fn(Key_, Window, i64, Option<i64>) -> Option<String>;

fn left_pair(_: Key_, _: Window, left: i64, right: Option<i64>) -> Option<String> {
    Some(format!("{left}/{}", right.map_or("NULL".into(), |right| right.to_string())))
}

fn inner_pair(_: Key_, _: Window, left: i64, right: Option<i64>) -> Option<String> {
    right.map(|right| format!("{left}/{right}"))
}

fn window() -> Window {
    Window::new(Time::from_seconds(0), Time::from_seconds(10))
}

fn panes(values: &[(Key_, i64)]) -> Vec<Pane<Key_, i64>> {
    values.iter().map(|(key, value)| Pane { key: *key, window: window(), value: *value }).collect()
}

fn now(key: u32, value: i64) -> Vec<Live<Key_, i64>> {
    panes(&[(Some(key), value)]).into_iter().map(Live::Now).collect()
}

fn gone(key: u32) -> Vec<Live<Key_, i64>> {
    vec![Live::Gone(Some(key), window())]
}

#[test]
fn rows_of_equal_key_and_window_are_paired() {
    let check = |inner, expect: &[&str]| {
        let mut pair = pair(inner);
        pair.left.finals(panes(&[(Some(1), 10), (Some(2), 20)]));
        pair.right.finals(panes(&[(Some(1), 11), (Some(3), 31)]));
        pair.join.borrow_mut().settle_finals();
        let seen = pair.seen.take();
        let finals: Vec<&String> = seen.iter().filter(|row| !row.starts_with('-')).collect();
        assert_eq!(finals, expect);
        pair.join.borrow_mut().settle_finals();
        assert!(pair.seen.take().is_empty());
    };
    check(true, &["Some(1) 10/11"]);
    check(false, &["Some(1) 10/11", "Some(2) 20/NULL"]);
}

#[test]
fn other_windows_are_other_partners() {
    let mut pair = pair(true);
    pair.left.finals(panes(&[(Some(1), 10)]));
    let later = Window::new(Time::from_seconds(10), Time::from_seconds(20));
    pair.right.finals(vec![Pane { key: Some(1), window: later, value: 11 }]);
    pair.join.borrow_mut().settle_finals();
    assert!(!pair.seen.take().iter().any(|row| row.contains('/')));
}

#[test]
fn a_null_key_joins_nothing_but_its_left_rows_stay() {
    let check = |inner, expect: &[&str]| {
        let mut pair = pair(inner);
        pair.left.finals(panes(&[(None, 10)]));
        pair.right.finals(panes(&[(None, 11)]));
        pair.join.borrow_mut().settle_finals();
        let seen = pair.seen.take();
        let finals: Vec<&String> = seen.iter().filter(|row| !row.starts_with('-')).collect();
        assert_eq!(finals, expect);
    };
    check(true, &[]);
    check(false, &["None 10/NULL"]);
}

#[test]
fn an_update_of_either_side_shows_the_pair_again() {
    let mut pair = pair(false);
    pair.left.changes(now(1, 10));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["~Some(1) 10/NULL"]);
    pair.right.changes(now(1, 11));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["~Some(1) 10/11"]);
    pair.left.changes(now(1, 12));
    pair.right.changes(now(1, 13));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["~Some(1) 12/13"]);
    pair.join.borrow_mut().settle_changes();
    assert!(pair.seen.take().is_empty());
}

#[test]
fn a_side_that_goes_takes_its_pair_along() {
    let mut pair = pair(true);
    pair.left.changes(now(1, 10));
    pair.right.changes(now(1, 11));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["~Some(1) 10/11"]);
    pair.right.changes(gone(1));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["-Some(1)"]);
    pair.right.changes(now(1, 12));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["~Some(1) 10/12"]);
    pair.left.changes(gone(1));
    pair.right.changes(gone(1));
    pair.join.borrow_mut().settle_changes();
    assert_eq!(pair.seen.take(), ["-Some(1)"]);
    assert!(pair.join.borrow().shown.is_empty());
}

#[test]
fn a_shown_left_row_that_a_filter_drops_as_it_closes_is_taken_back() {
    let mut pair = pair(false);
    pair.left.changes(now(1, 10));
    pair.right.changes(now(1, 11));
    pair.join.borrow_mut().settle_changes();
    pair.seen.take();
    // The left side closes without a row, as behind a `trailing` that a filter judges.
    pair.left.changes(gone(1));
    pair.right.finals(panes(&[(Some(1), 11)]));
    pair.join.borrow_mut().settle_finals();
    assert_eq!(pair.seen.take(), ["-Some(1)"]);
    assert!(pair.join.borrow().shown.is_empty());
}

#[test]
fn closed_rows_leave_nothing_behind() {
    let mut pair = pair(false);
    for key in 0..10 {
        pair.left.changes(now(key, 1));
        pair.right.changes(now(key, 2));
    }
    pair.join.borrow_mut().settle_changes();
    let all: Vec<(Key_, i64)> = (0..10).map(|key| (Some(key), 1)).collect();
    pair.left.finals(panes(&all));
    pair.right.finals(panes(&all[..5]));
    pair.right.changes((5..10).flat_map(gone).collect());
    pair.join.borrow_mut().settle_finals();
    let join = pair.join.borrow();
    assert_eq!((join.shown.len(), join.touched.len()), (0, 0));
}

#[test]
fn what_a_filter_drops_is_not_kept_where_nothing_was_shown() {
    let mut pair = pair(false);
    for key in 0..10 {
        pair.left.changes(gone(key));
        pair.right.changes(gone(key));
    }
    let join = pair.join.borrow();
    assert_eq!((join.shown.len(), join.touched.len()), (0, 0));
}
