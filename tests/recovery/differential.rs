//! Windows that differential dataflow keeps, over restarts and kills with other numbers of workers:
//! the rows that the hash tables give.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::testing::Example;
use highwater::testing::{Dice, Scratch, example::Event};

use super::views::{Halting, event};
use super::{assert_same, killed_until_it_ends, run, run_kept, undisturbed};

const VIEWS: [&str; 2] = ["slides", "totals"];

#[derive(Clone, Serialize, Deserialize, Row)]
struct Shown {
    key: Text,
    start: Time,
    sum: i64,
    least: Option<i64>,
    total: Option<i64>,
}

/// Two operators: sliding windows with an aggregate that cannot take back, and a join of two
/// aggregates.
fn describe(flow: &Flow) {
    let events = flow.source("events", seconds(5), Example::time);
    let value = |event: &Event| event.value;
    events
        .key_by(|event| event.key.clone())
        .window(Sliding::new(seconds(20), seconds(5)))
        .accumulate(move |event| (Sum::<i64>::of(value(event)), Min::of(value(event))))
        .rows(|key, window, (sum, least)| Shown {
            key,
            start: window.start,
            sum: sum.get().unwrap_or_default() as i64,
            least: least.get().copied(),
            total: None,
        })
        .sink("slides");
    events
        .key_by(|event| event.key.clone())
        .window(Tumbling::new(seconds(30)))
        .accumulate(move |event| (Sum::<i64>::of(value(event)), Count::one()))
        .rows(|key, window, (sum, count)| Shown {
            key,
            start: window.start,
            sum: sum.get().unwrap_or_default() as i64,
            least: None,
            total: Some(count.get()),
        })
        .sink("totals");
}

/// Runs the job until its log halts, or to its end. Returns the rows by view.
fn attempt(
    (dir, differential): (Option<&Path>, bool),
    halts_at: Option<i64>,
    workers: usize,
) -> [Vec<Vec<Cell>>; 2] {
    let stop = Stop::new();
    let mut job = Job::new("kept", |flow| {
        describe(flow);
        Ok(())
    });
    job.pace.ticks_per_epoch = 4;
    if differential {
        job.settings.differential.extend(VIEWS.map(Text::from));
    }
    let log = Halting { make: event, records: 360, halts_at, stop: stop.clone() };
    job.sources = BTreeMap::from([("events".into(), BoundSource::new(Arc::new(log)))]);
    let mut schemas = job.schemas().unwrap();
    let collectors = VIEWS.map(|name| {
        let collector = Collector::default();
        let schema = schemas.remove(name).unwrap();
        let key = vec!["key".into(), "start".into()];
        let view = View { name: name.into(), schema, key, stamp: None };
        job.sinks.insert(name.into(), vec![BoundSink::new(name, collector.sink(&view))]);
        collector
    });
    run_kept(job, dir, workers, &stop).unwrap();
    collectors.map(|collector| collector.table())
}

#[test]
fn windows_of_differential_dataflow_are_the_same_over_restarts() {
    let expected = attempt((None, false), None, 2);
    assert_eq!(expected[1].len(), 4 * 5, "four windows of five keys");
    assert_eq!(attempt((None, true), None, 2), expected);

    let dir = Scratch::new("differential");
    let mut found: [BTreeMap<String, Vec<Cell>>; 2] = Default::default();
    for (halts_at, workers) in
        [(Some(70), 2), (Some(150), 3), (Some(151), 1), (Some(300), 4), (None, 2)]
    {
        let rows = attempt((Some(dir.path()), true), halts_at, workers);
        for (found, rows) in found.iter_mut().zip(rows) {
            for row in rows {
                let key = format!("{:?}", &row[..2]);
                // The sink forgets with the attempt, so a row may come again, but no other one.
                let before = found.insert(key, row.clone());
                assert!(before.is_none_or(|before| before == row), "{row:?}");
            }
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        let mut found: Vec<&Vec<Cell>> = found.values().collect();
        let mut expected: Vec<&Vec<Cell>> = expected.iter().collect();
        found.sort_by_key(|row| format!("{row:?}"));
        expected.sort_by_key(|row| format!("{row:?}"));
        assert_eq!(found, expected);
    }
}

#[test]
fn a_job_of_differential_dataflow_that_is_killed_writes_the_rows_of_the_hash_tables() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("killed-differential"));
    let (expected, _) = undisturbed(calm.path());
    let (path, mut dice) = (dir.path(), Dice::new());
    killed_until_it_ends((path, &mut dice, 8), |workers| {
        let mut command = run(path, workers);
        for view in ["chat_summary_minute", "moments"] {
            command.args(["--set", &format!("view.{view}.engine=\"differential\"")]);
        }
        command
    });
    assert_same(path, &expected);
}
