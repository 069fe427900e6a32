//! From a dataflow and a configuration to a [`Job`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::dataflow::Dataflow;
use super::job::{BoundSink, BoundSource, Describe, Job};
use super::ticks::Pace;
use crate::alert;
use crate::config::{
    Config, Engine, EventTimeFallback, FutureSkew, Parameters, Rule, SinkBinding, SourceBinding,
    WatermarkScope,
};
use crate::dataset::GeneratorKind;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::letter::Letter;
use crate::observe::JobBoard;
use crate::sink::alerts::LoggedAlerts;
use crate::sink::kinds::SINKS;
use crate::sink::letters::ShownLetters;
use crate::sink::queue::QueueOptions;
use crate::sink::{Accepts, Common, View};
use crate::source::Start;
use crate::source::generator::Now;
use crate::source::kinds::{Binding, SOURCES};
use crate::source::limit::{Rates, TriggerMax};
use crate::stream::{Flow, From, Plan, Port, Settings, SourceOptions};
use crate::text::Text;
use crate::time::minutes;
use crate::window::Windows;

/// What a binding needs beside the configuration.
pub struct Surroundings {
    /// Data sets that can be generated.
    pub generators: &'static [GeneratorKind],
    /// The time of day.
    pub now: Now,
    /// All dataflows: those of one system share its files, so names of the others are no mistakes.
    pub dataflows: &'static [Dataflow],
    /// Worker threads of this process.
    pub threads: usize,
    /// Whether latencies are measured.
    pub latency: bool,
    /// `--from`: where reading begins, whatever the bindings say.
    pub from: Option<Start>,
}

/// Binds a dataflow.
///
/// # Errors
///
/// A name that is bound to nothing or that the dataflow does not have, an unknown connector or
/// option, a combination that cannot work.
pub fn bind(dataflow: &'static Dataflow, config: &Config, around: &Surroundings) -> Result<Job> {
    let (job, mistakes) = bind_all(dataflow, config, around);
    match (job, mistakes.into_iter().next()) {
        (Some(job), None) => Ok(job),
        (_, Some(mistake)) => Err(mistake),
        (None, None) => Err(Error::bug("a job that is neither bound nor refused")),
    }
}

/// As [`bind`], but goes on after a mistake: what could be bound, and every mistake. There is no
/// job if the dataflow cannot be described at all.
pub fn bind_all(
    dataflow: &'static Dataflow,
    config: &Config,
    around: &Surroundings,
) -> (Option<Job>, Vec<Error>) {
    let mut family = Family::of(dataflow, config, around.dataflows);
    let describe = describe(dataflow, config, family.parameters.clone());
    let sketch = match sketch(&describe) {
        Ok(sketch) => sketch,
        Err(mistakes) => return (None, mistakes),
    };
    family.add(&sketch);
    let mut mistakes = Vec::new();
    mistakes.extend(config.check_names(&family.sources, &family.views).err());
    let letters = letters(config, dataflow.name).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        shown_letters()
    });
    let mut job = Job {
        name: dataflow.name.into(),
        system: dataflow.system.into(),
        describe,
        settings: Settings::default(),
        pace: pace(config),
        sources: BTreeMap::new(),
        sinks: BTreeMap::new(),
        letters,
        latency: around.latency,
        checkpoints: None,
        board: Arc::new(JobBoard::default()),
    };
    for name in sketch.source_names() {
        mistakes.extend(add_source(&mut job, name, &sketch, config, around).err());
    }
    for port in sketch.sunk() {
        // A mistake in the binding of alerts is found below; without one, they are not computed.
        if port.view == alert::VIEW && config.is_bound(alert::VIEW) == Ok(false) {
            job.settings.alerts = false;
            continue;
        }
        add_view(&mut job, port, config, &mut mistakes);
        let fills = job.settings.filled.contains(&port.view);
        mistakes.extend(check_filled(&sketch, port).err().filter(|_| fills));
        let keeps = job.settings.keep.contains_key(&port.view);
        mistakes.extend(check_kept(&sketch, port).err().filter(|_| keeps));
    }
    set_intervals(&mut job, &sketch);
    (Some(job), mistakes)
}

fn add_source(
    job: &mut Job,
    name: &str,
    sketch: &Plan,
    config: &Config,
    around: &Surroundings,
) -> Result<()> {
    let binding = config.source(name)?;
    job.settings.sources.insert(name.into(), source_options(&binding)?);
    let delay = sketch.sources.iter().map(|source| source.lateness.delay()).max();
    let back = back(sketch, binding.lateness.or(delay).unwrap_or_default());
    let epoch = config.checkpoint.every;
    job.sources.insert(name.into(), bind_source(&binding, around, back, epoch)?);
    Ok(())
}

