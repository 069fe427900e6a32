//! `dedup`: which occurrence counts as the first, and when it is forgotten.

use super::super::intake::SourceOptions;
use super::super::tests::Bench;
use super::*;
use crate::keyed::Saves;
use crate::keyed::tests::{Ways, is_saved_as_it_was};
use crate::source::Batch;
use crate::testing::Example;
use crate::testing::example::Event;
use crate::time::seconds;
use crate::window::Tumbling;

/// A source with a lateness of ten seconds whose values are ids that live for a minute.
fn ids() -> Bench {
    Bench::new(|flow| {
        flow.source("events", seconds(10), Example::time)
            .dedup(|event: &Event| event.value, seconds(60))
            .window(Tumbling::new(seconds(10)))
            .accumulate(|_| crate::aggregate::Count::one())
            .rows(Example::row)
            .sink("v");
    })
}

/// Reads ids at seconds, one batch each, and says which of them were duplicates.
fn duplicates(bench: &mut Bench, events: &[(i64, i64)]) -> Vec<bool> {
    let counted = events.iter().map(|(second, id)| {
        let before = bench.partition.ledger.duplicates;
        bench.read([("", *second, *id)]);
        before < bench.partition.ledger.duplicates
    });
    counted.collect()
}

#[test]
fn the_first_occurrence_is_used_and_later_ones_are_duplicates() {
    let mut bench = ids();
    bench.read([("", 1, 7), ("", 2, 8), ("", 3, 7)]);
    bench.read([("", 4, 8), ("", 5, 9)]);
    let ledger = bench.partition.ledger;
    assert_eq!((ledger.read, ledger.used, ledger.duplicates), (5, 3, 2));
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: 0, 3"]);
    assert!(bench.letters().is_empty(), "a duplicate is no dead letter");
}

#[test]
fn an_id_is_forgotten_when_the_watermark_has_passed_its_time_and_memory() {
    // Remembered until second 60; the watermark is ten seconds behind the greatest time.
    let check = |second, expect| {
        let found = duplicates(&mut ids(), &[(0, 7), (second, 8), (second, 7)]);
        assert_eq!(found, [false, false, expect], "at {second} s");
    };
    check(69, true);
    check(70, true);
    check(71, false);
}

#[test]
fn a_duplicate_does_not_prolong_the_memory() {
    let found = duplicates(&mut ids(), &[(0, 7), (50, 7), (71, 8), (71, 7), (72, 7)]);
    assert_eq!(found, [false, true, false, false, true]);
}

#[test]
fn a_late_event_is_late_and_not_the_first() {
    let mut bench = ids();
    bench.read([("", 100, 1), ("", 1, 7), ("", 100, 7), ("", 2, 1)]);
    let ledger = bench.partition.ledger;
    assert_eq!((ledger.used, ledger.late, ledger.duplicates), (2, 2, 0));
}

#[test]
fn a_panic_in_the_key_costs_the_events_that_cause_it() {
    let mut bench = Bench::new(|flow| {
        let key = |event: &Event| {
            assert_ne!(event.value, 13, "thirteen");
            event.value
        };
        flow.source("events", seconds(10), Example::time)
            .dedup(key, seconds(60))
            .window(Tumbling::new(seconds(10)))
            .accumulate(|_| crate::aggregate::Count::one())
            .rows(Example::row)
            .sink("v");
    });
    bench.read([("", 1, 7), ("", 2, 13), ("", 3, 7), ("", 4, 13), ("", 5, 8)]);
    let ledger = bench.partition.ledger;
    assert_eq!((ledger.read, ledger.used, ledger.dead, ledger.duplicates), (5, 2, 2, 1));
    let letters = bench.letters();
    assert!(letters[0].starts_with("1 user_panic: ") && letters[0].contains("thirteen"));
    assert!(letters[1].starts_with("3 user_panic: ") && letters.len() == 2, "{letters:?}");
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: 0, 2"]);
}

