//! Plays many scripts at once, each as a job of its own, step by step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use highwater::config::Parameters;
use highwater::error::Result;
use highwater::letter::Letter;
use highwater::row::{Cell, Schema};
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::memory::Collector;
use highwater::sink::{Accepts, View as SinkView};
use highwater::source::BatchLimits;
use highwater::stream::Flow;
use highwater::time::millis;

use super::log::{Item, Log, Scripted};
use super::script::{Input, Script};
use super::shown::{LETTERS, View};

/// Turns a line under a port into the key and the document of a record.
type MakeRecord = fn(&str, &str) -> Result<(String, String), String>;

/// A system in scripts.
pub(super) struct System {
    /// Its folder below `tests/golden`.
    pub(super) folder: &'static str,
    pub(super) ports: &'static [&'static str],
    /// Key and value of the record that a line of a port stands for.
    pub(super) record: MakeRecord,
    pub(super) entry: fn(&Flow, &mut Parameters) -> Result<()>,
    pub(super) views: &'static [View],
}

/// How the events of a script come to partitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deal {
    pub(super) partitions: usize,
    /// By chance, from this seed; else by the hash of the key.
    pub(super) seed: Option<u64>,
    /// Records of a batch.
    pub(super) batch: usize,
}

/// A row of one of the views.
pub(super) struct Row {
    pub(super) view: &'static View,
    pub(super) schema: Arc<Schema>,
    pub(super) cells: Vec<Cell>,
}

/// A script that is being played.
struct Playing {
    job: Arc<Job>,
    logs: Vec<Arc<Log>>,
    released: Arc<AtomicUsize>,
    steps: usize,
    /// Whether the last step is the end of all input, or the stop of the job.
    last: Last,
    views: Vec<(&'static View, Arc<Schema>, Collector)>,
    found: Vec<Vec<Row>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Step,
    End,
    Stop,
}

/// Longest time that a run of scripts may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Plays scripts on so many workers; the rows of each step, and those that came when all were over.
pub(super) fn play(
    system: &System,
    plays: &[(&Script, Deal)],
    workers: &Workers,
) -> Vec<Vec<Vec<Row>>> {
    let mut playing: Vec<Playing> =
        plays.iter().map(|(script, deal)| Playing::new(system, script, *deal)).collect();
    let (jobs, stop) = (playing.iter().map(|play| play.job.clone()).collect(), Stop::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(jobs, workers, &stop));
        while !running.is_finished() && begun.elapsed() < PATIENCE {
            let moved = playing.iter_mut().filter(|play| !play.is_over());
            let open = moved.map(|play| play.step(workers.threads)).count();
            if open == 0 {
                break;
            }
            std::thread::sleep(millis(1));
        }
        stop.ask();
        running.join().unwrap().unwrap();
    });
    for (play, (script, deal)) in playing.iter_mut().zip(plays) {
        // Where all scripts end by themselves, the run may end before their last rows are taken.
        if !play.is_over() {
            play.step(workers.threads);
        }
        let (name, step) = (script.name(), play.found.len());
        assert!(play.is_over(), "`{name}` with {deal:?} hangs in step {step}");
        play.take();
    }
    playing.into_iter().map(|play| play.found).collect()
}

