//! Tumbling and sliding windows: what closes when, from which slices and patches.

use super::super::tests::{at, close, flush, part, restore, restore_parts, saved, survives};
use super::*;
use crate::aggregate::Sum;
use crate::text::Text;
use crate::time::seconds;
use crate::window::{Sliding, Tumbling};

type Sums = FixedWindows<Text, Sum<i64>>;

fn tumbling() -> Sums {
    Sums::new(Tumbling::new(seconds(10)).fixed(), false)
}

fn sliding(size: u64, slide: u64) -> Sums {
    Sums::new(Sliding::new(seconds(size), seconds(slide)).fixed(), false)
}

/// A part behind its watermark, for the window that begins at a second.
fn patch(key: &str, second: i64, value: i64) -> Part<Text, Sum<i64>> {
    at(key, Place::Patch(Time::from_seconds(second)), value)
}

fn secs(seconds: i64) -> Millis {
    Millis(seconds * 1_000)
}

#[test]
fn a_window_closes_when_the_watermark_reaches_its_end() {
    let check = |watermark, expect: &[&str]| {
        let mut state = tumbling();
        state.apply(part("a", 0, 7));
        assert_eq!(close(&mut state, Millis(watermark)), expect, "at {watermark} ms");
    };
    check(9_999, &[]);
    check(10_000, &["a 0..10 7"]);
    check(10_001, &["a 0..10 7"]);
}

#[test]
fn a_window_before_1970_closes_at_its_end_as_well() {
    let mut state = tumbling();
    state.apply(part("a", -10, 7));
    assert!(close(&mut state, Millis(-1)).is_empty());
    assert_eq!(close(&mut state, Millis(0)), ["a -10..0 7"]);
}

#[test]
fn windows_close_in_their_order_whatever_the_order_of_the_parts() {
    let mut state = tumbling();
    for part in [part("b", 20, 1), part("a", 0, 2), part("b", 0, 3), part("a", 20, 4)] {
        state.apply(part);
    }
    state.apply(part("a", 0, 5));
    assert_eq!(state.open().windows, 2);
    assert_eq!(state.open().entries, 4);
    assert_eq!(state.open().first_end, Some(Time::from_seconds(10)));
    assert_eq!(
        close(&mut state, Millis::MAX),
        ["a 0..10 7", "b 0..10 3", "a 20..30 4", "b 20..30 1"]
    );
    assert_eq!(state.open(), Open::default());
}

#[test]
fn a_closed_window_is_not_emitted_again() {
    let mut state = tumbling();
    state.apply(part("a", 0, 1));
    assert_eq!(close(&mut state, secs(10)).len(), 1);
    assert!(close(&mut state, secs(10)).is_empty());
    state.apply(part("a", 10, 2));
    assert_eq!(close(&mut state, Millis::MAX), ["a 10..20 2"]);
}

#[test]
fn sliding_windows_share_their_slices() {
    let mut state = sliding(30, 10);
    state.apply(part("a", 0, 1));
    state.apply(part("a", 20, 2));
    assert_eq!(close(&mut state, secs(10)), ["a -20..10 1"]);
    assert_eq!(close(&mut state, secs(20)), ["a -10..20 1"]);
    assert_eq!(close(&mut state, secs(30)), ["a 0..30 3"]);
    assert_eq!(close(&mut state, Millis::MAX), ["a 10..40 2", "a 20..50 2"]);
    assert_eq!(state.open(), Open::default());
}

#[test]
fn a_slide_that_does_not_divide_the_size_has_shorter_slices() {
    // Windows of 50 s every 20 s, slices of 10 s: -40..10, -20..30, 0..50, 20..70, …
    let mut state = sliding(50, 20);
    state.apply(part("a", 0, 1));
    state.apply(part("a", 10, 2));
    assert_eq!(
        close(&mut state, Millis::MAX),
        ["a -40..10 1", "a -20..30 3", "a 0..50 3"],
        "the slice at 10 s lies behind the first window"
    );
}

#[test]
fn a_part_goes_only_to_windows_that_are_open() {
    let mut state = sliding(30, 10);
    state.apply(part("a", 0, 1));
    assert_eq!(close(&mut state, secs(10)), ["a -20..10 1"]);
    state.apply(part("b", 0, 5));
    assert_eq!(state.open().windows, 2);
    assert_eq!(
        close(&mut state, Millis::MAX),
        ["a -10..20 1", "b -10..20 5", "a 0..30 1", "b 0..30 5"]
    );
}

#[test]
fn a_patch_adds_to_one_window_alone() {
    let mut state = sliding(30, 10);
    state.apply(part("a", 0, 1));
    state.apply(patch("a", 0, 10));
    state.apply(patch("b", 0, 20));
    assert_eq!(
        close(&mut state, Millis::MAX),
        ["a -20..10 1", "a -10..20 1", "a 0..30 11", "b 0..30 20"]
    );
}

#[test]
fn a_patch_alone_opens_its_window() {
    let mut state = tumbling();
    state.apply(patch("a", 30, 4));
    state.apply(part("a", 50, 5));
    assert_eq!(state.open().first_end, Some(Time::from_seconds(40)));
    assert_eq!(close(&mut state, secs(40)), ["a 30..40 4"]);
    assert_eq!(close(&mut state, Millis::MAX), ["a 50..60 5"]);
}