#[test]
fn a_field_of_the_records_may_be_the_key() {
    let options = SourceOptions { dedup: Some(("id".into(), None)), ..SourceOptions::default() };
    let mut bench = Bench::bound(options, |flow| {
        flow.source("events", seconds(10), Example::time)
            .window(Tumbling::new(seconds(30)))
            .accumulate(|_| crate::aggregate::Count::one())
            .rows(Example::row)
            .sink("v");
    });
    // Remembered for the lateness and the window, 40 s of event time.
    let mut batch = Batch::default();
    let lines = [(0, "a"), (1, "b"), (2, "a"), (50, "c"), (51, "a"), (52, "c"), (52, "")];
    for (offset, (second, id)) in lines.into_iter().enumerate() {
        let id = if id.is_empty() { String::new() } else { format!(", \"id\": \"{id}\"") };
        let line = format!("{{\"time\": {}{id}}}", second + 1_000_000_000);
        batch.push(offset as i64, None, None, Some(line.as_bytes()));
    }
    bench.take(&mut batch);
    let ledger = bench.partition.ledger;
    assert_eq!((ledger.read, ledger.used, ledger.duplicates), (7, 4, 3));
    batch.clear();
    batch.push(7, None, None, Some(b"{\"time\": 1000000060, \"id\": \"x\"}"));
    batch.push(8, None, None, Some(b"{\"time\": 1000000061, \"id\": \"a\"}"));
    bench.take(&mut batch);
    assert_eq!(bench.partition.ledger.duplicates, 3, "`a` is forgotten");
}

#[test]
fn batches_do_not_show() {
    let events: Vec<(&str, i64, i64)> = (0..300).map(|n| ("", n * 7 % 200, n % 11)).collect();
    let mut whole = ids();
    whole.read(events.iter().copied());
    let mut single = ids();
    events.iter().for_each(|event| single.read([*event]));
    assert_eq!(whole.partition.ledger, single.partition.ledger);
    assert!(0 < whole.partition.ledger.duplicates);
    whole.emit(Millis::MAX);
    single.emit(Millis::MAX);
    assert_eq!(whole.rows(), single.rows());
}

#[test]
fn what_is_forgotten_is_released() {
    let mut memory = Memory::<i64>::default();
    for id in 0..1_000i64 {
        let until = Time::from_seconds(id);
        memory.order.entry(until).or_default().push(id);
        memory.until.insert_new(&memory.saver, (hash::of(&id), id), until);
        memory.forget(Millis(id * 1_000 - 5_000));
        assert_eq!(memory.until.len() as i64, (id + 1).min(6));
        assert_eq!(memory.order.len(), memory.until.len());
    }
    memory.forget(Millis::MAX);
    assert!(memory.until.is_empty() && memory.order.is_empty());
}

type Key = fn(&[()], &Places<'_>, usize) -> i64;

/// What is remembered of partition 7.
struct Partition(SeenKeys<i64, Key>);

impl Saves for Partition {
    fn begin_save(&mut self, whole: bool) {
        Seen::begin_save(&mut self.0, whole);
    }

    fn save(&mut self, budget: &mut usize) -> Option<Saved> {
        let saved = Seen::save(&mut self.0, budget)?;
        assert!(saved.groups.iter().all(|(group, _)| *group == 7), "the group is the partition");
        Some(saved)
    }

    fn restore(&mut self, bytes: &[u8]) {
        Seen::restore(&mut self.0, 7, bytes);
    }
}

#[test]
fn what_is_remembered_is_saved_in_slices_as_it_was() {
    is_saved_as_it_was(
        &Ways {
            make: || {
                let (partitions, keys) = (BTreeMap::new(), Vec::new());
                let key: Key = |_, _, _| 0;
                Partition(SeenKeys { key, memory: seconds(60), partitions, whole: false, keys })
            },
            // A key at a second, or the watermark.
            step: |dice, n| ((0 < dice.below(6)).then(|| dice.below(90) as i64), n),
            take: |state, (key, n)| {
                let memory = state.0.partitions.entry(7).or_default();
                match key {
                    Some(key) => drop(memory.is_first(*key, Time::from_seconds(n + 60))),
                    None => memory.forget(Millis(n * 1_000)),
                }
            },
            show: |state, _| {
                let memories = state.0.partitions.values();
                let keys = memories.flat_map(|memory| {
                    let ordered = memory.order.values().map(Vec::len).sum::<usize>();
                    assert_eq!(ordered, memory.until.len());
                    memory.until.iter().map(|slot| format!("{} {:?}", slot.key, slot.value))
                });
                let mut keys: Vec<String> = keys.collect();
                keys.sort();
                keys
            },
        },
        200,
    );
}
