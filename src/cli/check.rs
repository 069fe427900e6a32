//! `highwater check`: binds jobs, looks whether everything is there, runs nothing, prints the plan.
//!
//! Every problem is reported, not only the first; the exit code is that of the worst, and what is
//! wrong (65) is worse than what is away (75). There is no waiting: one try each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, PoisonError};

use clap::Args;

use super::args::{Bound, Run, WorkerArgs};
use super::{Registry, log, place, plan, run};
use crate::checkpoint::Place;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::runtime::cluster;
use crate::runtime::{
    BoundSink, Dataflow, Job, Surroundings, bind_all, check_claims, notices, resume, wall_time,
    will_keep,
};

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    bound: Bound,
    /// Makes what is missing: topics of Kafka, tables.
    #[arg(long)]
    create: bool,
    /// Sets every option that makes results those of the replaced system.
    #[arg(long)]
    compat: bool,
}

/// Looks at jobs, and prints their plans if nothing is wrong.
pub(super) fn check(args: &Check, workers: &WorkerArgs, registry: Registry) -> Result<()> {
    let mut findings =
        Findings { create: args.create, problems: vec![], made: vec![], notices: BTreeSet::new() };
    let (mut text, mut jobs) = (String::new(), Vec::new());
    let bound = Run { compat: args.compat, ..args.bound.run() };
    for dataflow in run::choose(bound.system.as_deref(), &bound.jobs, registry)? {
        let config = match run::load(dataflow, &bound) {
            Ok(config) => config,
            Err(problem) => {
                findings.problems.push(problem);
                continue;
            }
        };
        if jobs.is_empty() {
            findings.problems.extend(look_at_place(workers, &config).err());
        }
        let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
        let set = names.iter().map(String::as_str);
        findings.notices.extend(config.notices(dataflow.environment, set));
        findings.notices.extend(notices(dataflow, &config));
        let around = Surroundings {
            latency: false,
            generators: registry.generators,
            dataflows: registry.dataflows,
            now: Arc::new(wall_time),
            threads: workers.threads,
            from: None,
        };
        let (job, problems) = bind_all(dataflow, &config, &around);
        findings.problems.extend(problems);
        if let Some(mut job) = job {
            findings.problems.extend(look_back(&mut job, &config).err());
            findings.look(&job, &config, registry);
            findings.describe(dataflow, &job, &config, &mut text);
            jobs.push(job);
        }
    }
    findings.problems.extend(check_claims(&jobs).err());
    findings.notices.iter().for_each(|notice| log::say(notice));
    findings.made.iter().for_each(|made| log::say(&format!("made {made}")));
    report(findings.problems)?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::storage(format!("cannot write to standard output: {error}")))
}

/// Looks at the secret, the certificates and the host file of several processes.
fn look_at_place(workers: &WorkerArgs, config: &Config) -> Result<()> {
    place::secret(workers, &config.cluster)?;
    place::tls(&config.cluster)?;
    match &workers.hostfile {
        Some(file) => cluster::addresses(Some(file), workers.processes).map(|_| ()),
        None => Ok(()),
    }
}

/// Looks at the checkpoints that are there, as they say what the sinks go on with.
fn look_back(job: &mut Job, config: &Config) -> Result<()> {
    match &config.checkpoint.path {
        None => Ok(()),
        Some(path) => {
            let place = Place::new(path, &config.checkpoint.s3)?.of_job(&job.name);
            if place.is_used()? { resume(job, &config.checkpoint) } else { will_keep(job) }
        }
    }
}

/// What was found, and made.
struct Findings {
    create: bool,
    problems: Vec<Error>,
    made: Vec<String>,
    /// What has no effect, of all jobs.
    notices: BTreeSet<String>,
}

