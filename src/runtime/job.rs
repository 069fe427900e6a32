//! [`Job`]: a dataflow with everything that it is bound to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::build::LETTERS;
use super::ticks::Pace;
use crate::checkpoint::{Checkpoints, Owner, Shape, memory_name, sink_name};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::observe::JobBoard;
use crate::row::Schema;
use crate::sink::letters::ShownLetters;
use crate::sink::queue::QueueOptions;
use crate::sink::{Accepts, Guarantee, Placement, Sink};
use crate::source::limit::Rates;
use crate::source::{BatchLimits, Connector, Start};
use crate::stream::{Flow, Operator, Plan, Settings};
use crate::text::Text;
use crate::time::seconds;

/// A dataflow, bound; shared by the workers of a process, each of which builds it once.
pub struct Job {
    /// Its name.
    pub name: String,
    /// The system that it belongs to.
    pub system: String,
    /// Runs the dataflow function.
    pub describe: Describe,
    /// What bindings say about the description.
    pub settings: Settings,
    /// Ticks and epochs.
    pub pace: Pace,
    /// What each source is bound to.
    pub sources: BTreeMap<Text, BoundSource>,
    /// What each view is bound to.
    pub sinks: BTreeMap<Text, Vec<BoundSink>>,
    /// Where dead letters go.
    pub letters: BoundSink,
    /// Whether latencies are measured.
    pub latency: bool,
    /// Its checkpoints, if there are any.
    pub checkpoints: Option<Arc<Checkpoints>>,
    /// What others may see of it.
    pub board: Arc<JobBoard>,
}

/// Runs a dataflow function.
pub type Describe = Box<dyn Fn(&Flow) -> Result<()> + Send + Sync>;

/// What a source is bound to.
#[derive(Clone)]
pub struct BoundSource {
    /// The connector, one for all workers of the process.
    pub connector: Arc<dyn Connector>,
    /// Where reading begins.
    pub start: Start,
    /// `idle_timeout`.
    pub idle_timeout: Option<Duration>,
    /// `catch_up_skew`.
    pub catch_up_skew: Duration,
    /// Limits of a batch.
    pub limits: BatchLimits,
    /// `watermark_scope = "global"`: all partitions have the watermark of the greatest event time.
    pub is_global: bool,
    /// `max_rate_per_partition`, `max_offsets_per_trigger`.
    pub rates: Rates,
}

impl BoundSource {
    /// With what holds if a binding says nothing.
    pub fn new(connector: Arc<dyn Connector>) -> BoundSource {
        BoundSource {
            connector,
            start: Start::Earliest,
            idle_timeout: None,
            catch_up_skew: seconds(60),
            limits: BatchLimits::default(),
            is_global: false,
            rates: Rates::default(),
        }
    }
}

/// What a view is bound to.
#[derive(Clone)]
pub struct BoundSink {
    /// The sink, one for all workers of the process.
    pub sink: Arc<Mutex<Box<dyn Sink>>>,
    /// Its kind, as bindings name it.
    pub kind: Text,
    /// Which rows it gets.
    pub rows: Accepts,
    /// Who writes.
    pub placement: Placement,
    /// How its queue behaves.
    pub queue: QueueOptions,
    /// `exactly_once`: nothing less will do.
    pub exactly_once: bool,
}

impl BoundSink {
    /// A sink for a view, with what holds if a binding says nothing.
    pub fn new(view: &str, sink: Box<dyn Sink>) -> BoundSink {
        let queue = QueueOptions {
            host: Host::default(),
            view: view.into(),
            rows_max: 100_000,
            gather: None,
            key: vec![],
            retry_max: Duration::from_secs(600),
            failure: None,
            latency: None,
            health: None,
            stages: false,
        };
        let (rows, placement) = (sink.accepts(), sink.placement());
        let (sink, kind) = (Arc::new(Mutex::new(sink)), Text::default());
        BoundSink { sink, kind, rows, placement, queue, exactly_once: false }
    }

