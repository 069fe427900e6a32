//! Jobs without a file: a dataflow bound to connectors and to sinks that only count or collect.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::error::{Error, Result};
use highwater::observe::JobBoard;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Pace, Stop, Workers, run};
use highwater::sink::memory::Collector;
use highwater::sink::{Accepts, Common, Sink, View, blackhole};
use highwater::source::Connector;
use highwater::stream::{Flow, Settings};

/// A dataflow function.
pub type Describe = Arc<dyn Fn(&Flow) + Send + Sync>;

/// What is to be run.
pub struct Bench<'a> {
    /// The dataflow.
    pub describe: Describe,
    /// Its sources, made anew for each run.
    pub sources: &'a dyn Fn() -> Vec<(&'static str, Arc<dyn Connector>)>,
    /// Which rows its sinks get.
    pub rows: Accepts,
    /// Whether latency histograms are kept.
    pub latency: bool,
}

/// Rows by view, in the order of their cells.
pub type Rows = BTreeMap<String, Vec<Vec<Cell>>>;

impl<'a> Bench<'a> {
    /// A dataflow without latency histograms.
    pub fn new(
        describe: impl Fn(&Flow) + Send + Sync + 'static,
        sources: &'a dyn Fn() -> Vec<(&'static str, Arc<dyn Connector>)>,
        rows: Accepts,
    ) -> Bench<'a> {
        Bench { describe: Arc::new(describe), sources, rows, latency: false }
    }

    /// The job; rows go to the collectors, or nowhere.
    ///
    /// # Errors
    ///
    /// The description is wrong.
    pub fn job(&self, collectors: Option<&mut BTreeMap<String, Collector>>) -> Result<Arc<Job>> {
        let describe = self.describe.clone();
        let void = |name: &str| {
            let view =
                View { name: name.into(), schema: Default::default(), key: vec![], stamp: None };
            blackhole::open(blackhole::Options::default(), &view, &Common::default())
        };
        let mut job = Job {
            name: "bench".into(),
            system: "bench".into(),
            describe: Box::new(move |flow| {
                describe(flow);
                Ok(())
            }),
            // Views are measured, not what watches them.
            settings: Settings { alerts: false, ..Settings::default() },
            pace: Pace::default(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            letters: BoundSink::new("dead letters", void("dead letters")?),
            latency: self.latency,
            checkpoints: None,
            board: Arc::new(JobBoard::default()),
        };
        for (name, connector) in (self.sources)() {
            job.sources.insert(name.into(), BoundSource::new(connector));
        }
        let mut collectors = collectors;
        for (name, schema) in job.schemas()? {
            let sink: Box<dyn Sink> = match &mut collectors {
                Some(collectors) => {
                    let view = View { name: name.to_string(), schema, key: vec![], stamp: None };
                    collectors.entry(name.to_string()).or_default().sink(&view)
                }
                None => void(&name)?,
            };
            let sink = BoundSink { rows: self.rows, ..BoundSink::new(&name, sink) };
            job.sinks.insert(name, vec![sink]);
        }
        Ok(Arc::new(job))
    }

    /// Runs it to the end of its input; returns how many rows it wrote.
    ///
    /// # Errors
    ///
    /// Those of the run.
    pub fn run(&self, workers: usize) -> Result<u64> {
        let job = self.job(None)?;
        run(vec![job.clone()], &Workers::threads(workers), &Stop::new())?;
        Ok(rows_of_views(&job))
    }

    /// As [`Bench::run`], but ends when so many rows are there.
    ///
    /// # Errors
    ///
    /// Those of the run.
    pub fn run_until(&self, workers: usize, rows: u64) -> Result<u64> {
        let job = self.job(None)?;
        run_until(&job, workers, rows)?;
        Ok(rows_of_views(&job))
    }

    /// Runs it and returns the final rows; ends at the end of input, or when `rows` are there.
    ///
    /// # Errors
    ///
    /// Those of the run.
    pub fn collect(&self, workers: usize, rows: Option<u64>) -> Result<Rows> {
        let mut collectors = BTreeMap::new();
        let job = self.job(Some(&mut collectors))?;
        match rows {
            None => run(vec![job], &Workers::threads(workers), &Stop::new())?,
            Some(rows) => run_until(&job, workers, rows)?,
        }
        let sorted = |collector: &Collector| {
            let mut rows = collector.finals();
            sort(&mut rows);
            rows
        };
        Ok(collectors.iter().map(|(name, collector)| (name.clone(), sorted(collector))).collect())
    }
}

/// Rows written so far, without those that are dead letters.
fn rows_of_views(job: &Job) -> u64 {
    let views = job.board.views().into_iter().filter(|(name, _)| job.sinks.contains_key(name));
    views.map(|(_, rows)| rows).sum()
}

/// How long a job may take until its rows are there.
const ROWS_MAX: std::time::Duration = std::time::Duration::from_secs(120);

fn run_until(job: &Arc<Job>, workers: usize, rows: u64) -> Result<()> {
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(vec![job.clone()], &Workers::threads(workers), &stop));
        let start = std::time::Instant::now();
        while rows_of_views(job) < rows && start.elapsed() < ROWS_MAX && !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        stop.ask();
        running.join().unwrap_or_else(|_| Err(Error::bug("the run panicked")))
    })
}

/// Sorts rows by their cells.
pub fn sort(rows: &mut [Vec<Cell>]) {
    rows.sort_by(|a, b| {
        let cells = a.iter().zip(b).map(|(a, b)| a.order(b));
        cells.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
}

/// Compares what two contenders made of one input.
///
/// # Errors
///
/// The first row that differs: there is nothing to be measured then.
pub fn compare(engine: &Rows, other: &Rows) -> Result<()> {
    for (view, expect) in other {
        let found = engine.get(view).map_or(&[][..], Vec::as_slice);
        if expect.is_empty() && view != "moments" {
            return Err(Error::bug(format!("view `{view}` has no row: nothing is compared")));
        }
        if let Some((a, b)) = found.iter().zip(expect).find(|(a, b)| a != b) {
            return Err(Error::bug(format!("`{view}` differs: {a:?} against {b:?}")));
        }
        if found.len() != expect.len() {
            let (a, b) = (found.len(), expect.len());
            return Err(Error::bug(format!("`{view}` has {a} rows against {b}")));
        }
    }
    Ok(())
}

/// Refuses a timed run whose number of rows is not the verified one.
///
/// # Errors
///
/// The two numbers.
pub fn expect_rows(rows: u64, expect: u64) -> Result<()> {
    if rows == expect {
        return Ok(());
    }
    Err(Error::bug(format!("a timed run made {rows} rows, not {expect}")))
}