#[test]
fn a_gap_between_slices_makes_no_rows() {
    let mut state = sliding(20, 10);
    state.apply(part("a", 0, 1));
    state.apply(part("a", 1_000_000, 2));
    assert_eq!(
        close(&mut state, Millis::MAX),
        ["a -10..10 1", "a 0..20 1", "a 999990..1000010 2", "a 1000000..1000020 2"]
    );
}

#[test]
fn updates_show_each_pane_that_changed_once() {
    let mut state = Sums::new(Sliding::new(seconds(20), seconds(10)).fixed(), true);
    state.apply(part("a", 0, 1));
    state.apply(part("a", 0, 2));
    state.apply(part("b", 10, 5));
    assert_eq!(flush(&mut state), ["a -10..10 3", "a 0..20 3", "b 0..20 5", "b 10..30 5"]);
    assert!(flush(&mut state).is_empty());
    state.apply(patch("a", 0, 4));
    assert_eq!(flush(&mut state), ["a 0..20 7"]);
    assert_eq!(close(&mut state, secs(10)), ["a -10..10 3"]);
    state.apply(part("a", 0, 1));
    assert_eq!(flush(&mut state), ["a 0..20 8"], "the first window has closed");
}

#[test]
fn nothing_is_shown_unless_updates_are_wanted() {
    let mut state = tumbling();
    state.apply(part("a", 0, 1));
    assert!(flush(&mut state).is_empty());
}

#[test]
fn a_snapshot_holds_slices_and_patches_by_key_group() {
    let mut state = sliding(30, 10);
    for key in 0..50 {
        let name = format!("user_{key}");
        state.apply(part(&name, 10 * (key % 4), key));
        state.apply(patch(&name, 20, 100 * key));
    }
    close(&mut state, secs(20));
    survives(state, || sliding(30, 10));
}

#[test]
fn a_restored_state_does_not_open_closed_windows_again() {
    let mut state = sliding(30, 10);
    state.apply(part("a", 0, 1));
    close(&mut state, secs(10));
    let mut restored = sliding(30, 10);
    restore(&mut restored, &[saved(&mut state, true)], |_| true);
    assert_eq!(close(&mut restored, secs(10)), [""; 0]);
    assert_eq!(close(&mut restored, Millis::MAX), ["a -10..20 1", "a 0..30 1"]);
}

/// Two workers of two, of which one has closed two windows more than the other, and the rows that
/// they still owe.
fn at_two_watermarks() -> ([Sums; 2], Vec<String>) {
    let mut states = [sliding(30, 10), sliding(30, 10)];
    for key in 0..40 {
        let name = format!("user_{key}");
        let state = &mut states[hash::owner(hash::of(&Text::from(&*name)), 2)];
        (0..3).for_each(|slice| state.apply(part(&name, 10 * slice, key)));
        state.apply(patch(&name, 10, 1_000));
    }
    close(&mut states[0], secs(10));
    close(&mut states[1], secs(30));
    // The same once more, as closing takes the state away.
    let mut owed = Vec::new();
    for state in &mut states {
        let saved = [saved(state, true)];
        let mut again = sliding(30, 10);
        restore(&mut again, &saved, |_| true);
        owed.extend(close(&mut again, Millis::MAX));
    }
    owed.sort();
    (states, owed)
}

#[test]
fn groups_of_workers_at_other_watermarks_owe_the_rows_that_their_worker_owed() {
    for peers in 1..=3 {
        for updates in [false, true] {
            let (mut states, owed) = at_two_watermarks();
            let ahead = |row: &&String| row.contains(" 0..30 ");
            let ahead = owed.iter().filter(ahead).count();
            assert!((1..40).contains(&ahead), "one of them has closed it: {ahead}");
            let saves = [0, 1].map(|worker| [saved(&mut states[worker], true)]);
            let saves = [&saves[0][..], &saves[1][..]];
            let (mut rows, mut shown) = (Vec::new(), Vec::new());
            for index in 0..peers {
                let fixed = Sliding::new(seconds(30), seconds(10)).fixed();
                let mut state = Sums::new(fixed, updates);
                restore_parts(&mut state, &saves, |worker, group| {
                    let owner = |peers| hash::owner(group.into(), peers);
                    owner(2) == worker && owner(peers) == index
                });
                shown.extend(flush(&mut state));
                // The watermark begins behind both, and passes one after the other.
                rows.extend([5, 10, 20, 30, 35].map(|second| close(&mut state, secs(second))));
                rows.push(close(&mut state, Millis::MAX));
            }
            let mut rows: Vec<String> = rows.into_iter().flatten().collect();
            rows.sort();
            assert_eq!(rows, owed, "on {peers}");
            shown.sort();
            assert_eq!(shown, if updates { owed } else { Vec::new() }, "on {peers}");
        }
    }
}

#[test]
fn parts_that_come_together_add_up_as_parts_that_come_alone() {
    let parts = || {
        let on_time = (0..30).map(|n| part(["a", "b", "c"][n as usize % 3], n / 7 * 10 % 30, n));
        on_time.chain([patch("a", 0, 100), patch("b", 0, 200), part("a", 0, 400)])
    };
    let (mut alone, mut together) = (tumbling(), tumbling());
    parts().for_each(|part| alone.apply(part));
    together.apply_all(parts().collect());
    assert_eq!(together.open(), alone.open());
    let rows = close(&mut together, Millis::MAX);
    assert_eq!(rows, close(&mut alone, Millis::MAX));
    assert_eq!(rows.len(), 9);
}
