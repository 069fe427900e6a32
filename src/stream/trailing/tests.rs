//! Trailing rows: which are shown, when they are forgotten, and that nothing is kept for ever.

use super::*;
use crate::keyed::tests::{Ways, is_saved_as_it_was};
use crate::time::seconds;

/// A history of sums: a row is its own value, and what is compared is the list before it.
fn history(count: usize, forget_after: u64) -> History<u32, i64> {
    let forget_after = Rc::new(Cell::new(seconds(forget_after)));
    History::new(count, forget_after)
}

/// Pushes a row and returns the rows before it.
fn push(history: &mut History<u32, i64>, key: u32, end: i64, row: i64) -> Vec<i64> {
    let mut before = Vec::new();
    history.push(&key, Time::from_seconds(end), |past| {
        before = past.to_vec();
        row
    });
    before
}

fn notes(history: &History<u32, i64>) -> usize {
    history.ends.len()
}

#[test]
fn a_row_sees_the_last_rows_of_its_key_oldest_first() {
    let mut history = history(2, 1_000);
    assert_eq!(push(&mut history, 1, 10, 1), [0; 0]);
    assert_eq!(push(&mut history, 1, 20, 2), [1]);
    assert_eq!(push(&mut history, 2, 20, 9), [0; 0]);
    assert_eq!(push(&mut history, 1, 30, 3), [1, 2]);
    assert_eq!(push(&mut history, 1, 40, 4), [2, 3]);
}

#[test]
fn a_silence_longer_than_forget_after_ends_a_history() {
    let mut history = history(2, 100);
    push(&mut history, 1, 0, 1);
    assert_eq!(push(&mut history, 1, 100, 2), [1]);
    assert_eq!(push(&mut history, 1, 201, 3), [0; 0]);
    assert_eq!(push(&mut history, 1, 202, 4), [3]);
}

#[test]
fn a_history_of_no_rows_keeps_nothing() {
    let mut history = history(0, 100);
    assert_eq!(push(&mut history, 1, 0, 1), [0; 0]);
    assert_eq!(push(&mut history, 1, 1, 1), [0; 0]);
    assert!(history.keys.is_empty() && history.ends.len() == 0);
}

#[test]
fn a_silent_key_is_released_when_nothing_can_find_it_any_more() {
    let mut history = history(2, 100);
    push(&mut history, 1, 0, 1);
    push(&mut history, 2, 0, 1);
    push(&mut history, 1, 50, 2);
    history.forget(Millis(100_000));
    assert_eq!(history.keys.len(), 2);
    history.forget(Millis(100_001));
    assert_eq!(history.keys.len(), 1);
    history.forget(Millis(150_000));
    assert_eq!(push(&mut history, 1, 150, 3), [1, 2]);
    history.forget(Millis::MAX);
    assert!(history.keys.is_empty() && history.ends.len() == 0);
}

#[test]
fn a_key_that_goes_on_is_noted_once() {
    for (count, distance) in [(1, 10), (2, 10), (3, 99), (2, 101), (2, 1_000)] {
        let mut history = history(count, 100);
        for row in 0..50 {
            let end = row * distance;
            push(&mut history, 1, end, row);
            history.forget(Millis(end * 1_000));
            assert_eq!(notes(&history), 1, "row {row} of trailing({count}) every {distance} s");
        }
        history.forget(Millis::MAX);
        assert_eq!((history.keys.len(), notes(&history)), (0, 0));
    }
}

#[test]
fn a_snapshot_holds_the_histories_by_key_group() {
    let mut whole = history(2, 100);
    for key in 0..50 {
        push(&mut whole, key, 0, 1);
        push(&mut whole, key, 10 * i64::from(key % 5), 2);
    }
    whole.begin_save(true);
    let snapshot = whole.save(&mut usize::MAX.clone()).unwrap().groups;
    let (mut restored, mut half) = (history(2, 100), history(2, 100));
    for (group, bytes) in &snapshot {
        restored.restore(bytes);
        if group % 2 == 0 {
            half.restore(bytes);
        }
    }
    restored.restored();
    half.restored();
    for key in 0..50 {
        let even = hash::group(hash::of(&key)).is_multiple_of(2);
        assert_eq!(half.keys.get(hash::of(&key), &key).is_some(), even);
        let expected = push(&mut whole, key, 60, 3);
        assert_eq!(push(&mut restored, key, 60, 3), expected);
    }
    restored.forget(Millis::MAX);
    assert!(restored.keys.is_empty());
}

#[test]
fn histories_are_saved_in_slices_as_they_were() {
    is_saved_as_it_was(
        &Ways {
            make: || history(2, 100),
            // A row of a key, or the watermark.
            step: |dice, n| ((0 < dice.below(6)).then(|| dice.below(50) as u32), n),
            take: |history, (key, n)| match key {
                Some(key) => drop(push(history, *key, *n, *n)),
                None => history.forget(Millis(n * 1_000)),
            },
            show: |history, steps| {
                let last = steps.iter().rev().find(|(key, _)| key.is_none());
                history.forget(Millis(last.map_or(0, |(_, n)| n * 1_000)));
                let keys = history.keys.iter();
                let keys = keys.map(|slot| format!("{} {:?}", slot.key, slot.value.rows));
                let mut keys: Vec<String> = keys.collect();
                keys.sort();
                keys
            },
        },
        150,
    );
}
