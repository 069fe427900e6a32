//! Filled gaps: which rows, in which order, whatever the steps of the watermark; joins, trailing
//! rows, snapshots.

use super::super::tests::Bench;
use super::*;
use crate::aggregate::{Count, Sum};
use crate::keyed::tests::{Ways, is_saved_as_it_was};
use crate::stream::{Flow, Settings, Stream};
use crate::testing::Example;
use crate::testing::example::{Event, Line};
use crate::text::Text;
use crate::time::{hours, seconds};
use crate::window::{Sliding, Tumbling, Windows};

const TEN: Tumbling = Tumbling::new(seconds(10));

fn bench(forget_after: u64, describe: impl Fn(&Flow)) -> Bench {
    let (filled, forget_after) = (["v".into()].into(), seconds(forget_after));
    Bench::with(Settings { filled, forget_after, ..Settings::default() }, describe)
}

/// Events of which none is late here.
fn source(flow: &Flow) -> Stream<Event> {
    flow.source("events", hours(100), Example::time)
}

fn sums(windows: impl Into<Windows>) -> impl Fn(&Flow) {
    let windows = windows.into();
    move |flow| {
        let keyed = source(flow).key_by(|event| event.key.clone());
        let sums = keyed.window(windows).accumulate(|event| Sum::<i64>::of(event.value));
        sums.rows(Example::row).sink("v");
    }
}

fn close(bench: &mut Bench, watermark: i64) -> Vec<String> {
    bench.emit(Millis(watermark * 1_000));
    let rows = bench.rows_in_order();
    rows.iter().map(|row| row.strip_prefix("Final: ").expect("final").to_owned()).collect()
}

#[test]
fn windows_between_two_of_a_key_have_rows_once_the_later_one_closes() {
    let mut bench = bench(1_000, sums(TEN));
    bench.read([("a", 5, 1), ("b", 15, 2), ("a", 35, 3), ("b", 25, 4)]);
    assert_eq!(close(&mut bench, 10), ["a, 0, 1"]);
    assert_eq!(close(&mut bench, 30), ["b, 10, 2", "b, 20, 4"]);
    assert_eq!(close(&mut bench, 39), [""; 0], "nothing is known of what comes");
    assert_eq!(close(&mut bench, 40), ["a, 10, NULL", "a, 20, NULL", "a, 30, 3"]);
    assert_eq!(close(&mut bench, 900), [""; 0], "nothing follows the last window");
    bench.read([("b", 905, 5)]);
    assert_eq!(close(&mut bench, 2_000).len(), 88);
}

#[test]
fn a_sliding_window_has_no_gap_before_it_has_no_event() {
    let mut bench = bench(1_000, sums(Sliding::new(seconds(20), seconds(10))));
    bench.read([("a", 5, 1), ("a", 45, 2)]);
    let expect = ["a, -10, 1", "a, 0, 1", "a, 10, NULL", "a, 20, NULL", "a, 30, 2", "a, 40, 2"];
    assert_eq!(close(&mut bench, 100), expect);
}

#[test]
fn after_forget_after_a_key_is_new() {
    let check = |second: i64, expect: &[&str]| {
        let mut bench = bench(30, sums(TEN));
        bench.read([("a", 5, 1)]);
        assert_eq!(close(&mut bench, 10).len(), 1);
        bench.read([("a", second, 2)]);
        assert_eq!(close(&mut bench, second + 10), expect, "{second}");
    };
    check(35, &["a, 10, NULL", "a, 20, NULL", "a, 30, 2"]);
    check(45, &["a, 40, 2"]);
}

#[test]
fn a_silent_key_is_released() {
    let mut gaps = Gaps::new(TEN.fixed(), seconds(30));
    for (key, start) in [(1u8, 0), (2, 0), (1, 10)] {
        let window = TEN.fixed().starting(Time::from_seconds(start));
        gaps.closed.insert((window, vec![key]), 0);
        gaps.settle();
    }
    gaps.forget(Millis(40_000));
    assert_eq!(gaps.keys.len(), 2);
    gaps.forget(Millis(40_001));
    assert_eq!(gaps.keys.len(), 1);
    gaps.forget(Millis(50_001));
    assert!(gaps.keys.is_empty() && gaps.ends.len() == 0);
}

/// Counts of even values beside counts of odd ones, or -1 without a partner.
fn joined(flow: &Flow) {
    let events = source(flow);
    let count = |odd: i64| {
        let events = events.filter(move |event| event.value % 2 == odd);
        events.key_by(|event| event.key.clone()).window(TEN).accumulate(|_| Count::one())
    };
    let rows = count(0).left_join(count(1), |key, window, even, odd| {
        Example::row(key, window, 100 * even.get() + odd.map_or(-1, |odd| odd.get()))
    });
    rows.sink("v");
}

#[test]
fn a_window_of_either_side_of_a_join_is_one_of_the_key() {
    let mut bench = bench(1_000, joined);
    bench.read([("a", 5, 2), ("a", 15, 1), ("a", 35, 2), ("b", 5, 1), ("a", 55, 1), ("a", 55, 2)]);
    let expect = ["a, 0, 100", "b, 0, 1", "a, 10, 1", "a, 20, 0", "a, 30, 100", "a, 40, 0"];
    let found = close(&mut bench, 1_000);
    assert_eq!(found[..6], expect);
    assert_eq!(found[6..], ["a, 50, 101"]);
}

