//! Kept events: what is shown, for how long, what is too late, and what a snapshot holds.

use super::super::tests::Bench;
use super::*;
use crate::row::{Cell, Change};
use crate::stream::Flow;
use crate::stream::view::decode;
use crate::testing::Example;
use crate::testing::example::Event;
use crate::time::seconds;

/// Events of ten seconds.
fn kept(flow: &Flow) {
    let events = flow.source("events", seconds(5), Example::time);
    events.filter(|event| 0 < event.value).keep(seconds(10));
}

/// What became of events since the last call: their values, negative where they went.
fn changes(bench: &mut Bench, watermark: i64) -> Vec<i64> {
    bench.operators[0].emit(Millis(watermark * 1_000));
    let rows = bench.operators[0].rows(0);
    let mut values: Vec<i64> = rows
        .iter()
        .map(|(mark, cells)| match (mark.change, cells) {
            (Change::Upsert, [Cell::Bytes(row)]) => decode::<Event>(row).value,
            (Change::Delete, [Cell::Bytes(row)]) => -decode::<Event>(row).value,
            other => panic!("{other:?}"),
        })
        .collect();
    values.sort();
    values
}

#[test]
fn an_event_is_there_until_its_time_is_over() {
    let mut bench = Bench::new(kept);
    bench.read([("a", 20, 1), ("b", 20, 2), ("a", 23, 3), ("a", 21, 0), ("a", 20, 1)]);
    assert_eq!(changes(&mut bench, 18), [1, 1, 2, 3], "equal events are two");
    assert_eq!(changes(&mut bench, 40), [0; 0], "the views say when it goes");
    let mut gone = |watermark: i64| bench.expire(watermark).len();
    assert_eq!([29, 30, 32, 33].map(&mut gone), [0, 3, 0, 1]);
    assert_eq!(bench.operators[0].open().entries, 0);
}

#[test]
fn an_event_is_late_when_it_would_have_been_forgotten() {
    let mut bench = Bench::new(kept);
    // Behind the last event the watermark is 115.
    bench.read([("a", 120, 1), ("a", 106, 2), ("a", 105, 3), ("a", 104, 4)]);
    assert_eq!(changes(&mut bench, 0), [1, 2]);
    let late = bench.letters();
    assert_eq!(late.len(), 2, "{late:?}");
    assert!(late[0].starts_with("2 late: ") && late[1].starts_with("3 late: "), "{late:?}");
    assert_eq!(bench.partition.ledger.late, 2);
}

#[test]
fn under_the_strict_rule_nothing_behind_the_watermark_is_kept() {
    let mut bench = Bench::new(|flow| {
        let strict = crate::lateness::Lateness::Strict(seconds(5));
        flow.source("events", strict, Example::time).keep(seconds(10));
    });
    bench.read([("a", 120, 1), ("a", 115, 2), ("a", 114, 3)]);
    assert_eq!(changes(&mut bench, 0), [1, 2]);
}

#[test]
fn several_events_of_one_record_are_kept_apart() {
    let mut bench = Bench::new(|flow| {
        let events = flow.source("events", seconds(5), Example::time);
        let twice = events.flat_map(|event: &Event| vec![event.clone(); 2]);
        twice.concat(&twice.filter(|_| true)).keep(seconds(10));
    });
    bench.read([("a", 20, 7)]);
    assert_eq!(changes(&mut bench, 0), [7; 4]);
}

#[test]
fn a_snapshot_holds_the_events_by_key_group() {
    let mut bench = Bench::new(kept);
    bench.read((1..200).map(|value| ("a", 20, value)));
    changes(&mut bench, 0);
    let mut snapshot = bench.operators[0].snapshot();
    let (mut restored, mut half) = (Bench::new(kept), Bench::new(kept));
    restored.operators[0].restore_all(&snapshot);
    assert_eq!(changes(&mut restored, 0), (1..200).collect::<Vec<_>>());
    snapshot.iter_mut().for_each(|part| part.groups.retain(|(group, _)| group % 2 == 0));
    half.operators[0].restore_all(&snapshot);
    let half = changes(&mut half, 0).len();
    assert!((50..150).contains(&half), "{half}");
}

#[test]
fn events_are_kept_for_a_while_that_makes_sense() {
    let check = |keep: Duration| {
        let flow = Flow::new(Default::default());
        flow.source("events", seconds(5), Example::time).keep(keep);
        let errors = flow.take().errors;
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("hint: keep them for a while"), "{}", errors[0]);
    };
    check(Duration::ZERO);
    check(SIZE_MAX + seconds(1));
}