impl Playing {
    fn new(system: &System, script: &Script, deal: Deal) -> Playing {
        let released = Arc::new(AtomicUsize::new(0));
        let (entry, mut parameters) = (system.entry, script.parameters.clone());
        // The one key of a binding that a script can set.
        let fill_gaps = parameters.bool("view.fill_gaps", false).unwrap();
        let mut job = Job::new(system.folder, move |flow| {
            let mut parameters = parameters.clone();
            entry(flow, &mut parameters)?;
            parameters.finish()
        });
        // Scripts show the views; alerts have tests of their own.
        job.settings.alerts = false;
        if fill_gaps {
            job.settings.filled = system.views.iter().map(|view| view.name.into()).collect();
        }
        job.pace.tick = millis(5);
        job.pace.ticks_per_epoch = 4;
        let mut logs = Vec::new();
        for port in system.ports {
            let dealt = deal_out(system, script, port, deal);
            logs.extend(dealt.iter().cloned());
            let (released, has_end) = (released.clone(), script.has_end());
            let scripted = Scripted { logs: dealt, released, has_end };
            let mut bound = BoundSource::new(Arc::new(scripted));
            bound.limits = BatchLimits { records: deal.batch, ..BatchLimits::default() };
            job.sources.insert((*port).into(), bound);
        }
        let mut schemas = job.schemas().unwrap();
        let mut views = Vec::new();
        for view in system.views {
            let collector = Collector::default();
            let mut sink = BoundSink::new(view.name, collector.sink(&sink_view(view.name)));
            sink.rows = Accepts::Final;
            job.sinks.insert(view.name.into(), vec![sink]);
            views.push((view, schemas.remove(view.name).unwrap(), collector));
        }
        assert!(schemas.is_empty(), "views that no script can show: {:?}", schemas.keys());
        let letters = Collector::default();
        job.letters = BoundSink::new("letters", letters.sink(&sink_view("letters")));
        views.push((&LETTERS, Letter::schema(), letters));
        let last = match script.steps.last().and_then(|step| step.inputs.last()) {
            Some(Input::End) => Last::End,
            Some(Input::Stop) => Last::Stop,
            _ => Last::Step,
        };
        let (steps, found) = (script.steps.len(), Vec::new());
        Playing { job: Arc::new(job), logs, released, steps, last, views, found }
    }

    /// Whether nothing is left but the stop of the run.
    fn is_over(&self) -> bool {
        self.found.len() + usize::from(self.last == Last::Stop) == self.steps
    }

    /// Releases a step, or takes its rows when it is through.
    fn step(&mut self, threads: usize) {
        let step = self.found.len();
        self.released.store(step + 1, SeqCst);
        let is_through = if self.last == Last::End && step + 1 == self.steps {
            self.views.iter().all(|(.., collector)| collector.finished() == threads)
        } else {
            self.logs.iter().all(|log| step < log.through())
        };
        if is_through {
            self.take();
        }
    }

    /// Takes the rows that are new.
    fn take(&mut self) {
        let mut rows = Vec::new();
        for (view, schema, collector) in &self.views {
            let before = self.found.iter().flatten().filter(|row| row.view.name == view.name);
            let new = collector.finals().into_iter().skip(before.count());
            rows.extend(new.map(|cells| Row { view, schema: schema.clone(), cells }));
        }
        self.found.push(rows);
    }
}

fn sink_view(name: &str) -> SinkView {
    SinkView { name: name.into(), schema: Default::default(), key: vec![], stamp: None }
}

/// The partitions of a port.
fn deal_out(system: &System, script: &Script, port: &str, deal: Deal) -> Vec<Arc<Log>> {
    let mut logs: Vec<Log> = (0..deal.partitions).map(|_| Log::default()).collect();
    let mut chance = deal.seed.unwrap_or_default();
    for step in &script.steps {
        for input in &step.inputs {
            match input {
                Input::Event { port: line, event } if line.split(' ').next() == Some(port) => {
                    let (key, value) = (system.record)(line, event)
                        .unwrap_or_else(|why| panic!("{}: {why}: {event}", script.name()));
                    let partition = match deal.seed {
                        Some(_) => super::next(&mut chance),
                        None => highwater::hash::of(&key),
                    } % deal.partitions as u64;
                    logs[partition as usize].items.push(Item::Record(key, value));
                }
                Input::Frontier(time) => {
                    logs.iter_mut().for_each(|log| log.items.push(Item::Promise(*time)));
                }
                Input::Event { .. } | Input::End | Input::Stop => {}
            }
        }
        logs.iter_mut().for_each(|log| log.ends.push(log.items.len()));
    }
    logs.into_iter().map(Arc::new).collect()
}