    /// Looks at the sink, and at what it promises: it knows whether its job keeps checkpoints.
    ///
    /// # Errors
    ///
    /// As [`Sink::check`]; it is asked for more than it gives.
    pub fn check(&self) -> Result<()> {
        let mut sink = self.lock();
        sink.check()?;
        let gives = sink.guarantee();
        if self.exactly_once && gives != Guarantee::ExactlyOnce {
            let (view, kind) = (&self.queue.view, &self.kind);
            return Err(Error::config(format!(
                "`exactly_once` is asked of view `{view}`, and {kind} gives it {gives} here"
            ))
            .hint(
                "docs/guarantees.md has what each sink gives; `checkpoint.path` and \
                 `rows = \"final\"` are what they mostly need",
            ));
        }
        Ok(())
    }

    /// The sink, for one worker at a time.
    pub(super) fn lock(&self) -> MutexGuard<'_, Box<dyn Sink>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// A job that is bound to nothing yet: its letters are shown, its latencies not measured.
    pub fn new(name: &str, describe: impl Fn(&Flow) -> Result<()> + Send + Sync + 'static) -> Job {
        Job {
            name: name.into(),
            system: name.into(),
            describe: Box::new(describe),
            settings: Settings::default(),
            pace: Pace::default(),
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            letters: BoundSink::new("dead letters", Box::new(ShownLetters::default())),
            latency: false,
            checkpoints: None,
            board: Arc::default(),
        }
    }

    /// Runs the dataflow function.
    ///
    /// # Errors
    ///
    /// The first of what the description got wrong, and how many more there are.
    pub fn plan(&self) -> Result<Plan> {
        let system = self.system.as_str().into();
        let flow = Flow::new(Settings { system, ..self.settings.clone() });
        (self.describe)(&flow)?;
        let plan = flow.take();
        match plan.errors.first() {
            None => Ok(plan),
            Some(error) => Err(error.clone().within(format!("job `{}`", self.name))),
        }
    }

    /// The schemas of its views.
    ///
    /// # Errors
    ///
    /// As [`Job::plan`].
    pub fn schemas(&self) -> Result<BTreeMap<Text, Arc<Schema>>> {
        let plan = self.plan()?;
        Ok(plan.sunk().map(|port| (port.view.clone(), port.schema.clone())).collect())
    }

    /// What checkpoints have to say of it: what its operators and sources keep, and its sinks.
    ///
    /// # Errors
    ///
    /// As [`Job::plan`].
    pub fn keeps(&self) -> Result<Owner> {
        let mut plan = self.plan()?;
        let operators = Operator::all(&mut plan, &self.settings.differential);
        let mut shapes: Vec<Shape> = operators.iter().map(|kept| kept.shape(&plan)).collect();
        shapes.extend(plan.sources.iter().filter_map(|source| {
            let name = source.name.clone();
            Some(Shape {
                operator: memory_name(&name),
                parts: vec![source.intake.memory()?],
                views: vec![],
                sources: vec![name.clone()],
                source: Some(name),
            })
        }));
        let names = |(view, sinks): (_, &Vec<BoundSink>)| {
            (0..sinks.len()).map(move |index| sink_name(view, index)).collect::<Vec<_>>()
        };
        let sinks = self.sinks.iter().flat_map(|(view, sinks)| names((&**view, sinks)));
        Ok(Owner {
            system: self.system.clone(),
            job: self.name.clone(),
            shapes,
            sources: plan.sources.iter().map(|source| source.name.clone()).collect(),
            sinks: sinks.chain([LETTERS.into()]).collect(),
        })
    }

    /// What a source is bound to.
    ///
    /// # Errors
    ///
    /// Nothing.
    pub(super) fn source(&self, name: &str) -> Result<&BoundSource> {
        let bound = || self.sources.keys().map(Text::as_str).collect::<Vec<_>>().join("`, `");
        self.sources.get(name).ok_or_else(|| {
            Error::config(format!("source `{name}` of job `{}` is bound to nothing", self.name))
                .hint(format!("bound are `{}`", bound()))
        })
    }
}
