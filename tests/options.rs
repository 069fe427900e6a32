//! Keys of a job file that change how a small dataflow runs: what it then writes.

use std::fmt::Write;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use highwater::config::{Config, Kinds};
use highwater::error::Result;
use highwater::prelude::*;
use highwater::row::{Cell, Change, Mark};
use highwater::runtime::{Dataflow, Job, Stop, Surroundings, Workers, bind, run, wall_time};
use highwater::sink::kinds::SINK_NAMES;
use highwater::sink::memory::collector;
use highwater::source::kinds::SOURCE_NAMES;
use highwater::source::limit::{Rates, TriggerMax};
use highwater::testing::{Example, Scratch};

/// Events per key and minute, shown while they change.
const COUNTS: Dataflow = Dataflow {
    name: "counts",
    system: "counts",
    about: "counts events per key and minute",
    file: (
        "counts.toml",
        "dataflow = \"counts\"\n[view.counts]\nkey = [\"key\", \"window_start\"]",
    ),
    overlays: &[],
    compat: "",
    environment: &[],
    by_name: false,
    entry: |flow, _| {
        let events = flow.source("events", seconds(10), Example::time);
        let counts = events
            .key_by(|event| event.key.clone())
            .window(Tumbling::new(minutes(1)))
            .accumulate(|_| Count::one());
        counts.rows(Example::row).updates().sink("counts");
        Ok(())
    },
};

/// Views of which none has gaps.
const OTHERS: Dataflow = Dataflow {
    name: "others",
    about: "sessions, events, a view of views",
    file: ("others.toml", "dataflow = \"others\""),
    entry: |flow, _| {
        let events = flow.source("events", seconds(10), Example::time);
        let keyed = events.key_by(|event| event.key.clone());
        let sessions = keyed.window(Session::new(minutes(1))).accumulate(|_| Count::one());
        sessions.rows(Example::row).sink("sessions");
        let minutely = keyed.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
        let rows = minutely.rows(Example::row).keep(hours(1));
        rows.map(|line| line.clone()).sink("busy");
        minutely.rows(Example::row).updates().view().map(|line| line.clone()).sink("live");
        events.sink("events");
        Ok(())
    },
    ..COUNTS
};

/// What a run wrote.
struct Ran {
    log: Vec<(Mark, Vec<Cell>)>,
    /// What a store that is keyed as the view says holds in the end.
    table: Vec<Vec<Cell>>,
}

impl Ran {
    fn of(&self, change: Change) -> usize {
        self.log.iter().filter(|(mark, _)| mark.change == change).count()
    }
}

/// Runs a dataflow over files of (key, second) on two workers, one partition a file.
fn counts(name: &str, partitions: &[Vec<(String, i64)>], keys: &str) -> Result<Ran> {
    counts_on(2, name, partitions, keys)
}

fn counts_on(
    workers: usize,
    name: &str,
    partitions: &[Vec<(String, i64)>],
    keys: &str,
) -> Result<Ran> {
    let folder = Scratch::new("options");
    for (number, events) in partitions.iter().enumerate() {
        let mut lines = String::new();
        for (key, second) in events {
            let time = Time::from_seconds(*second);
            writeln!(lines, "{{\"key\":\"{key}\",\"time\":\"{time}\",\"value\":1}}").unwrap();
        }
        fs::write(folder.path().join(format!("{number}.jsonl")), lines).unwrap();
    }
    let path = folder.path().join("*.jsonl");
    let over = format!(
        "[source.events]\nfile = {{ path = {path:?} }}\n\
         [sink.counts]\nmemory = {{ name = {name:?} }}\n{keys}\n"
    );
    let job = bound(&over)?;
    let rows = collector(name);
    rows.clear();
    run(vec![Arc::new(job)], &Workers::threads(workers), &Stop::new())?;
    Ok(Ran { log: rows.log(), table: rows.table() })
}

/// The dataflow with a file laid over its own.
fn bound(over: &str) -> Result<Job> {
    bound_to(&COUNTS, over)
}

fn bound_to(dataflow: &'static Dataflow, over: &str) -> Result<Job> {
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    let files = [dataflow.file, ("over.toml", over)];
    let around = Surroundings {
        generators: &[],
        now: Arc::new(wall_time),
        dataflows: &[],
        threads: 2,
        latency: false,
        from: None,
    };
    bind(dataflow, &Config::load(kinds, &files, &[], &[], &|_| None)?, &around)
}

