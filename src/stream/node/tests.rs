//! Steps before the exchange: panics cost only the events that cause them, and letters name the
//! place.

use super::super::tests::Bench;
use crate::aggregate::Count;
use crate::letter::{Reason, Reject};
use crate::stream::{Flow, Stream};
use crate::testing::Example;
use crate::testing::example::Event;
use crate::time::{Millis, seconds};
use crate::window::Tumbling;

fn source(flow: &Flow) -> Stream<Event> {
    flow.source("events", seconds(0), Example::time)
}

fn counted(events: &Stream<Event>, view: &str) {
    events
        .key_by(|event| event.key.clone())
        .window(Tumbling::new(seconds(10)))
        .accumulate(|_| Count::one())
        .rows(Example::row)
        .sink(view);
}

fn careful(event: &Event) -> bool {
    assert_ne!(event.value, 13, "thirteen at {}", event.key);
    true
}

/// Ten events, of which two make `careful` panic.
fn unlucky() -> impl Iterator<Item = (&'static str, i64, i64)> {
    (0..10).map(|n| ("a", n, if n == 3 || n == 8 { 13 } else { n }))
}

#[test]
fn a_panic_costs_the_events_that_cause_it_and_no_other() {
    let mut bench = Bench::new(|flow| counted(&source(flow).filter(careful), "v"));
    bench.read(unlucky());
    let letters = std::mem::take(&mut bench.out.letters);
    let offsets: Vec<i64> = letters.iter().map(|letter| letter.position.offset).collect();
    assert_eq!(offsets, [3, 8]);
    for letter in letters {
        assert_eq!(letter.reason, Reason::UserPanic);
        assert!(letter.detail.contains("thirteen at a"), "{}", letter.detail);
        assert_eq!(letter.place.as_deref(), Some("filter"));
    }
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 8"]);
}

#[test]
fn a_panic_in_one_branch_leaves_the_others_alone() {
    let mut bench = Bench::new(|flow| {
        let events = source(flow);
        counted(&events.filter(careful), "careful");
        counted(&events, "all");
    });
    bench.read(unlucky());
    assert_eq!(bench.letters().len(), 2);
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 8"]);
    let all = bench.operators[1].rows(0);
    assert_eq!(all.cells.last(), Some(&crate::row::Cell::I64(10)));
}

#[test]
fn a_panic_in_a_key_or_a_measure_is_named_after_its_view() {
    let check = |describe: fn(&Stream<Event>)| {
        let mut bench = Bench::new(|flow| describe(&source(flow)));
        bench.read(unlucky());
        let places: Vec<_> = bench.out.letters.iter().map(|l| l.place.as_deref()).collect();
        assert_eq!(places, [Some("v"), Some("v")]);
        bench.emit(Millis::MAX);
        assert_eq!(bench.rows(), ["Final: a, 0, 8"]);
    };
    check(|events| {
        let key = |event: &Event| careful(event).then(|| event.key.clone());
        let windowed = events.key_by(key).window(Tumbling::new(seconds(10)));
        windowed.accumulate(|_| Count::one()).rows(Example::row).sink("v");
    });
    check(|events| {
        let windowed = events.key_by(|event| event.key.clone()).window(Tumbling::new(seconds(10)));
        windowed.accumulate(|event| Count::of(careful(event))).rows(Example::row).sink("v");
    });
}

#[test]
fn a_panic_in_the_time_of_an_event_costs_that_event() {
    let mut bench = Bench::new(|flow| {
        let time = |event: &Event| careful(event).then_some(event.time).flatten();
        counted(&flow.source("events", seconds(0), time), "v");
    });
    bench.read(unlucky());
    let letters = bench.letters();
    for (letter, offset) in letters.iter().zip([3, 8]) {
        assert!(letter.starts_with(&format!("{offset} user_panic: ")), "{letter}");
        assert!(letter.contains("thirteen at a"), "{letter}");
    }
    assert_eq!((letters.len(), bench.partition.ledger.dead), (2, 2));
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 8"]);
}

