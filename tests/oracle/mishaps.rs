//! The engine agrees with the reference when things go wrong: a worker stalls for many epochs, a
//! function of the author panics, a stop comes while much is unread, a source fails.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Once};
use std::time::Duration;

use highwater::runtime::{Pace, Workers};
use highwater::stream::is_catching;

use super::agreement::difference;
use super::boundaries::{self, S};
use super::cases::Case;
use super::delivery::Stall;
use super::engine::{Answered, Prepared, run, run_until, try_run_until};
use super::job::{End, Filter, Job, Kind, Record};
use super::outcome::{Letter, Outcome, Position, Reason, Row};
use super::reference;

/// Random cases from a seed on, all with this end.
fn cases(from: u64, count: usize, end: End) -> Vec<Case> {
    (from..).map(Case::random).take(count).map(|case| Case { end, ..case }).collect()
}

#[test]
fn a_worker_that_stalls_for_ten_epochs_changes_nothing() {
    // All jobs share the workers: while a partition of the last one holds up worker 1, worker 0
    // goes on reading the others, whose epochs then reach worker 1 together.
    let epoch = Duration::from_millis(2);
    for (workers, end) in [(2, End::Finished), (3, End::Stopped), (2, End::Stopped)] {
        let seeds = 50_000 + 100 * workers as u64;
        let mut prepared: Vec<Prepared> =
            cases(seeds, 30, end).into_iter().map(Prepared::new).collect();
        for prepared in &mut prepared {
            prepared.pace = Pace {
                tick: Duration::from_millis(1),
                tick_max: Duration::from_millis(1),
                ticks_per_epoch: 2,
                in_flight_max: 60,
            };
            prepared.deliveries.iter_mut().for_each(|delivery| delivery.pauses = 20);
        }
        let happened = Arc::new(AtomicBool::new(false));
        let stalls = |prepared: &&mut Prepared| 1 < prepared.case.job.sources[0].partitions.len();
        let stalled = prepared.iter_mut().find(stalls).expect("some case has two partitions");
        stalled.deliveries[0].stall = Some(Stall {
            partition: 1,
            before_poll: 1,
            length: 20 * epoch,
            happened: happened.clone(),
        });
        run(&prepared, &Workers::threads(workers));
        assert!(happened.load(Relaxed));
        for prepared in &prepared {
            let difference = difference(&prepared.case, &prepared.answer());
            assert_eq!(difference, None, "{:?}", prepared.case);
        }
    }
}

#[test]
fn events_on_which_a_function_panics_are_letters_and_the_others_count() {
    be_silent_about_caught_panics();
    let poison = Filter { modulus: 2, remainder: 1 };
    let mut prepared = Vec::new();
    for mut case in cases(60_000, 60, End::Finished) {
        if case.job.windows.iter().any(|windowed| 1 < windowed.sources.len()) {
            continue;
        }
        // The letter of a step in between would name that step.
        case.job.windows.iter_mut().for_each(|windowed| windowed.filter = None);
        case.job.sources.iter_mut().for_each(|source| source.dedup_us = None);
        let mut case = Prepared::new(case);
        case.poison = Some(poison);
        prepared.push(case);
    }
    run(&prepared, &Workers::threads(2));
    let mut letters = 0;
    for prepared in &prepared {
        let expected = poisoned(&prepared.case, poison);
        let panics = |letter: &&Letter| letter.reason == Reason::UserPanic;
        letters += expected.letters.iter().filter(panics).count();
        let difference = expected.difference(&prepared.answer().outcome);
        assert_eq!(difference, None, "{:?}", prepared.case);
    }
    assert!(100 < letters, "{letters} events are poison");
}

/// The answer when windows panic on some events: for them these events are not there.
fn poisoned(case: &Case, poison: Filter) -> Outcome {
    let mut job = case.job.clone();
    for windowed in &mut job.windows {
        windowed.filter = Some(Filter { remainder: 1 - poison.remainder, ..poison });
    }
    let mut outcome = reference::run(&job, case.end);
    // Without duplicates, what the source wrote no letter about is used.
    let refused: BTreeSet<Position> =
        outcome.letters.iter().filter(|at| at.place.is_none()).map(|at| at.position).collect();
    for (place, windowed) in case.job.windows.iter().enumerate() {
        for (position, record) in records(&case.job) {
            let is_read = windowed.sources.contains(&position.source);
            if is_read && poison.keeps(record.value) && !refused.contains(&position) {
                let (reason, place) = (Reason::UserPanic, Some(place));
                outcome.letters.push(Letter { position, reason, place });
            }
        }
    }
    outcome.by_operator(&case.job.groups())
}

