//! The engine's answer to cases: their dataflows, described at run time, and what a run leaves.
//!
//! Starting threads costs more than a case, so one run holds many: each is a job of its own, with
//! ticks and epochs of its own, so short that most cases live through dozens of epochs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use highwater::error::Result;
use highwater::observe::JobBoard;
use highwater::prelude::*;
use highwater::row::{Cell, Mark, Origin, Schema};
use highwater::runtime::{self, BoundSink, BoundSource, Pace, Stop, Workers};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::stream::{Flow, Settings, SourceOptions, Stream, Windowed};
use highwater::window::Windows;

use super::cases::{Case, Random};
use super::delivery::Delivery;
use super::event::{self, Event, Line, Measures};
use super::job::{self, End, Kind, Rule};
use super::outcome::{Ledger, Letter, Outcome, Position, Reason};

/// A case as a job of the engine, with the places where its rows go.
pub(crate) struct Prepared {
    pub(crate) case: Case,
    pub(crate) pace: Pace,
    pub(crate) deliveries: Vec<Delivery>,
    /// Whether every view is shown while it changes, too.
    pub(crate) updates: bool,
    /// Whether differential dataflow keeps the windows.
    pub(crate) differential: bool,
    /// The measures of all windows panic on what this keeps.
    pub(crate) poison: Option<job::Filter>,
    board: Arc<JobBoard>,
    views: Vec<Collector>,
    shown: Vec<Collector>,
    letters: Collector,
}

/// What a run left of a case.
pub(crate) struct Answered {
    pub(crate) outcome: Outcome,
    /// Per view, if it was shown: every change in the order of writing.
    pub(crate) shown: Vec<Vec<(Mark, Vec<Cell>)>>,
}

/// The most that a run may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs cases together; all must have the same end.
pub(crate) fn answers(cases: &[Case], workers: &Workers) -> Vec<Answered> {
    let prepared: Vec<Prepared> = cases.iter().cloned().map(Prepared::new).collect();
    run(&prepared, workers);
    prepared.iter().map(Prepared::answer).collect()
}

/// Runs what is prepared: to its end, or, if that is a stop, until all has been read.
pub(crate) fn run(prepared: &[Prepared], workers: &Workers) {
    let is_stopped = prepared.iter().any(|prepared| prepared.case.end == End::Stopped);
    let is_read = || prepared.iter().all(|prepared| prepared.read() == prepared.records());
    run_until(prepared, workers, is_stopped.then_some(&is_read));
}

/// Runs what is prepared, and asks for a stop once there has been enough.
pub(crate) fn run_until(
    prepared: &[Prepared],
    workers: &Workers,
    is_enough: Option<&dyn Fn() -> bool>,
) {
    let seeds = || prepared.iter().map(|prepared| prepared.case.seed).collect::<Vec<_>>();
    let outcome = try_run_until(prepared, workers, is_enough);
    outcome.unwrap_or_else(|error| panic!("{error} in seeds {:?}", seeds()));
}

/// As [`run_until`], of a run that may fail.
pub(crate) fn try_run_until(
    prepared: &[Prepared],
    workers: &Workers,
    is_enough: Option<&dyn Fn() -> bool>,
) -> Result<()> {
    let jobs: Vec<_> = prepared.iter().map(|prepared| Arc::new(prepared.job())).collect();
    let (stop, workers) = (Stop::new(), workers.clone());
    let (done, ended) = mpsc::channel();
    let asked = stop.clone();
    // On a thread of its own, so that a run that hangs fails by name.
    let thread = std::thread::spawn(move || done.send(runtime::run(jobs, &workers, &asked)));
    if let Some(is_enough) = is_enough {
        let deadline = Instant::now() + PATIENCE;
        while !is_enough() && !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(500));
        }
        stop.ask();
    }
    ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let seeds: Vec<u64> = prepared.iter().map(|prepared| prepared.case.seed).collect();
        panic!("a run did not end, with seeds {seeds:?}")
    })
}

impl Prepared {
    /// With a pace and pauses that its seed decides.
    pub(crate) fn new(case: Case) -> Prepared {
        let mut random = Random(case.seed ^ case.interleaving);
        let tick_ms = random.pick(&[1, 2, 5, 10]);
        let pace = Pace {
            tick: Duration::from_millis(tick_ms),
            tick_max: Duration::from_millis(random.pick(&[1, 4, 10])),
            ticks_per_epoch: random.pick(&[1, 2, 4, 8, 8]),
            in_flight_max: random.pick(&[1, 4, 32]),
        };
        let pauses = random.pick(&[0, 1, 4, 8]);
        let delivery = |source| Delivery {
            seed: case.interleaving,
            pauses,
            is_bounded: case.end == End::Finished,
            ..Delivery::of(source)
        };
        let deliveries = case.job.sources.iter().map(delivery).collect();
        let collectors = || case.job.views.iter().map(|_| Collector::default()).collect();
        Prepared {
            pace,
            deliveries,
            updates: random.chance(40),
            differential: random.chance(30),
            poison: None,
            board: Arc::default(),
            views: collectors(),
            shown: collectors(),
            letters: Collector::default(),
            case,
        }
    }