fn add_view(job: &mut Job, port: &Port, config: &Config, mistakes: &mut Vec<Error>) {
    let (view, sinks) = match (config.view(&port.view), config.sinks_of(&job.name, &port.view)) {
        (Ok(view), Ok(sinks)) => (view, sinks),
        (view, sinks) => return mistakes.extend(view.err().into_iter().chain(sinks.err())),
    };
    if view.engine == Engine::Differential {
        job.settings.differential.insert(port.view.clone());
    }
    if let Some(keep) = view.keep {
        job.settings.keep.insert(port.view.clone(), keep);
    }
    if let Some(most) = view.keys_max {
        job.settings.keys_max.insert(port.view.clone(), most as u64);
    }
    if view.fill_gaps {
        job.settings.filled.insert(port.view.clone());
    }
    job.settings.keys.insert(port.view.clone(), view.key.clone());
    job.settings.key_bytes_max = view.key_bytes_max;
    if let Some(forget_after) = view.forget_after {
        job.settings.forget.insert(port.view.clone(), forget_after);
    }
    let mut bound = Vec::with_capacity(sinks.len());
    for sink in &sinks {
        match bind_sink(sink, port, &view.key) {
            // Each alert is logged once, however many sinks there are.
            Ok(sink) if port.view == alert::VIEW && bound.is_empty() => bound.push(logged(sink)),
            Ok(sink) => bound.push(sink),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    job.sinks.insert(port.view.clone(), bound);
}

/// `fill_gaps` is about windows that follow each other.
fn check_filled(sketch: &Plan, port: &Port) -> Result<()> {
    let refuse = |why: &str, hint: &str| {
        let message = format!("`fill_gaps` of view `{}` cannot be had: {why}", port.view);
        Err(Error::config(message).hint(hint))
    };
    let leave_out = "leave it out; it is for rows of tumbling and sliding windows";
    match &port.from {
        From::Operator(operator) => match sketch.windows(sketch.operator(*operator)).next() {
            Some(Windows::Fixed(_)) => Ok(()),
            Some(Windows::Session(_)) => refuse("sessions have no gaps between them", leave_out),
            None => refuse("its rows are not those of windows", leave_out),
        },
        From::Sources(_) => refuse("its rows are events", leave_out),
        From::Job => refuse("its rows are about the running job", leave_out),
        From::View(_) => refuse(
            "its rows are made of those of other views",
            "set it for a view with a sink on the windows themselves, if there is one",
        ),
    }
}

/// `keep` is about closed rows that stay in a view of views.
fn check_kept(sketch: &Plan, port: &Port) -> Result<()> {
    if sketch.is_retained(port) {
        return Ok(());
    }
    let message = format!("`keep` of view `{}` has no effect: nothing keeps its rows", port.view);
    Err(Error::config(message).hint(
        "leave it out; it is for views that are made by updates().view() or \
         updates().arrange_by(…) in the dataflow",
    ))
}

/// One sentence for each parameter that is set and has no effect on a dataflow.
pub fn notices(dataflow: &Dataflow, config: &Config) -> Vec<String> {
    let mut parameters = config.parameters();
    // What is wrong with a description is said when it is bound.
    let _ = (dataflow.entry)(&Flow::new(Settings::default()), &mut parameters);
    parameters.notices()
}

/// What the files of a system may name: of all of its jobs, also what parameters turn off.
#[derive(Default)]
struct Family {
    sources: Vec<String>,
    views: Vec<String>,
    parameters: BTreeSet<String>,
}

impl Family {
    /// Of a job and the others of its system. One that cannot be described says so itself when it
    /// is bound.
    fn of(dataflow: &Dataflow, config: &Config, all: &[Dataflow]) -> Family {
        let mut family = Family::default();
        for member in all.iter().filter(|member| member.system == dataflow.system) {
            for mut parameters in [config.parameters(), Parameters::new(&toml::Table::new())] {
                let flow = Flow::new(Settings::default());
                if (member.entry)(&flow, &mut parameters).is_ok() {
                    family.add(&flow.take());
                }
                if member.name != dataflow.name {
                    family.parameters.extend(parameters.asked().iter().cloned());
                }
            }
        }
        family
    }

    fn add(&mut self, plan: &Plan) {
        let known =
            [(&mut self.sources, plan.source_names()), (&mut self.views, plan.view_names())];
        for (known, names) in known {
            for name in names {
                if !known.iter().any(|known| known == name) {
                    known.push(name.to_owned());
                }
            }
        }
    }
}

/// `others` are the parameters of the other jobs of the system.
fn describe(dataflow: &'static Dataflow, config: &Config, others: BTreeSet<String>) -> Describe {
    let parameters = config.parameters();
    Box::new(move |flow| {
        let mut parameters = parameters.clone();
        parameters.ask(&others);
        (dataflow.entry)(flow, &mut parameters)?;
        parameters.finish()
    })
}

/// The plan as the dataflow alone describes it: what ports there are.
fn sketch(describe: &Describe) -> Result<Plan, Vec<Error>> {
    let flow = Flow::new(Settings::default());
    describe(&flow).map_err(|mistake| vec![mistake])?;
    let mut plan = flow.take();
    match std::mem::take(&mut plan.errors) {
        mistakes if mistakes.is_empty() => Ok(plan),
        mistakes => Err(mistakes),
    }
}

fn pace(config: &Config) -> Pace {
    let ticks = config.checkpoint.every.as_micros() / config.flow.tick.as_micros().max(1);
    Pace {
        tick: config.flow.tick,
        tick_max: config.flow.tick_max,
        ticks_per_epoch: (ticks as u64).max(1),
        in_flight_max: config.flow.ticks_in_flight_max as u64,
    }
}

/// How far in the past a generator begins, so that every view of fixed windows has rows at once.
fn back(plan: &Plan, lateness: Duration) -> Duration {
    let sizes = plan.roots.iter().map(|root| match root.windows {
        Some(Windows::Fixed(fixed)) => fixed.size(),
        Some(Windows::Session(_)) | None => Duration::ZERO,
    });
    let longest = sizes.max().unwrap_or_default();
    (longest + lateness + minutes(1)).max(minutes(3))
}

fn source_options(binding: &SourceBinding) -> Result<SourceOptions> {
    if binding.arrival.is_some() && binding.kind != "file" {
        let kind = &binding.kind;
        return Err(Error::config(format!("`arrival` is a key of file sources, not of `{kind}`"))
            .hint("leave it out: these records have a time of their own")
            .within(&binding.place));
    }
    Ok(SourceOptions {
        arrival: binding.arrival.as_deref().map(Text::from),
        dedup: binding.dedup.as_ref().map(|dedup| (Text::from(&*dedup.field), dedup.memory)),
        lateness: binding.lateness,
        strict: binding.lateness_rule.map(|rule| rule == Rule::Strict),
        future_skew: match binding.future_skew {
            FutureSkew::Off => None,
            FutureSkew::AtMost(skew) => Some(skew),
        },
        record_time_as_event_time: binding.event_time_fallback == EventTimeFallback::Record,
        codec: binding.codec.clone(),
    })
}

fn bind_source(
    binding: &SourceBinding,
    around: &Surroundings,
    back: Duration,
    epoch: Duration,
) -> Result<BoundSource> {
    let kind = SOURCES.iter().find(|kind| kind.name == binding.kind);
    let kind = kind.ok_or_else(|| not_here("source", &binding.kind, &binding.place))?;
    let bound = (kind.bind)(&Binding {
        config: binding,
        generators: around.generators,
        back,
        now: around.now.clone(),
        threads: around.threads,
    })?;
    Ok(BoundSource {
        connector: bound.connector,
        start: around.from.clone().unwrap_or(bound.start),
        idle_timeout: binding.idle_timeout,
        catch_up_skew: binding.catch_up_skew.unwrap_or(Duration::MAX),
        limits: binding.batch,
        is_global: binding.watermark_scope == WatermarkScope::Global,
        rates: Rates {
            rate_max: binding.max_rate_per_partition.map(|rate| rate as u64),
            trigger_max: binding
                .max_offsets_per_trigger
                .map(|records| TriggerMax { records: records as u64, interval: epoch }),
        },
    })
}

/// `max_offsets_per_trigger` counts by the least `trigger_interval` of the sinks of the views that
/// read a source, where there is one.
fn set_intervals(job: &mut Job, sketch: &Plan) {
    for (index, source) in sketch.sources.iter().enumerate() {
        let bound = job.sources.get_mut(&source.name);
        let Some(max) = bound.and_then(|bound| bound.rates.trigger_max.as_mut()) else { continue };
        let fed = sketch.sunk().filter(|port| sketch.sources_of_view(&port.view).contains(&index));
        let sinks = fed.filter_map(|port| job.sinks.get(&port.view)).flatten();
        max.interval = sinks.filter_map(|sink| sink.queue.gather).min().unwrap_or(max.interval);
    }
}

fn bind_sink(binding: &SinkBinding, port: &Port, key: &[String]) -> Result<BoundSink> {
    let kind = SINKS.iter().find(|kind| kind.name == binding.kind);
    let kind = kind.ok_or_else(|| not_here("sink", &binding.kind, &binding.place))?;
    let refuse = |why: &str, hint: &str| {
        Err(Error::config(format!("{why} of view `{}`", port.view))
            .hint(hint)
            .within(&binding.place))
    };
    let rows = match (binding.rows, kind.accepts, port.updates) {
        (Some(Accepts::Updates), _, false) => {
            return refuse(
                "rows = \"updates\" asks for more than the dataflow declares",
                "write .updates() before .sink(…) in the dataflow, or rows = \"final\"",
            );
        }
        (Some(Accepts::Updates), Accepts::Final, _) => {
            return refuse(
                "this sink only appends, so it cannot take updates",
                "write rows = \"final\", or bind a sink that upserts",
            );
        }
        (_, Accepts::Final, _) | (Some(Accepts::Final), ..) if port.is_table() => {
            return refuse(
                "this sink only appends, and the rows change as long as the job runs: it cannot be \
                 that",
                "bind a sink that upserts, and leave out rows = \"final\"",
            );
        }
        (Some(rows), _, _) => rows,
        (None, Accepts::Updates, true) => Accepts::Updates,
        (None, _, _) => Accepts::Final,
    };
    let view = View {
        name: port.view.to_string(),
        schema: port.schema.clone(),
        key: key.to_vec(),
        stamp: binding.stamp.clone(),
    };
    for column in key {
        if view.schema.index(column).is_none() {
            let columns: Vec<&str> = view.schema.columns.iter().map(|c| c.name.as_str()).collect();
            let hint = format!("its columns are {}", columns.join(", "));
            return refuse(&format!("key column `{column}` is none"), &hint);
        }
    }
    let takes_back = rows == Accepts::Updates && port.takes_back;
    let common = Common { takes_back, ..common(binding, rows) };
    let sink = (kind.bind)(binding, &view, &common)?;
    let mut queue = queue(binding, &port.view);
    if rows == Accepts::Updates {
        queue.key = key.iter().filter_map(|column| view.schema.index(column)).collect();
    }
    let kind = kind.name.into();
    let exactly_once = binding.exactly_once;
    Ok(BoundSink { rows, queue, kind, exactly_once, ..BoundSink::new(&port.view, sink) })
}

/// A sink of alerts whose rows are logged, too.
fn logged(bound: BoundSink) -> BoundSink {
    let sink = bound.sink.clone();
    BoundSink { sink: Arc::new(Mutex::new(Box::new(LoggedAlerts::new(sink)))), ..bound }
}

/// The sink of dead letters.
fn letters(config: &Config, job: &str) -> Result<BoundSink> {
    let Some(binding) = &config.letters_of(job) else {
        return Ok(shown_letters());
    };
    let kind = SINKS.iter().find(|kind| kind.name == binding.kind);
    let kind = kind.ok_or_else(|| not_here("sink", &binding.kind, &binding.place))?;
    let view = View {
        name: "dead_letters".into(),
        schema: Letter::schema(),
        key: vec![],
        stamp: binding.stamp.clone(),
    };
    let sink = (kind.bind)(binding, &view, &common(binding, Accepts::Final))?;
    let (kind, queue) = (kind.name.into(), queue(binding, &"dead letters".into()));
    let exactly_once = binding.exactly_once;
    Ok(BoundSink { kind, queue, exactly_once, ..BoundSink::new("dead letters", sink) })
}

fn shown_letters() -> BoundSink {
    BoundSink::new("dead letters", Box::new(ShownLetters::default()))
}

fn common(binding: &SinkBinding, rows: Accepts) -> Common {
    Common {
        updates: rows == Accepts::Updates,
        takes_back: false,
        overwrite: binding.overwrite,
        formula_guard: binding.formula_guard,
        exactly_once: binding.exactly_once,
    }
}

fn queue(binding: &SinkBinding, view: &Text) -> QueueOptions {
    QueueOptions {
        host: Host::default(),
        view: view.to_string(),
        rows_max: binding.queue_rows_max,
        gather: binding.trigger_interval,
        key: vec![],
        retry_max: binding.retry_max,
        failure: None,
        latency: None,
        health: None,
        stages: false,
    }
}

/// A connector that another build of the binary has.
fn not_here(what: &str, kind: &str, place: &str) -> Error {
    Error::config(format!("this build has no {what} `{kind}`"))
        .hint(format!("build it with the Cargo feature `{kind}`"))
        .within(place)
}
