//! Finds open transactions by the bindings of a system, and ends them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Abort, List, Txn};
use crate::checkpoint::{Place as Checkpoints, inspect, sink_name};
use crate::cli::args::Bound;
use crate::cli::{Registry, run};
use crate::config::{Config, SinkBinding, options};
use crate::error::{Error, Result};
use crate::runtime::{Dataflow, wall_time};
use crate::sink::kafka::Options;
use crate::sink::kafka::txn::{Shard, Stall, end, shards, stalls};
use crate::stream::{Flow, Settings};

/// A job makes a checkpoint every epoch: one that has made none for so many of them, and for so
/// long, does not run.
const EPOCHS_MISSED: u32 = 20;
const SILENCE: Duration = Duration::from_secs(10);

/// How long readers may take to move on behind the end of a transaction.
const FREED_MAX: Duration = Duration::from_secs(10);

/// Answers a question about transactions, or ends them.
pub(in crate::cli) fn txn(txn: &Txn, registry: Registry) -> Result<()> {
    let text = match txn {
        Txn::List(args) => list(args, registry)?,
        Txn::Abort(args) => abort(args, registry)?,
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::storage(format!("cannot write to standard output: {error}")))
}

/// A topic that is written by transactions of ours.
struct Place {
    job: String,
    /// Name of the sink in checkpoints.
    sink: String,
    options: Options,
    /// What the transactional ids of its shards begin with.
    prefix: String,
    /// How old the newest checkpoint of its job is, and how old it may be while the job runs.
    checkpoint: Option<(Duration, Duration)>,
}

impl Place {
    /// Whether its job seems to run.
    fn runs(&self) -> bool {
        self.checkpoint.is_some_and(|(age, limit)| age < limit)
    }
}

/// What is open in a topic.
struct Open {
    stalls: Vec<Stall>,
    shards: Vec<Shard>,
}

impl Open {
    fn look(place: &Place) -> Result<Open> {
        let stalls = stalls(&place.options)?;
        let shards = shards(&place.options, &place.prefix)?;
        Ok(Open { stalls, shards })
    }

    fn is_any(&self) -> bool {
        !self.stalls.is_empty() || self.shards.iter().any(|shard| shard.is_open)
    }
}

/// The topics that the jobs of a system write to by transactions.
fn places(bound: &Bound, registry: Registry) -> Result<Vec<Place>> {
    let args = bound.run();
    let mut places = Vec::new();
    for dataflow in run::choose(args.system.as_deref(), &args.jobs, registry)? {
        let config = run::load(dataflow, &args)?;
        let checkpoint = checkpoint(dataflow, &config)?;
        let mut add = |sink: String, binding: &SinkBinding| -> Result<()> {
            if binding.kind == "kafka" && binding.exactly_once {
                places.push(Place {
                    job: dataflow.name.into(),
                    prefix: format!("highwater.{}.{sink}.", dataflow.name),
                    options: options(&binding.options, &binding.place)?,
                    sink,
                    checkpoint,
                });
            }
            Ok(())
        };
        let flow = Flow::new(Settings::default());
        (dataflow.entry)(&flow, &mut config.parameters())?;
        let plan = flow.take();
        for port in plan.sunk().filter(|port| config.is_bound(&port.view) == Ok(true)) {
            for (index, binding) in config.sinks_of(dataflow.name, &port.view)?.iter().enumerate() {
                add(sink_name(&port.view, index).to_string(), binding)?;
            }
        }
        if let Some(binding) = config.letters_of(dataflow.name) {
            add(sink_name("dead letters", 0).to_string(), &binding)?;
        }
    }
    Ok(places)
}

/// How old the newest checkpoint of a job is, and how old it may be while the job runs.
fn checkpoint(dataflow: &Dataflow, config: &Config) -> Result<Option<(Duration, Duration)>> {
    let Some(path) = &config.checkpoint.path else { return Ok(None) };
    let place = Checkpoints::new(path, &config.checkpoint.s3)?.of_job(dataflow.name);
    if !place.is_used()? {
        return Ok(None);
    }
    // A job that died early may have a folder and no checkpoint in it.
    let found = inspect(&*place.existing()?)?;
    let newest = found.iter().filter_map(|found| found.manifest.as_ref().ok()).next_back();
    let Some(manifest) = newest.filter(|manifest| !manifest.done) else { return Ok(None) };
    let age = wall_time().micros() - manifest.written_at.micros();
    let age = Duration::from_micros(age.max(0).unsigned_abs());
    Ok(Some((age, SILENCE.max(config.checkpoint.every * EPOCHS_MISSED))))
}

fn list(args: &List, registry: Registry) -> Result<String> {
    let (mut text, mut all) = (String::new(), Vec::new());
    let places = places(&args.bound, registry)?;
    for place in &places {
        let open = Open::look(place)?;
        match args.json {
            true => all.push(as_json(place, &open)),
            false => describe(&mut text, place, &open),
        }
    }
    if args.json {
        return Ok(format!("{:#}\n", json!(all)));
    }
    if places.is_empty() {
        text += "no sink of these jobs is a topic with `exactly_once`\n";
    }
    Ok(text)
}