/// Events of two partitions: 20 keys over ten minutes.
fn events() -> Vec<Vec<(String, i64)>> {
    let partition = |odd: i64| {
        let event = move |n: i64| (format!("k{}", (n * 7 + odd) % 20), n / 2);
        (0..1_200).map(event).collect()
    };
    vec![partition(0), partition(1)]
}

#[test]
fn updates_are_coalesced_within_the_trigger_interval() {
    let slowly = "[flow]\ntick = \"1ms\"\n[source.\"*\"]\nbatch_events_max = 10";
    let every = counts("each update", &events(), slowly).unwrap();
    assert!(0 < every.of(Change::Upsert), "nothing was shown while it was open");
    let keys = format!("trigger_interval = \"1h\"\n{slowly}");
    let coalesced = counts("coalesced", &events(), &keys).unwrap();
    assert_eq!(coalesced.of(Change::Final), every.of(Change::Final));
    assert_eq!(coalesced.of(Change::Upsert), 0, "each final row stands for its updates");
    assert_eq!(coalesced.table, every.table);
    assert_eq!(coalesced.table.len(), coalesced.log.len());
}

#[test]
fn so_many_records_are_read_in_each_trigger_interval() {
    let at_once = counts("at once", &events(), "rows = \"final\"").unwrap();
    let keys = "rows = \"final\"\ntrigger_interval = \"20ms\"\n\
                [source.\"*\"]\nmax_offsets_per_trigger = 100";
    let begun = Instant::now();
    let slowly = counts("slowly", &events(), keys).unwrap();
    // 2,400 records are 24 intervals, of which the last one need not pass.
    assert!(millis(23 * 20) <= begun.elapsed(), "{:?}", begun.elapsed());
    assert_eq!(slowly.table, at_once.table);
    assert_eq!(slowly.log.len(), at_once.log.len());
    assert!(!slowly.log.is_empty());
}

#[test]
fn the_trigger_interval_of_a_source_is_the_least_of_those_who_read_it() {
    let check = |sinks: &str, interval| {
        let over = "[source.events]\nfile = { path = \"none.jsonl\" }\n\
                    max_offsets_per_trigger = 10_000\n[checkpoint]\nevery = \"2s\"\n";
        let job = bound(&format!("{over}{sinks}")).unwrap();
        let trigger_max = Some(TriggerMax { records: 10_000, interval });
        let rates = job.sources.values().map(|source| source.rates);
        assert_eq!(rates.collect::<Vec<_>>(), [Rates { rate_max: None, trigger_max }], "{sinks}");
    };
    check("[sink.counts]\nmemory = {}", seconds(2));
    check("[sink.counts]\nmemory = {}\ntrigger_interval = \"30 seconds\"", seconds(30));
    check(
        "[[sink.counts]]\nmemory = {}\ntrigger_interval = \"30s\"\n\
         [[sink.counts]]\nblackhole = {}\ntrigger_interval = \"500ms\"\n\
         [[sink.counts]]\nblackhole = {}",
        millis(500),
    );
}

/// Two keys with silences between their minutes; `b` is silent for longer than two hours.
fn silences() -> Vec<Vec<(String, i64)>> {
    let partition = |minutes: &[(&str, i64)]| {
        minutes.iter().map(|(key, minute)| ((*key).to_owned(), 60 * minute)).collect()
    };
    vec![
        partition(&[("a", 0), ("b", 1), ("a", 4), ("a", 90), ("b", 200)]),
        partition(&[("a", 2), ("b", 4), ("a", 7), ("b", 150)]),
    ]
}

#[test]
fn gaps_between_windows_are_filled_by_both_engines() {
    let minutes = |ran: &Ran, key: &str, zeros: bool| -> Vec<i64> {
        let rows = ran.table.iter().filter_map(|cells| match &cells[..] {
            [Cell::Text(of), Cell::Time(start), Cell::I64(count)] => {
                (of == key && (*count == 0) == zeros).then_some(start.seconds() / 60)
            }
            other => panic!("{other:?}"),
        });
        rows.collect()
    };
    for engine in ["hash", "differential"] {
        let keys = format!(
            "[view.counts]\nfill_gaps = true\nengine = {engine:?}\n\
                            forget_after = \"2h\""
        );
        let ran = counts(&format!("gaps of {engine}"), &silences(), &keys).unwrap();
        assert_eq!(minutes(&ran, "a", false), [0, 2, 4, 7, 90]);
        let between = |range: std::ops::Range<i64>| range.collect::<Vec<i64>>();
        let filled = [vec![1, 3, 5, 6], between(8..90)].concat();
        assert_eq!(minutes(&ran, "a", true), filled, "{engine}");
        assert_eq!(minutes(&ran, "b", false), [1, 4, 150, 200]);
        // From the end of minute 4 to that of minute 150 it is longer than two hours.
        let filled = [vec![2, 3], between(151..200)].concat();
        assert_eq!(minutes(&ran, "b", true), filled, "{engine}");
    }
}