/// All records with their positions.
fn records(job: &Job) -> impl Iterator<Item = (Position, &Record)> {
    job.sources.iter().enumerate().flat_map(|(source, of)| {
        of.partitions.iter().enumerate().flat_map(move |(partition, log)| {
            let at = move |offset| Position { source, partition, offset };
            log.records.iter().enumerate().map(move |(offset, record)| (at(offset), record))
        })
    })
}

/// Keeps the panics that become letters from filling the output of the tests.
fn be_silent_about_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_catching() {
                others(panic);
            }
        }));
    });
}

#[test]
fn a_stop_in_the_middle_answers_for_what_was_read() {
    for workers in [1, 2, 3] {
        let seeds = 70_000 + 100 * workers as u64;
        let mut prepared: Vec<Prepared> =
            cases(seeds, 40, End::Stopped).into_iter().map(Prepared::new).collect();
        for prepared in &mut prepared {
            prepared.deliveries.iter_mut().for_each(|delivery| delivery.pauses = 20);
        }
        let sum = |of: fn(&Prepared) -> u64| prepared.iter().map(of).sum::<u64>();
        let is_half = || sum(Prepared::records) / 2 <= sum(Prepared::read);
        run_until(&prepared, &Workers::threads(workers), Some(&is_half));
        assert!(sum(Prepared::read) < sum(Prepared::records), "the stop came too late");
        for prepared in &prepared {
            let answered = prepared.answer();
            let case = read(&prepared.case, &answered.outcome);
            assert_eq!(difference(&case, &answered), None, "{case:?}");
        }
    }
}

#[test]
fn a_stop_of_bounded_sources_writes_nothing_that_an_end_would_not() {
    for workers in [1, 2, 3] {
        let seeds = 80_000 + 100 * workers as u64;
        let mut prepared: Vec<Prepared> =
            cases(seeds, 40, End::Finished).into_iter().map(Prepared::new).collect();
        for prepared in &mut prepared {
            prepared.deliveries.iter_mut().for_each(|delivery| delivery.pauses = 20);
            prepared.updates = false;
        }
        let sum = |of: fn(&Prepared) -> u64| prepared.iter().map(of).sum::<u64>();
        let is_half = || sum(Prepared::records) / 2 <= sum(Prepared::read);
        run_until(&prepared, &Workers::threads(workers), Some(&is_half));
        for prepared in &prepared {
            let Answered { mut outcome, .. } = prepared.answer();
            let case = read(&prepared.case, &outcome);
            let of_an_end = reference::run(&case.job, End::Finished);
            let of_a_stop = reference::run(&case.job, End::Stopped);
            // A partition that has ended holds nothing open, so how much closes depends on what
            // had ended: at least what a stop closes, at most what an end does.
            for (view, rows) in outcome.rows.iter().enumerate() {
                let is_of_an_end = |row: &Row| of_an_end.rows[view].contains(row);
                assert!(rows.iter().all(is_of_an_end), "view {view} of {case:?}\n{rows:?}");
                let is_there = |row: &Row| rows.contains(row);
                let least = &of_a_stop.rows[view];
                assert!(least.iter().all(is_there), "view {view} of {case:?}\n{rows:?}");
            }
            outcome.rows = of_an_end.rows.clone();
            let groups = case.job.groups();
            assert_eq!(of_an_end.by_operator(&groups).difference(&outcome), None, "{case:?}");
        }
    }
}

#[test]
fn a_run_that_fails_closes_no_window_and_finishes_no_sink() {
    // One window holds all events of all partitions, and only an end would close it.
    const HOUR: Kind = Kind::Tumbling { size_us: 3_600 * S, offset_us: 0 };
    for (run, workers) in (0..60).map(|run| (run, [2, 3, 4][run % 3])) {
        let logs = (0..=run as i64 % 4).map(|log| boundaries::log(&[log * S, 9 * S]));
        let mut prepared = Prepared::new(boundaries::case(HOUR, logs.collect()));
        let broken = prepared.case.job.sources[0].partitions.len() as u32 - 1;
        prepared.deliveries[0].broken = Some(broken);
        let prepared = [prepared];
        let error = try_run_until(&prepared, &Workers::threads(workers), None).unwrap_err();
        assert!(error.to_string().contains("the disk is broken"), "{error}");
        let rows = prepared[0].answer().outcome.rows;
        assert_eq!(rows, [vec![]], "run {run} with {workers} workers");
        assert_eq!(prepared[0].finished(), 0, "run {run} with {workers} workers");
    }
}

/// The case that holds just what was read.
fn read(case: &Case, outcome: &Outcome) -> Case {
    let mut case = case.clone();
    for (source, ledgers) in case.job.sources.iter_mut().zip(&outcome.ledgers) {
        for (log, ledger) in source.partitions.iter_mut().zip(ledgers) {
            log.records.truncate(ledger.read as usize);
        }
    }
    case
}
