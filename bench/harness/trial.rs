//! One trial: an engine over one input, watched from outside. This file has what all trials share,
//! and those over a backlog.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use highwater::error::{Error, Result};

use super::experiment::Trial;
use super::folder::{RunRow, ThroughputRow};
use super::hiccup::Hiccups;
use super::host::load;
use super::latency::{LatencyRow, Series};
use super::process::{Ended, Tree, usage};
use super::rows::{Reader, Record};
use super::verify::{Answer, Verdict};
use crate::engines::{Engine, Job};
use crate::load::{Target, now_us};
use crate::workloads::Workload;

/// How long producers of rows wait for more, in milliseconds, the same for all engines.
const LINGER_MS: u64 = 5;

/// How long an engine may take for a backlog: this much, and a second for so many events.
const BACKLOG_MAX: Duration = Duration::from_secs(400);
const EVENTS_PER_SECOND_MIN: u64 = 20_000;

/// How long rows of an engine that has ended are waited for: the last may still be on their way
/// through the broker.
const ROWS_AFTER_END: Duration = Duration::from_secs(2);

/// How long an engine may take to end once it was asked.
const END_MAX: Duration = Duration::from_secs(30);

/// Where trials are run: a broker, and folders.
pub struct Bed {
    /// Where to ask for the broker.
    pub brokers: String,
    /// Its process.
    pub broker: u32,
    /// Folders of jobs.
    pub work: PathBuf,
    /// Where logs of engines are kept.
    pub logs: PathBuf,
}

/// What came of a trial.
#[derive(Default)]
pub struct Outcome {
    /// The line of `runs.csv`; names and the machine are filled in by who runs all trials.
    pub row: RunRow,
    /// How the rows compare.
    pub verdict: Verdict,
    /// Histograms.
    pub series: Vec<Series>,
    /// Percentiles of these, and of those that another process has written.
    pub latencies: Vec<LatencyRow>,
    /// The engine over time.
    pub throughput: Vec<ThroughputRow>,
}

/// A started engine and a reader of its rows.
pub(super) struct Running {
    pub tree: Tree,
    pub started_us: i64,
    broker_before: f64,
    broker: u32,
    load_before: f64,
    hiccups: Hiccups,
    reader: Option<Reader>,
    /// Why the first record that is no row is none.
    wrong: Option<Error>,
    log: PathBuf,
}

impl Bed {
    /// A topic of this broker.
    pub fn target(&self, topic: &str) -> Target {
        Target { brokers: self.brokers.clone(), topic: topic.into() }
    }

    /// The topic, or what the names of several begin with, that holds a backlog of so many events.
    pub fn backlog(&self, query: Workload, events: u64) -> Target {
        self.target(&query.input(events))
    }

    /// The job of a trial, whose output is a new topic and whose folder is empty.
    pub(super) fn job(&self, trial: &Trial, input: Target, records: u64) -> Result<Job> {
        let output = self.target(&format!("rows-{}-{}", trial.number, trial.engine));
        output.create(1)?;
        let work = self.work.join(&output.topic);
        fs::create_dir_all(&work).map_err(Error::storage)?;
        Ok(Job {
            query: trial.query,
            rows: trial.rows,
            input_is: trial.input(),
            input,
            output,
            events: records,
            workers: trial.workers,
            delay_ms: trial.query.delay_ms(),
            linger_ms: LINGER_MS,
            work,
        })
    }

    /// Starts the engine.
    pub(super) fn start(&self, engine: &dyn Engine, trial: &Trial, job: &Job) -> Result<Running> {
        let log = self.logs.join(format!("{:03}-{}.log", trial.number, trial.engine));
        let command = engine.command(job)?;
        let load_before = load();
        let broker_before = usage(self.broker).cpu_s;
        let hiccups = Hiccups::begin(Instant::now());
        let reader = match engine.writes_rows() {
            true => Some(Reader::open(&job.output)?),
            false => None,
        };
        let started_us = now_us();
        let tree = Tree::spawn(command, &log)?;
        Ok(Running {
            tree,
            started_us,
            broker_before,
            broker: self.broker,
            load_before,
            hiccups,
            reader,
            wrong: None,
            log,
        })
    }
}