#[test]
fn a_job_ends_when_a_view_holds_more_groups_than_it_may() {
    // Each minute has 20 keys, of which each worker owns a part.
    let all = counts("no limit", &events(), "[view.counts]\nkeys_max = 200").unwrap();
    assert_eq!(all.table.len(), 20 * 10);
    let few = counts("limit", &events(), "[view.counts]\nkeys_max = 4");
    let error = few.err().expect("a worker owns at least ten keys");
    assert_eq!(error.kind().exit_code(), 65);
    assert!(error.to_string().contains("view `counts` holds "), "{error}");
    assert!(error.to_string().contains("`keys_max` is 4\n  hint: "), "{error}");
}

#[test]
fn a_global_watermark_is_that_of_the_greatest_event_time_of_all_partitions() {
    let partition = |minutes: &[i64]| -> Vec<(String, i64)> {
        minutes.iter().map(|minute| ("a".to_owned(), 60 * minute)).collect()
    };
    // The first partition is read to its end before the second one.
    let (first, second) = (partition(&[0, 9]), partition(&[1, 8, 9]));
    let keys =
        |scope: &str| format!("rows = \"final\"\n[source.\"*\"]\nwatermark_scope = {scope:?}");
    let run = |workers, scope: &str, partitions: [&Vec<(String, i64)>; 2]| {
        let ran = counts_on(workers, "scope", &partitions.map(Clone::clone), &keys(scope))?;
        let minute = |cells: &Vec<Cell>| match cells[1] {
            Cell::Time(start) => start.seconds() / 60,
            _ => panic!("{cells:?}"),
        };
        Ok::<_, highwater::error::Error>(ran.table.iter().map(minute).collect::<Vec<_>>())
    };
    assert_eq!(run(1, "partition", [&first, &second]).unwrap(), [0, 1, 8, 9]);
    // The watermark is ten seconds before minute 9.
    assert_eq!(run(1, "global", [&first, &second]).unwrap(), [0, 8, 9]);
    assert_eq!(run(1, "global", [&second, &first]).unwrap(), [1, 8, 9]);
    let error = run(2, "global", [&first, &second]).expect_err("two workers");
    assert_eq!(error.kind().exit_code(), 65);
    let message = "`watermark_scope = \"global\"` of source `events` needs a single worker";
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.to_string().contains("hint: run it with -w 1"), "{error}");
}

#[test]
fn keep_is_refused_where_nothing_keeps_rows() {
    let check = |view: &str, refused: bool| {
        let over = format!(
            "[source.\"*\"]\nfile = {{ path = \"none.jsonl\" }}\n\
             [view.{view}]\nkeep = \"1h\"\n[sink.\"*\"]\nblackhole = {{}}\n"
        );
        let error = bound_to(&OTHERS, &over).err().map(|error| error.to_string());
        let message = format!("`keep` of view `{view}` has no effect: nothing keeps its rows");
        assert_eq!(error.is_some(), refused, "{view}: {error:?}");
        assert!(error.is_none_or(|error| error.starts_with(&message)));
    };
    check("sessions", true);
    check("events", true);
    // What the dataflow says about `keep` is part of the view.
    check("busy", true);
    check("live", false);
}

#[test]
fn gaps_are_refused_where_there_are_none() {
    let check = |dataflow, view: &str, why: &str| {
        let over = format!(
            "[source.\"*\"]\nfile = {{ path = \"none.jsonl\" }}\n\
             [view.{view}]\nfill_gaps = true\n[sink.\"*\"]\nblackhole = {{}}\n"
        );
        let error = bound_to(dataflow, &over).err().expect("it is refused").to_string();
        let message = format!("`fill_gaps` of view `{view}` cannot be had: {why}\n  hint: ");
        assert!(error.starts_with(&message), "{error}");
    };
    check(&OTHERS, "sessions", "sessions have no gaps between them");
    check(&OTHERS, "events", "its rows are events");
    check(&OTHERS, "busy", "its rows are made of those of other views");
}