#[test]
fn a_batch_of_which_every_event_panics_leaves_letters_alone() {
    let mut bench = Bench::new(|flow| counted(&source(flow).filter(careful), "v"));
    bench.read([("a", 1, 13), ("a", 2, 13)]);
    assert_eq!(bench.letters().len(), 2);
    bench.read([("a", 3, 1)]);
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 1"]);
}

#[test]
fn refusals_of_good_events_are_written_once_although_the_batch_ran_again() {
    let refuse = |event: &Event| match careful(event) && event.value % 2 == 0 {
        true => Ok(event.clone()),
        false => Err(Reject::because("odd")),
    };
    let mut bench = Bench::new(move |flow| counted(&source(flow).try_map(refuse), "v"));
    bench.read(unlucky());
    let mut letters = bench.letters();
    letters.sort();
    assert_eq!(letters.len(), 6, "{letters:?}");
    let odd: Vec<&str> = letters.iter().filter_map(|l| l.strip_suffix(" rejected: odd")).collect();
    assert_eq!(odd, ["1", "5", "7", "9"]);
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 4"]);
}

#[test]
fn rows_without_windows_survive_a_panic_in_front_of_them() {
    let mut bench = Bench::new(|flow| source(flow).filter(careful).sink("v"));
    bench.read(unlucky());
    assert_eq!(bench.letters().len(), 2);
    assert_eq!(bench.out.rows[0].len(), 8);
}

#[test]
fn a_letter_about_an_event_that_a_step_made_names_the_record_it_came_from() {
    let mut bench = Bench::new(|flow| {
        source(flow)
            .filter(|event| event.value != 1)
            .flat_map(|event| vec![event.clone(); event.value as usize])
            .try_map(|event| match event.value {
                3 => Err::<Event, _>(Reject::because("three")),
                _ => Ok(event.clone()),
            })
            .sink("v");
    });
    bench.read([("a", 1, 1), ("a", 2, 2), ("a", 3, 3)]);
    assert_eq!(bench.letters(), ["2 rejected: three"; 3]);
    assert_eq!(bench.out.rows[0].len(), 2);
}

#[test]
fn both_streams_of_a_concat_reach_what_stands_behind_it() {
    let mut bench = Bench::new(|flow| {
        let events = source(flow);
        let small = events.filter(|event| event.value < 5);
        counted(&small.concat(&events.filter(|event| 3 <= event.value)).filter(careful), "v");
    });
    bench.read((0..10).map(|n| ("a", n, n)));
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows(), ["Final: a, 0, 12"], "the values 3 and 4 come twice");
}

#[test]
fn a_late_event_that_becomes_several_is_one_letter() {
    let mut bench = Bench::new(|flow| {
        let events = source(flow);
        counted(&events.flat_map(|event: &Event| vec![event.clone(); 3]), "v");
        // Something must want what the windows refuse.
        events.sink("events");
    });
    bench.read([("a", 100, 1), ("a", 1, 1), ("a", 2, 1)]);
    let over = "late: all its windows were over at 1970-01-01T00:01:40.000Z";
    assert_eq!(bench.letters(), [format!("1 {over}"), format!("2 {over}")]);
    assert_eq!(bench.operators[0].late_windows(), 6, "each of them is counted");
}

#[test]
fn a_key_above_its_limit_is_refused() {
    let mut bench = Bench::new(|flow| counted(&source(flow), "v"));
    let long = "k".repeat(1_025);
    bench.read([(&long[1..], 1, 1), (&long[..], 2, 1)]);
    assert_eq!(bench.letters(), ["1 rejected: its key has 1025 bytes, view.key_bytes_max is 1024"]);
    bench.emit(Millis::MAX);
    assert_eq!(bench.rows().len(), 1);
}