/// What a straightforward computation says, by key and start.
fn reference(events: &[(String, i64, i64)], forget_after: i64) -> BTreeMap<(String, i64), i64> {
    let mut rows: BTreeMap<(String, i64), i64> = BTreeMap::new();
    for (key, second, value) in events {
        let count = if value % 2 == 0 { 100 } else { 1 };
        *rows.entry((key.clone(), second / 10 * 10)).or_default() += count;
    }
    let starts: Vec<(String, i64)> = rows.keys().cloned().collect();
    for pair in starts.windows(2) {
        let [(one, from), (other, to)] = pair else { continue };
        if one == other && to - from <= forget_after {
            let between = (from / 10 + 1..to / 10).map(|n| n * 10);
            rows.extend(between.map(|start| ((one.clone(), start), 0)));
        }
    }
    rows
}

#[test]
fn rows_are_the_same_whatever_the_steps_of_the_watermark() {
    let mut filled = 0;
    for seed in 0..200u64 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = hash::of(&(random, seed));
            (random % bound) as i64
        };
        let events: Vec<(String, i64, i64)> =
            (0..30).map(|_| (format!("k{}", below(3)), below(600), below(10))).collect();
        let mut bench = bench(100, joined);
        bench.read(events.iter().map(|(key, second, value)| (&**key, *second, *value)));
        let (mut found, mut watermark) = (Vec::new(), 0);
        while watermark < 700 {
            watermark += 1 + below(120);
            found.extend(close(&mut bench, watermark));
        }
        let expect = reference(&events, 100);
        filled += expect.values().filter(|value| **value == 0).count();
        for key in ["k0", "k1", "k2"] {
            let mine = |row: &&String| row.starts_with(key);
            let expect = expect.iter().filter(|((of, _), _)| of == key);
            let expect = expect.map(|((key, start), value)| format!("{key}, {start}, {value}"));
            // In the order of their windows.
            let found: Vec<String> = found.iter().filter(mine).cloned().collect();
            assert_eq!(found, expect.collect::<Vec<_>>(), "seed {seed}");
        }
    }
    assert!(1_000 < filled);
}

/// Counts, each beside the sum of the two before it.
fn trailing(flow: &Flow) {
    let keyed = source(flow).key_by(|event| event.key.clone());
    let counts = keyed.window(TEN).accumulate(|_| Count::one());
    let rows = counts.rows(|key, window, count| Example::row(key, window, count.get()));
    let rows = rows.trailing(2, |past, mut line: Line<Text, i64>| {
        line.value = 100 * line.value + past.iter().map(|line| line.value / 100).sum::<i64>();
        line
    });
    rows.sink("v");
}

#[test]
fn trailing_rows_are_compared_with_filled_ones() {
    let mut bench = bench(1_000, trailing);
    bench.read([("a", 5, 1), ("a", 6, 1), ("a", 15, 1), ("a", 45, 1)]);
    let expect = ["a, 0, 200", "a, 10, 102", "a, 20, 3", "a, 30, 1", "a, 40, 100"];
    assert_eq!(close(&mut bench, 100), expect);
}

#[test]
fn a_snapshot_knows_where_gaps_begin() {
    let keys: Vec<String> = (0..40).map(|key| format!("k{key}")).collect();
    let at = |second: i64| keys.iter().map(move |key| (&**key, second, 1)).collect::<Vec<_>>();
    let mut whole = bench(1_000, trailing);
    whole.read(at(5));
    close(&mut whole, 20);
    let mut snapshot = whole.operators[0].snapshot();
    let mut restored = bench(1_000, trailing);
    restored.operators[0].restore_all(&snapshot);
    snapshot.iter_mut().for_each(|part| part.groups.retain(|(group, _)| group % 2 == 0));
    let mut half = bench(1_000, trailing);
    half.operators[0].restore_all(&snapshot);
    let [whole, restored, half] = [&mut whole, &mut restored, &mut half].map(|bench| {
        bench.read(at(45));
        close(bench, 100)
    });
    assert_eq!(whole.len(), 40 * 4);
    assert_eq!(restored, whole);
    let missing = whole.len() - half.len();
    assert!(0 < missing && missing < 40 * 3, "{missing}");
    assert_eq!(missing % 3, 0, "a key is new, or all of its gap is there");
}

#[test]
fn the_last_windows_of_keys_are_saved_in_slices_as_they_were() {
    is_saved_as_it_was(
        &Ways {
            make: || Gaps::new(Tumbling::new(seconds(10)).fixed(), seconds(300)),
            // A key has closed a window, or the watermark has moved.
            step: |dice, n| ((0 < dice.below(6)).then(|| dice.below(50)), n),
            take: |gaps, (key, n)| match key {
                Some(key) => {
                    let start = Time::from_seconds(n / 5 * 10);
                    let window = Window::new(start, start.plus(seconds(10)));
                    gaps.closed.insert((window, encode(key)), hash::of(key));
                    gaps.settle();
                }
                None => gaps.forget(Millis(n * 2_000)),
            },
            show: |gaps, steps| {
                let last = steps.iter().rev().find(|(key, _)| key.is_none());
                gaps.forget(Millis(last.map_or(0, |(_, n)| n * 2_000)));
                let keys = gaps.keys.iter();
                let mut keys: Vec<String> =
                    keys.map(|slot| format!("{:?} {:?}", slot.key, slot.value)).collect();
                keys.sort();
                keys
            },
        },
        150,
    );
}