impl Running {
    /// Waits a moment for rows, and hands them over.
    pub fn take(
        &mut self,
        wait: Duration,
        mut take: impl FnMut(&Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let wrong = &mut self.wrong;
        match &mut self.reader {
            Some(reader) => reader.take(wait, |record| {
                if let Err(error) = take(record) {
                    wrong.get_or_insert(error);
                }
            }),
            None => {
                std::thread::sleep(wait);
                Ok(())
            }
        }
    }

    /// Ends the engine, and notes what it has used.
    pub fn end(self, ask: bool, outcome: &mut Outcome) -> Result<Ended> {
        let words = self.tree.last_words();
        let ended = self.tree.end(ask, END_MAX)?;
        let row = &mut outcome.row;
        row.cpu_s = Some(ended.cpu_s);
        row.peak_rss_kb = Some(ended.peak_bytes / 1_024);
        row.broker_cpu_s = Some(usage(self.broker).cpu_s - self.broker_before);
        (row.load1_before, row.load1_after) = (self.load_before, load());
        let hiccups = self.hiccups.end();
        row.hiccup_p99_us = Some(hiccups.total().value_at_quantile(0.99));
        outcome.series.push(hiccups);
        if let Some(wrong) = self.wrong {
            row.status = format!("failed:{wrong}");
        }
        if !ask && !ended.status.success() {
            let line = words.lines().last().unwrap_or_default();
            row.status = format!("failed:{} {line} ({})", ended.status, self.log.display());
        }
        Ok(ended)
    }
}

/// Runs an engine over a backlog: from its start until the last row that was missing has come.
///
/// # Errors
///
/// The broker is away. What the engine does wrong is in the outcome.
pub fn backlog(bed: &Bed, engine: &dyn Engine, trial: &Trial, answer: &Answer) -> Result<Outcome> {
    let records = trial.query.backlog(trial.events)?.records();
    let job = bed.job(trial, bed.backlog(trial.query, trial.events), records)?;
    let mut outcome = Outcome::default();
    if let Some(why) = engine.refuses(&job) {
        outcome.row.status = format!("skipped:{why}");
        return Ok(outcome);
    }
    let limit = BACKLOG_MAX + Duration::from_secs(trial.events / EVENTS_PER_SECOND_MIN);
    let mut running = bed.start(engine, trial, &job)?;
    let mut check = answer.check();
    let (mut first_us, mut last_us) = (None, running.started_us);
    let (mut late, mut quiet) = (false, Instant::now());
    while !check.is_complete() {
        let ended = running.tree.has_ended();
        let mut any = false;
        running.take(Duration::from_millis(5), |record| {
            any = true;
            first_us.get_or_insert(record.at_us);
            last_us = record.at_us;
            check.take(record)
        })?;
        if any || !ended {
            quiet = Instant::now();
        }
        if ended && (!engine.writes_rows() || ROWS_AFTER_END < quiet.elapsed()) {
            break;
        }
        if limit < running.tree.started().elapsed() {
            late = true;
            break;
        }
    }
    if engine.writes_rows() {
        outcome.verdict = check.compare(engine.is_approximate());
    }
    let started_us = running.started_us;
    let since = |at_us: i64| Some((at_us - started_us) as f64 / 1e6);
    outcome.row.first_row_s = first_us.and_then(since);
    outcome.row.wall_s = since(last_us);
    let ask = engine.writes_rows() || late;
    let failed_early = running.tree.has_ended() && !check.is_complete();
    let ended = running.end(ask && !failed_early, &mut outcome)?;
    if !engine.writes_rows() {
        outcome.row.wall_s = Some(ended.wall_s);
    }
    judge(engine, late, answer.rows(), &mut outcome);
    Ok(outcome)
}

/// Says what came of it: rows decide before any time does.
pub(super) fn judge(engine: &dyn Engine, late: bool, rows: usize, outcome: &mut Outcome) {
    let Outcome { row, verdict, .. } = outcome;
    if engine.writes_rows() {
        row.rows_expected = rows;
        row.rows_equal = verdict.equal;
        row.rows_wrong = verdict.wrong;
        row.rows_missing = verdict.missing;
        row.rows_extra = verdict.extra;
        row.approximate_error = engine.is_approximate().then_some(verdict.approximate);
    }
    if !row.status.is_empty() {
        return;
    }
    row.status = match (late, !engine.writes_rows() || verdict.is_equal()) {
        (true, false) => "timeout".into(),
        (_, false) => "mismatch".into(),
        (_, true) => "ok".into(),
    };
}
