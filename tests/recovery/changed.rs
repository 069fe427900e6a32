//! Jobs that go on from the checkpoint of a dataflow that was not quite theirs: what has not
//! changed is as if nothing had happened; what is new begins there, and that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::testing::{Example, Scratch};

use super::views::{Halting, event};
use super::{FILES, LIMIT, kept, manifests, resumed, run_kept, undisturbed};
use crate::binary::highwater;
use crate::cluster::support::{Running, sorted, until};

fn file(dir: &Path, name: &str) -> String {
    format!("file={{path={:?}}}", dir.join(name).to_str().expect("a text"))
}

/// The sinks of the first attempt: moments twice; and of the later ones: summaries twice.
fn sinks(dir: &Path, later: bool) -> Vec<String> {
    let one = |port: &str, name: &str| format!("{port}={{{}}}", file(dir, name));
    let two = |port: &str, name: &str, other: &str| {
        format!("{port}=[{{{}}},{{{}}}]", file(dir, name), file(dir, other))
    };
    let letters = one("dead_letters", FILES[2]);
    let views = if later {
        [two("sink.chat_summary_minute", FILES[0], "again.csv"), one("sink.moments", FILES[1])]
    } else {
        [one("sink.chat_summary_minute", FILES[0]), two("sink.moments", FILES[1], "again.jsonl")]
    };
    views.into_iter().chain([letters]).collect()
}

fn start(dir: &Path, workers: u64, later: bool) -> Command {
    let mut command = highwater();
    command.args(["run", "chat", "-w", &workers.to_string()]);
    kept(command, dir, &sinks(dir, later))
}

/// The newest epoch that is published.
fn newest(dir: &Path) -> Option<u64> {
    dir.join("checkpoints/chat").is_dir().then(|| manifests(dir).pop()).flatten()
}

/// Whether the job has written summaries, the names of the columns aside.
fn has_rows(dir: &Path) -> bool {
    let rows = fs::read_to_string(dir.join(format!("{}.partial", FILES[0])));
    rows.is_ok_and(|rows| 1 < rows.lines().count())
}

#[test]
fn with_other_sinks_the_rows_of_those_that_stay_are_the_same() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("other-sinks"));
    let (expected, _) = undisturbed(calm.path());
    let path = dir.path();
    let killed = |workers, later, name| {
        let mut running = Running::start(start(path, workers, later), path, name);
        let seen = newest(path);
        until(LIMIT, || running.has_ended() || seen < newest(path) && has_rows(path));
        // The one after the next began when the rows were there.
        let seen = newest(path).map(|epoch| epoch + 1);
        until(LIMIT, || running.has_ended() || seen < newest(path));
        running.signal("KILL");
        running.end(LIMIT)
    };
    killed(2, false, "first");
    let changed = killed(1, true, "second");
    let ended = Running::start(start(path, 3, true), path, "last").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(resumed(&changed.err).is_some() && resumed(&ended.err).is_some(), "{}", ended.err);
    super::assert_same(path, &expected);
    for note in [
        "the sink of `moments (2)` is gone; what it has written stays",
        "the sink of `chat_summary_minute (2)` is new: it gets the rows from the checkpoint on",
    ] {
        assert!(changed.err.contains(note), "{note}: {}", changed.err);
        assert!(!ended.err.contains(note), "said until a checkpoint has it: {}", ended.err);
    }
    // The new one has a part of the summaries, each once.
    let (all, some) = (sorted(&path.join(FILES[0])), sorted(&path.join("again.csv")));
    assert!(!some.is_empty() && some.len() < all.len(), "{} of {}", some.len(), all.len());
    let once: BTreeSet<&String> = some.iter().collect();
    assert!(once.len() == some.len() && some.iter().all(|row| all.contains(row)));
}

#[derive(Clone, Serialize, Deserialize, Row)]
struct Counted {
    key: Text,
    start: Time,
    count: i64,
}

