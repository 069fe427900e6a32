//! A whole operator: joins, trailing rows and sessions through a snapshot, letters of all parts.

use super::super::tests::{Bench, letter};
use crate::aggregate::{Count, Sum};
use crate::hash;
use crate::row::{Cells, Column, Field, Row};
use crate::stream::{Flow, Stream};
use crate::testing::Example;
use crate::testing::example::{Event, Line};
use crate::text::Text;
use crate::time::{Millis, seconds};
use crate::window::{Session, Sliding, Tumbling};

fn source(flow: &Flow) -> Stream<Event> {
    flow.source("events", seconds(0), Example::time)
}

/// Sums beside counts of large values, each row beside the two before it.
fn joined(flow: &Flow) {
    let events = source(flow);
    let windows = Sliding::new(seconds(20), seconds(10));
    let key = |event: &Event| event.key.clone();
    let sums = events.key_by(key).window(windows).accumulate(|e| Sum::<i64>::of(e.value));
    let large = events.filter(|event| 100 <= event.value).key_by(key).window(windows);
    sums.left_join(large.accumulate(|_| Count::one()), |key, window, sum, large| {
        Example::row(key, window, vec![sum.get().unwrap_or(0) as i32, large.map_or(0, count)])
    })
    .trailing(2, |past, mut line: Line<Text, Vec<i32>>| {
        line.value.extend(past.iter().map(|line| line.value[0]));
        line
    })
    .rows(|_, _, line| line)
    .sink("joined");
}

fn count(count: Count) -> i32 {
    count.get() as i32
}

fn sessions(flow: &Flow) {
    source(flow)
        .key_by(|event| event.key.clone())
        .window(Session::new(seconds(10)))
        .accumulate(|event| Sum::<i64>::of(event.value))
        .rows(Example::row)
        .sink("sessions");
}

/// Events of 40 keys in the seconds from `begin` on.
fn events(begin: i64) -> Vec<Event> {
    let event = |n: i64| (format!("user_{}", n % 40), begin + n / 40, 3 * n % 130);
    (0..400).map(event).map(|(key, time, value)| (&*key, time, value).into()).collect()
}

fn finals(bench: &mut Bench, watermark: Millis) -> Vec<String> {
    bench.emit(watermark);
    let rows = bench.operators[0].rows(0);
    let mut texts: Vec<String> = rows.iter().map(|(_, cells)| format!("{cells:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn a_restored_operator_gives_the_same_rows_and_half_of_it_half_of_them() {
    for describe in [joined, sessions] {
        let mut bench = Bench::new(describe);
        bench.read(events(0));
        finals(&mut bench, Millis(30_000));
        bench.read(events(40));
        finals(&mut bench, Millis(42_000));
        let mut snapshot = bench.operators[0].snapshot();

        let mut restored = Bench::new(describe);
        restored.operators[0].restore_all(&snapshot);
        assert_eq!(restored.operators[0].open(), bench.operators[0].open());
        let all = snapshot.clone();
        snapshot.iter_mut().for_each(|part| part.groups.retain(|(group, _)| group % 2 == 0));
        assert_ne!(snapshot, all);
        let mut half = Bench::new(describe);
        half.operators[0].restore_all(&snapshot);

        // The life of a key goes on where it was.
        let more = events(50);
        let even = |key: &Text| hash::group(hash::of(key)).is_multiple_of(2);
        half.read(more.iter().filter(|event| even(&event.key)).cloned());
        for bench in [&mut bench, &mut restored] {
            bench.read(more.clone());
        }
        let expected = finals(&mut bench, Millis::MAX);
        assert!(expected.len() >= 40, "{expected:?}");
        assert_eq!(finals(&mut restored, Millis::MAX), expected);
        let mine = |row: &&String| {
            let key = row.split('"').nth(1).expect("a row begins with its key");
            even(&key.into())
        };
        let expected: Vec<String> = expected.iter().filter(mine).cloned().collect();
        assert!(!expected.is_empty());
        assert_eq!(finals(&mut half, Millis::MAX), expected);
    }
}

#[test]
fn open_rows_are_shown_again_after_a_restore() {
    let describe = |flow: &Flow| {
        let events = source(flow);
        let windows = Tumbling::new(seconds(10));
        let key = |event: &Event| event.key.clone();
        let small = events.filter(|event| event.value < 10).key_by(key).window(windows);
        let large = events.filter(|event| 10 <= event.value).key_by(key).window(windows);
        let large = large.accumulate(|_| Count::one());
        small
            .accumulate(|_| Count::one())
            .join(large, |key, window, small, large| {
                Example::row(key, window, small.get() + large.get())
            })
            .updates()
            .sink("both");
    };
    let mut bench = Bench::new(describe);
    bench.read([("a", 1, 1), ("a", 2, 11)]);
    bench.emit(Millis(2_000));
    assert_eq!(bench.rows(), ["Upsert: a, 0, 2"]);
    let mut restored = Bench::new(describe);
    let snapshot = bench.operators[0].snapshot();
    restored.operators[0].restore_all(&snapshot);
    restored.read([("a", 3, 1)]);
    restored.emit(Millis(3_000));
    assert_eq!(restored.rows(), ["Upsert: a, 0, 3"], "the other side is known");
}

/// A row that no table can hold.
#[derive(Clone)]
struct Misfit;

impl Row for Misfit {
    fn columns() -> Vec<Column> {
        let mut columns = Vec::new();
        i64::columns("n", false, &mut columns);
        columns
    }

    fn put(&self, cells: &mut Cells) {
        cells.misfit(|| "it does not fit".into());
    }
}

#[test]
fn letters_and_late_windows_of_all_joined_parts_are_told() {
    let mut bench = Bench::new(|flow| {
        let events = source(flow);
        let windows = Tumbling::new(seconds(10));
        let counts = || events.window(windows).accumulate(|_| Count::one());
        // The right side is described first and named before the join makes both one operator.
        let (right, left) = (counts(), counts());
        left.rows(|_, _, _| Misfit).sink("misfits");
        left.join(right, |(), window, left, _| Example::row((), window, left)).sink("joined");
        // Something must want what both sides refuse.
        events.sink("events");
    });
    assert_eq!(bench.operators.len(), 1);
    bench.read([("a", 1, 1), ("a", 100, 1), ("a", 2, 1)]);
    assert_eq!(bench.partition.ledger.used, 3);
    assert_eq!(bench.operators[0].late_windows(), 2);
    let late = "2 late: all its windows were over at 1970-01-01T00:01:40.000Z";
    assert_eq!(bench.letters(), [late], "one letter of both sides");
    bench.emit(Millis(10_000));
    let letters: Vec<String> = bench.operators[0].letters().iter().map(letter).collect();
    let place = "key (), window 1970-01-01T00:00:00.000000Z to 1970-01-01T00:00:10.000000Z";
    assert_eq!(letters, [format!("0 rejected_by_sink: it does not fit ({place})")]);
    assert!(bench.operators[0].letters().is_empty());
}