impl Findings {
    /// Looks at every source and sink of a job.
    fn look(&mut self, job: &Job, config: &Config, registry: Registry) {
        for (name, source) in &job.sources {
            let made = if self.create { self.make_topic(name, config, registry) } else { Ok(()) };
            let found = made.and_then(|()| source.connector.check());
            self.note(&format!("source `{name}`"), found);
        }
        for (view, sinks) in &job.sinks {
            for sink in sinks {
                let found = self.look_at_sink(sink);
                self.note(&format!("view `{view}`"), found);
            }
        }
        let found = self.look_at_sink(&job.letters);
        self.note("dead letters", found);
    }

    /// Appends the plan, if nothing is wrong.
    fn describe(&mut self, dataflow: &Dataflow, job: &Job, config: &Config, text: &mut String) {
        if self.problems.is_empty() {
            match plan::describe(dataflow, job, config) {
                Ok(plan) => {
                    let gap = if text.is_empty() { "" } else { "\n" };
                    let _ = write!(text, "{gap}{plan}");
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn note(&mut self, place: &str, found: Result<()>) {
        self.problems.extend(found.err().map(|problem| problem.within(place)));
    }

    fn look_at_sink(&mut self, bound: &BoundSink) -> Result<()> {
        if self.create {
            let mut sink = bound.sink.lock().unwrap_or_else(PoisonError::into_inner);
            self.made.extend(sink.create()?);
        }
        bound.check()
    }

    /// Makes the topic of a source, if it is one of Kafka and is missing.
    #[cfg(feature = "kafka")]
    fn make_topic(&mut self, source: &str, config: &Config, registry: Registry) -> Result<()> {
        use crate::source::kafka::{Admin, Options, look};
        let binding = config.source(source)?;
        if binding.kind != "kafka" {
            return Ok(());
        }
        let options: Options = crate::config::options(&binding.options, &binding.place)?;
        // Also because an administrative call waits longer for a broker that is away.
        match look(&options) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(_) => {}
        }
        let topics = registry.generators.iter().flat_map(|kind| kind.topics);
        let known = topics.into_iter().find(|topic| topic.name == options.topic);
        let partitions = known.map_or(PARTITIONS, |topic| topic.partitions);
        let admin = Admin::new(&options.brokers, &options.client)?;
        let partitions = admin.create_topic(&options.topic, partitions)?;
        self.made.push(format!("topic `{}` with {partitions} partitions", options.topic));
        Ok(())
    }

    #[cfg(not(feature = "kafka"))]
    fn make_topic(&mut self, _source: &str, _config: &Config, _registry: Registry) -> Result<()> {
        Ok(())
    }
}

/// Partitions of a new topic that no data set knows.
#[cfg(feature = "kafka")]
const PARTITIONS: u32 = 3;

/// Says what is wrong, the worst first. A single problem is the error itself.
fn report(mut problems: Vec<Error>) -> Result<()> {
    // The windows of two sides of a join are wrong in the same words.
    problems.sort_by_key(|problem| (badness(problem.kind()), problem.to_string()));
    problems.dedup();
    let count = problems.len();
    let Some(worst) = problems.first() else { return Ok(()) };
    if count == 1 {
        return Err(problems.remove(0));
    }
    problems.iter().for_each(|problem| log::say(&format!("error: {problem}")));
    let summary = format!("there are {count} problems");
    Err(Error::new(worst.kind(), summary).hint("see above; nothing was run"))
}

/// The order in which problems matter: what waiting cannot cure comes first.
fn badness(kind: Kind) -> u8 {
    match kind {
        Kind::Bug => 0,
        Kind::Usage => 1,
        Kind::Config => 2,
        Kind::Storage => 3,
        Kind::Unreachable | Kind::Fenced => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_worse_than_what_is_away() {
        let kind = |problems| report(problems).unwrap_err().kind();
        assert_eq!(report(vec![]), Ok(()));
        assert_eq!(kind(vec![Error::unreachable("a")]), Kind::Unreachable);
        assert_eq!(kind(vec![Error::unreachable("a"), Error::config("b")]), Kind::Config);
        assert_eq!(kind(vec![Error::storage("a"), Error::unreachable("b")]), Kind::Storage);
    }
}