fn describe(text: &mut String, place: &Place, open: &Open) {
    let Place { job, sink, options, .. } = place;
    let _ = writeln!(text, "{job}, sink {sink}: topic {} on {}", options.topic, options.brokers);
    for Stall { partition, stable, end, since } in &open.stalls {
        let since = since.map_or(String::new(), |since| format!(", since about {since}"));
        let _ = writeln!(
            text,
            "  partition {partition}: readers of what is committed stand at {stable}, {} before \
             the end{since}",
            end - stable
        );
    }
    if !open.is_any() {
        text.push_str("  nothing is open\n");
        return;
    }
    for Shard { id, is_open } in &open.shards {
        let state = match is_open {
            true => "has a transaction open",
            false => "may have one open: brokers tell its client nothing more",
        };
        let _ = writeln!(text, "  {id} {state}");
    }
    if open.shards.is_empty() {
        text.push_str("  no shard of this sink has ever delivered: it is somebody else's\n");
    }
    let _ = writeln!(text, "  {}", advice(place));
}

/// What to do about an open transaction.
fn advice(place: &Place) -> String {
    let job = &place.job;
    match place.checkpoint {
        Some((age, _)) if place.runs() => format!(
            "its job has made a checkpoint {} s ago, so it runs: a transaction of its own ends \
             soon",
            age.as_secs()
        ),
        Some((age, _)) => format!(
            "the last checkpoint is {} s old: start the job, or end it by `highwater txn abort` \
             for `{job}`",
            age.as_secs()
        ),
        None => format!(
            "there is no checkpoint to say whether its job runs: if it does not, end it by \
             `highwater txn abort --force` for `{job}`"
        ),
    }
}

fn as_json(place: &Place, open: &Open) -> serde_json::Value {
    let stalls = open.stalls.iter().map(|stall| {
        let since = stall.since.map(|since| since.to_string());
        let Stall { partition, stable, end, .. } = stall;
        json!({ "partition": partition, "stable": stable, "end": end, "since": since })
    });
    let shards =
        open.shards.iter().map(|shard| json!({ "id": shard.id, "is_open": shard.is_open }));
    json!({
        "job": place.job,
        "sink": place.sink,
        "topic": place.options.topic,
        "brokers": place.options.brokers,
        "checkpoint_age_seconds": place.checkpoint.map(|(age, _)| age.as_secs()),
        "runs": place.checkpoint.map(|_| place.runs()),
        "stalls": stalls.collect::<Vec<_>>(),
        "shards": shards.collect::<Vec<_>>(),
    })
}

fn abort(args: &Abort, registry: Registry) -> Result<String> {
    let mut text = String::new();
    let mut left = 0;
    for place in places(&args.bound, registry)? {
        let open = Open::look(&place)?;
        if !open.is_any() {
            continue;
        }
        refuse_if_it_runs(&place, args.force)?;
        for Shard { id, .. } in &open.shards {
            end(&place.options, id)?;
            let _ = writeln!(text, "ended what {id} had open");
        }
        let (topic, rest) = (&place.options.topic, freed(&place, &open.stalls)?);
        for partition in &rest {
            let _ = writeln!(text, "topic {topic}, partition {partition}: readers still stand");
        }
        if rest.is_empty() {
            let _ = writeln!(text, "topic {topic}: readers go on");
        }
        left += rest.len();
    }
    if text.is_empty() {
        text.push_str("nothing is open\n");
    }
    if 0 < left {
        text.push_str("what is left is somebody else's, and ends when its own time is over\n");
    }
    Ok(text)
}

fn refuse_if_it_runs(place: &Place, force: bool) -> Result<()> {
    let Place { job, checkpoint, .. } = place;
    match checkpoint {
        _ if force => Ok(()),
        Some((age, _)) if place.runs() => {
            let age = age.as_secs();
            Err(Error::config(format!("job `{job}` made a checkpoint {age} s ago: it may run"))
                .hint("stop it first; --force fences it, and it ends with 75"))
        }
        Some(_) => Ok(()),
        None => Err(Error::config(format!("no checkpoint says whether job `{job}` runs")).hint(
            "is `checkpoint.path` a folder of this machine? If the job is dead, add --force",
        )),
    }
}

/// Waits until readers have passed where they stood; the partitions where they have not.
fn freed(place: &Place, before: &[Stall]) -> Result<Vec<u32>> {
    let deadline = Instant::now() + FREED_MAX;
    loop {
        let now = stalls(&place.options)?;
        let stands = |stall: &&Stall| {
            before.iter().any(|one| one.partition == stall.partition && one.stable == stall.stable)
        };
        let rest: Vec<u32> = now.iter().filter(stands).map(|stall| stall.partition).collect();
        if rest.is_empty() || deadline < Instant::now() {
            return Ok(rest);
        }
        sleep(Duration::from_millis(200));
    }
}