/// Counts a source by key in windows of so many seconds.
fn count(flow: &Flow, source: &str, length: u64, view: &str) {
    flow.source(source, seconds(5), Example::time)
        .key_by(|event| event.key.clone())
        .window(Tumbling::new(seconds(length)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Counted { key, start: window.start, count: count.get() })
        .sink(view);
}

/// A source, the length of windows in seconds, a view.
type Counts = (&'static str, u64, &'static str);

/// Runs views to the end of their logs, or until the first of them halts.
fn attempt(
    dir: Option<&Path>,
    halts_at: Option<i64>,
    views: &'static [Counts],
    collectors: &mut BTreeMap<&'static str, Collector>,
) -> Result<()> {
    let stop = Stop::new();
    let mut job = Job::new("counts", |flow| {
        views.iter().for_each(|(source, length, view)| count(flow, source, *length, view));
        Ok(())
    });
    job.pace.ticks_per_epoch = 4;
    for (source, _, _) in views {
        let log = Halting { make: event, records: 360, halts_at, stop: stop.clone() };
        job.sources.insert((*source).into(), BoundSource::new(Arc::new(log)));
    }
    for (_, _, name) in views {
        let collector = collectors.entry(name).or_default();
        let schema = job.schemas()?.remove(*name).expect("the schema of a view");
        let view = View { name: (*name).into(), schema, key: vec![], stamp: None };
        job.sinks.insert((*name).into(), vec![BoundSink::new(name, collector.sink(&view))]);
    }
    run_kept(job, dir, 2, &stop)
}

/// The sorted rows of a view.
fn rows(collectors: &BTreeMap<&'static str, Collector>, view: &str) -> Vec<String> {
    let finals = collectors[view].finals();
    let mut rows: Vec<String> = finals.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// How many events the rows of a view count.
fn total(collectors: &BTreeMap<&'static str, Collector>, view: &str) -> i64 {
    let counted = |row: Vec<Cell>| match row[2] {
        Cell::I64(count) => count,
        _ => panic!("{row:?}"),
    };
    collectors[view].finals().into_iter().map(counted).sum()
}

#[test]
fn views_that_stay_keep_their_state_new_ones_begin_and_others_are_gone() {
    let before: &[Counts] = &[("events", 10, "stays"), ("events", 20, "goes")];
    let after: &[Counts] =
        &[("events", 30, "comes"), ("events", 10, "stays"), ("others", 10, "further")];
    let mut calm = BTreeMap::new();
    attempt(None, None, after, &mut calm).expect("an undisturbed run");

    let (dir, mut found) = (Scratch::new("changed"), BTreeMap::new());
    attempt(Some(dir.path()), Some(100), before, &mut found).expect("the first attempt");
    attempt(Some(dir.path()), None, after, &mut found).expect("the second attempt");
    assert_eq!(rows(&found, "stays"), rows(&calm, "stays"));
    assert_eq!(rows(&found, "further"), rows(&calm, "further"), "its source begins at its start");
    let (all, some) = (total(&calm, "comes"), total(&found, "comes"));
    assert!((3 * 260..all).contains(&some), "what was read before is in none of its windows");
}

#[test]
fn a_view_that_keeps_something_else_is_refused_whatever_else_has_changed() {
    let dir = Scratch::new("changed");
    let mut found = BTreeMap::new();
    attempt(Some(dir.path()), Some(100), &[("events", 10, "stays")], &mut found).expect("a start");
    let mut refused = |views| {
        let error = attempt(Some(dir.path()), None, views, &mut found).expect_err("a difference");
        assert_eq!(error.kind(), highwater::error::Kind::Config);
        error.to_string()
    };
    let shape = refused(&[("events", 20, "stays"), ("events", 10, "comes")]);
    assert!(shape.contains("view `stays` kept ["), "{shape}");
    let source = refused(&[("others", 10, "stays")]);
    assert!(source.contains("view `stays` was not fed by source `others`"), "{source}");
}