    fn job(&self) -> runtime::Job {
        let (job, updates, poison) = (self.case.job.clone(), self.updates, self.poison);
        let mut settings = Settings {
            forget_after: Duration::from_micros(job.forget_after_us as u64),
            ..Settings::default()
        };
        let mut sources = BTreeMap::new();
        for (number, source) in job.sources.iter().enumerate() {
            let options = SourceOptions {
                future_skew: source.future_skew_us.map(micros),
                ..SourceOptions::default()
            };
            settings.sources.insert(source_name(number), options);
            let connector = Arc::new(self.deliveries[number].clone());
            sources.insert(source_name(number), BoundSource::new(connector));
        }
        if self.differential {
            let views = (0..job.views.len()).flat_map(|n| [view_name(n), shown_name(n)]);
            settings.differential.extend(views);
        }
        let mut sinks: BTreeMap<Text, Vec<BoundSink>> = BTreeMap::new();
        for (number, collector) in self.views.iter().enumerate() {
            let name = view_name(number);
            sinks.insert(name.clone(), vec![bound(&name, collector)]);
        }
        for (number, collector) in self.shown.iter().enumerate().filter(|_| updates) {
            let name = shown_name(number);
            sinks.insert(name.clone(), vec![bound(&name, collector)]);
        }
        runtime::Job {
            name: format!("case {}", self.case.seed),
            system: "oracle".into(),
            describe: Box::new(move |flow| {
                describe(&job, updates, poison, flow);
                Ok(())
            }),
            settings,
            pace: self.pace,
            sources,
            sinks,
            letters: bound("letters", &self.letters),
            latency: self.differential,
            checkpoints: None,
            board: self.board.clone(),
        }
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> u64 {
        let logs = self.case.job.sources.iter().flat_map(|source| &source.partitions);
        logs.map(|log| log.records.len() as u64).sum()
    }

    /// How many of its writers were told that nothing more will come.
    pub(crate) fn finished(&self) -> usize {
        self.views.iter().chain([&self.letters]).map(Collector::finished).sum()
    }

    /// How many of them have been read.
    pub(crate) fn read(&self) -> u64 {
        self.board.read()
    }

    /// What the run left.
    pub(crate) fn answer(&self) -> Answered {
        let groups = self.case.job.groups();
        let outcome = Outcome {
            ledgers: self.ledgers(),
            letters: self.letters(&groups),
            refused: self.refused(&groups),
            rows: self.case.job.views.iter().zip(&self.views).map(rows).collect(),
        };
        Answered { outcome, shown: self.shown.iter().map(Collector::log).collect() }
    }

    fn ledgers(&self) -> Vec<Vec<Ledger>> {
        let mut ledgers: Vec<Vec<Ledger>> = vec![];
        for source in &self.case.job.sources {
            ledgers.push(vec![Ledger::default(); source.partitions.len()]);
        }
        for ((name, partition), board) in self.board.partitions() {
            let found = board.ledger;
            assert!(found.adds_up(), "{name} {partition}: {found:?}");
            assert_eq!(found.gaps, 0, "{name} {partition}: no offset is missing");
            ledgers[number(&name)][partition as usize] = Ledger {
                read: found.read,
                used: found.used,
                late: found.late,
                dead: found.dead,
                duplicates: found.duplicates,
            };
        }
        ledgers
    }

    /// The group of windows that an operator or a letter names by the first of its views.
    fn group(&self, place: &str, groups: &[usize]) -> usize {
        match self.case.job.views[number(place)] {
            job::View::Rows { of: left }
            | job::View::Trailing { of: left, .. }
            | job::View::Join { left, .. }
            | job::View::LeftJoin { left, .. } => groups[left],
            job::View::Raw { .. } => panic!("`{place}` has no windows"),
        }
    }

    fn refused(&self, groups: &[usize]) -> Vec<u64> {
        let mut refused = vec![0; groups.len()];
        for ((place, _worker), board) in self.board.operators() {
            refused[self.group(&place, groups)] += board.late_windows;
        }
        refused
    }

    fn letters(&self, groups: &[usize]) -> Vec<Letter> {
        let letter = |cells: Vec<Cell>| {
            let text = |name: &str| match &cells[column(name)] {
                Cell::Text(text) => Some(text.to_string()),
                Cell::Null => None,
                other => panic!("no text: {other:?}"),
            };
            let (Cell::I32(partition), Cell::I64(offset)) =
                (&cells[column("partition")], &cells[column("offset")])
            else {
                panic!("no position: {cells:?}");
            };
            let position = Position {
                source: number(&text("source").expect("a source")),
                partition: *partition as usize,
                offset: *offset as usize,
            };
            let reason = match &*text("reason").expect("a reason") {
                "no_event_time" => Reason::NoEventTime,
                "future" => Reason::Future,
                "late" => Reason::Late,
                "user_panic" => Reason::UserPanic,
                other => panic!("{other}: {cells:?}"),
            };
            Letter { position, reason, place: text("place").map(|at| self.group(&at, groups)) }
        };
        let mut letters: Vec<Letter> = self.letters.finals().into_iter().map(letter).collect();
        letters.sort_unstable();
        letters
    }
}

/// Describes the dataflow of a job.
fn describe(job: &job::Job, updates: bool, poison: Option<job::Filter>, flow: &Flow) {
    let streams: Vec<_> = (0..job.sources.len()).map(|number| source(job, number, flow)).collect();
    let windows: Vec<_> =
        job.windows.iter().map(|windowed| window(windowed, poison, &streams)).collect();
    for (number, view) in job.views.iter().enumerate() {
        let name = view_name(number);
        let lines: Windowed<Option<u32>, Line> = match *view {
            job::View::Rows { of } => windows[of].rows(Line::alone),
            job::View::Join { left, right } => {
                let pair = |key, window, left, right| Line::joined(key, window, left, Some(right));
                windows[left].join(windows[right].clone(), pair)
            }
            job::View::LeftJoin { left, right } => {
                windows[left].left_join(windows[right].clone(), Line::joined)
            }
            job::View::Trailing { of, rows } => {
                windows[of].rows(Line::alone).trailing(rows, Line::behind)
            }
            job::View::Raw { source, filter } => {
                filtered(&streams[source], filter).sink(&name);
                continue;
            }
        };
        lines.sink(&name);
        if updates {
            lines.updates().sink(&shown_name(number));
        }
    }
}

fn source(job: &job::Job, number: usize, flow: &Flow) -> Stream<Event> {
    let of = &job.sources[number];
    let lateness = match of.rule {
        Rule::Window => Lateness::Window(micros(of.delay_us)),
        Rule::Strict => Lateness::Strict(micros(of.delay_us)),
    };
    let stream = flow.source(&source_name(number), lateness, |event: &Event| event.time);
    match of.dedup_us {
        Some(memory_us) => stream.dedup(|event| event.id, micros(memory_us)),
        None => stream,
    }
}

fn filtered(stream: &Stream<Event>, filter: Option<job::Filter>) -> Stream<Event> {
    match filter {
        Some(filter) => stream.filter(move |event| filter.keeps(event.value)),
        None => stream.clone(),
    }
}

fn window(
    windowed: &job::Windowed,
    poison: Option<job::Filter>,
    streams: &[Stream<Event>],
) -> Windowed<Option<u32>, Measures> {
    let parts = windowed.sources.iter().map(|source| streams[*source].clone());
    let stream = parts.reduce(|all, next| all.concat(&next)).expect("windows have a source");
    let windows: Windows = match windowed.kind {
        Kind::Tumbling { size_us, offset_us } => {
            Tumbling::new(micros(size_us)).offset(micros(offset_us)).into()
        }
        Kind::Sliding { size_us, slide_us, offset_us } => {
            Sliding::new(micros(size_us), micros(slide_us)).offset(micros(offset_us)).into()
        }
        Kind::Session { gap_us } => Session::new(micros(gap_us)).into(),
    };
    filtered(&stream, windowed.filter).key_by(|event| event.key).window(windows).accumulate_with(
        move |event, stamp| {
            let is_poison = poison.is_some_and(|poison| poison.keeps(event.value));
            assert!(!is_poison, "the value {} is poison", event.value);
            Measures::of(event, stamp)
        },
    )
}

/// The rows of a view, sorted.
fn rows((view, collector): (&job::View, &Collector)) -> Vec<super::outcome::Row> {
    let answer = |(mark, cells): (Mark, Vec<Cell>)| {
        let position = match mark.origin {
            Origin::Record(at) => Some(Position {
                source: at.source as usize,
                partition: at.partition as usize,
                offset: at.offset as usize,
            }),
            Origin::Window(_) => None,
        };
        event::answer(view, &cells, position)
    };
    let mut rows: Vec<_> = collector.log().into_iter().map(answer).collect();
    rows.sort();
    rows
}

/// A sink that keeps the rows of a view of [`Line`]s or [`Event`]s.
fn bound(view: &str, collector: &Collector) -> BoundSink {
    let schema = Schema::of::<Line>();
    let view = View { name: view.into(), schema, key: vec![], stamp: None };
    BoundSink::new(&view.name, collector.sink(&view))
}

fn column(name: &str) -> usize {
    highwater::letter::Letter::schema().index(name).expect("a column of letters")
}

fn source_name(number: usize) -> Text {
    format!("s{number}").into()
}

fn view_name(number: usize) -> Text {
    format!("v{number}").into()
}

fn shown_name(number: usize) -> Text {
    format!("u{number}").into()
}

/// The number in a name.
fn number(name: &str) -> usize {
    name[1..].parse().expect("a letter and a number")
}

fn micros(us: i64) -> Duration {
    Duration::from_micros(us.try_into().expect("a length"))
}
