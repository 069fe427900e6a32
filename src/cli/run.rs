//! `highwater run`: binds jobs, runs them, says at the end what became of every record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::args::{Indices, Run, WorkerArgs};
use super::control::Known;
use super::leash::Leash;
use super::place::Place;
use super::{Registry, log, plan, progress};
use crate::checkpoint::Claim;
use crate::config::{self, COMPAT, Config, Kinds};
use crate::control::{self, JobPanel, Seat};
use crate::error::{Error, Result, nearest};
use crate::observe::status::Role;
use crate::runtime::{
    self, Among, Dataflow, Job, Patience, Stop, Surroundings, Workers, bind, check, check_claims,
    claim, patiently, resume, run as run_jobs, run_among, wall_time,
};
use crate::sink::kinds::SINK_NAMES;
use crate::source::kinds::SOURCE_NAMES;

/// Runs jobs until their input ends or somebody asks for the end.
pub(super) fn run(args: &Run, workers: &WorkerArgs, registry: Registry) -> Result<()> {
    let place = Place::of(workers)?;
    let stop = Stop::new();
    catch_signals(&stop)?;
    let leash = args.stop_at_eof.then(|| Leash::hold(&stop));
    let configs = configs(args, registry)?;
    let (panel, known) = make_known(args, workers, &configs, &stop)?;
    let outcome = run_known((args, workers), registry, (configs, place, leash), (&stop, &panel));
    let code = outcome.as_ref().err().map_or(0, |error| error.kind().exit_code() as u8);
    known.leave(code, outcome.as_ref().err());
    outcome
}

/// What is run, with its configuration.
type Configs = Vec<(&'static Dataflow, Config)>;

fn configs(args: &Run, registry: Registry) -> Result<Configs> {
    let dataflows = choose(args.system.as_deref(), &args.jobs, registry)?.into_iter();
    dataflows.map(|dataflow| Ok((dataflow, load(dataflow, args)?))).collect()
}

/// Has `highwater inspect` and `stop` find this process.
fn make_known(
    args: &Run,
    workers: &WorkerArgs,
    configs: &Configs,
    stop: &Stop,
) -> Result<(Arc<JobPanel>, Known)> {
    let system = configs.first().map_or("", |(dataflow, _)| dataflow.system);
    let seat = Seat {
        index: workers.process.as_ref().and_then(Indices::one).unwrap_or(0),
        processes: workers.processes,
        threads: workers.threads,
        supervisor: args.stop_at_eof.then(std::os::unix::process::parent_id),
    };
    let panel = Arc::new(JobPanel::new(system, seat, stop));
    let run = control::Run {
        pid: std::process::id(),
        role: Role::Run,
        system: system.into(),
        jobs: configs.iter().map(|(dataflow, _)| dataflow.name.into()).collect(),
        index: seat.index,
        processes: seat.processes,
        supervisor: seat.supervisor,
        began: wall_time(),
        address: None,
        token: String::new(),
    };
    let http = configs.first().map(|(_, config)| config.http.clone()).unwrap_or_default();
    let known = super::control::make_known(&http, run, panel.clone())?;
    Ok((panel, known))
}

fn run_known(
    (args, workers): (&Run, &WorkerArgs),
    registry: Registry,
    (configs, place, leash): (Configs, Option<Place>, Option<Leash>),
    (stop, panel): (&Stop, &JobPanel),
) -> Result<()> {
    let Prepared { bound, jobs, cluster, claims } =
        prepare(args, workers, (configs, registry), stop)?;
    if let Some(leash) = leash.filter(|_| jobs.iter().all(|job| job.checkpoints.is_some())) {
        leash.is_saved();
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let peers = match &place {
        None => None,
        Some(place) => match place.connect(workers, &cluster, &bound, stop)? {
            None => return Ok(()),
            peers => peers,
        },
    };
    panel.show(&jobs, peers.as_ref())?;
    if let Some(time) = args.time {
        stop_after(stop, time);
    }
    let begun = Instant::now();
    let boards: Vec<Arc<Job>> = jobs.clone();
    let progress = progress::start(boards.clone());
    let workers = Workers {
        threads: workers.threads,
        zerocopy: workers.zerocopy,
        eager: workers.progress_mode == "eager",
    };
    let outcome = match peers {
        None => run_jobs(jobs, &workers, stop),
        Some(peers) => {
            let among = Among {
                fail: log::end_with,
                frame_bytes_max: cluster.frame_bytes_max,
                silence_max: cluster.silence_max,
            };
            run_among(peers, jobs, &workers, stop, among)
        }
    };
    drop(progress);
    progress::last_words(&boards, begun.elapsed(), stop.is_asked());
    if let Some(path) = &args.latency {
        progress::write_latencies(&boards, path)?;
    }
    // All is written.
    drop(claims);
    outcome
}

/// Jobs that may run.
struct Prepared {
    /// All that were named.
    bound: Vec<Arc<Job>>,
    /// Without those whose input was read to its end before.
    jobs: Vec<Arc<Job>>,
    cluster: config::Cluster,
    /// Keep other processes from running them.
    claims: Vec<Claim>,
}

/// Binds jobs, finds the checkpoints they go on from, and looks whether everything is there.
fn prepare(
    args: &Run,
    workers: &WorkerArgs,
    (configs, registry): (Configs, Registry),
    stop: &Stop,
) -> Result<Prepared> {
    let cluster = config::Cluster::default();
    let mut prepared = Prepared { bound: vec![], jobs: vec![], cluster, claims: vec![] };
    let is_first = workers.process.as_ref().and_then(Indices::one).unwrap_or(0) == 0;
    let mut said = BTreeSet::new();
    for (dataflow, config) in configs {
        if prepared.bound.is_empty() {
            prepared.cluster = config.cluster.clone();
        }
        let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
        let set = names.iter().map(String::as_str);
        let mut notices = config.notices(dataflow.environment, set);
        notices.extend(runtime::notices(dataflow, &config));
        // The jobs of a system share its files, and so most of what has no effect.
        notices.retain(|notice| said.insert(notice.clone()));
        notices.iter().for_each(|notice| log::say(notice));
        let around = Surroundings {
            generators: registry.generators,
            dataflows: registry.dataflows,
            now: Arc::new(wall_time),
            threads: workers.threads,
            latency: !args.no_latency,
            from: args.from.clone(),
        };
        let mut job = bind(dataflow, &config, &around)?;
        let patience = Patience { attempts: config.connect.attempts, every: config.connect.every };
        if is_first {
            patiently(patience, stop, "checkpoints", || {
                prepared.claims.extend(claim(&job, &config.checkpoint)?);
                Ok(())
            })?;
        }
        patiently(patience, stop, "checkpoints", || resume(&mut job, &config.checkpoint))?;
        let job = Arc::new(job);
        prepared.bound.push(job.clone());
        if has_ended(&job) {
            continue;
        }
        check(&job, patience, stop)?;
        log::say(&plan::summary(&job, &config, &workers.summary())?);
        prepared.jobs.push(job);
    }
    check_claims(prepared.jobs.iter().map(|job| &**job))?;
    Ok(prepared)
}

/// Whether the input of a job was read to its end before; says so.
fn has_ended(job: &Job) -> bool {
    let Some(kept) = &job.checkpoints else { return false };
    let Some(epoch) = kept.ended() else { return false };
    log::say(&format!(
        "{}: its input was read to the end (checkpoint {epoch} in {}); set another \
         `checkpoint.path` to run it again",
        job.name,
        kept.store.name()
    ));
    true
}

/// The configuration of a dataflow: its own file, then what the command line lays over it.
pub(super) fn load(dataflow: &Dataflow, args: &Run) -> Result<Config> {
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    let mut base = vec![dataflow.file];
    let mut files = Vec::new();
    if args.compat {
        base.push(("--compat", COMPAT));
        base.push(("--compat", dataflow.compat));
    }
    for path in &args.config {
        let name = path.to_string_lossy();
        let embedded = dataflow.overlays.iter().find(|(overlay, _)| *overlay == name);
        match embedded {
            // Embedded overlays come before files, as files are laid over them.
            Some(overlay) if !path.exists() => base.push(*overlay),
            _ => files.push(path.clone()),
        }
    }
    let config = Config::load(kinds, &base, &files, &args.sets, &|name| std::env::var(name).ok())?;
    if ![dataflow.name, dataflow.system].contains(&config.dataflow.as_str()) {
        let message = format!("the files are for the dataflow `{}`", config.dataflow);
        return Err(Error::config(message)
            .hint(format!("this is `{}`: leave `dataflow` as it is", dataflow.name)));
    }
    Ok(config)
}

/// The dataflows of a system, or some of them.
pub(super) fn choose(
    system: Option<&str>,
    jobs: &[String],
    registry: Registry,
) -> Result<Vec<&'static Dataflow>> {
    let all = registry.dataflows;
    let Some(first) = all.first() else {
        return Err(Error::usage("this binary has no dataflow"));
    };
    let system = system.unwrap_or(first.system);
    let of_system = of_system(registry, system)?;
    if jobs.is_empty() {
        return Ok(of_system.into_iter().filter(|flow| !flow.by_name).collect());
    }
    let mut chosen = Vec::new();
    for job in jobs {
        let found = of_system.iter().find(|flow| flow.name == job);
        let names = of_system.iter().map(|flow| flow.name);
        chosen.push(*found.ok_or_else(|| unknown("job", job, names))?);
    }
    chosen.sort_by_key(|flow| flow.name);
    chosen.dedup_by_key(|flow| flow.name);
    Ok(chosen)
}

/// The jobs of a system.
pub(super) fn of_system(registry: Registry, system: &str) -> Result<Vec<&'static Dataflow>> {
    let all = registry.dataflows;
    let found: Vec<&Dataflow> = all.iter().filter(|flow| flow.system == system).collect();
    if found.is_empty() {
        return Err(unknown("system", system, all.iter().map(|flow| flow.system)));
    }
    Ok(found)
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str> + Clone) -> Error {
    let near = nearest(name, names.clone());
    let mut names = if near.is_empty() { names.collect() } else { near };
    names.dedup();
    Error::usage(format!("no {what} is called `{name}`"))
        .hint(format!("there is `{}`", names.join("`, `")))
}

/// How long a graceful stop may take.
const GRACE: Duration = Duration::from_secs(30);

/// The first signal asks for the end; a second one, or too long a wait, ends the process at once.
pub(super) fn catch_signals(stop: &Stop) -> Result<()> {
    let failed = |error| Error::bug(format!("cannot catch signals: {error}"));
    // Not the flag of the stop: others may have asked for that, and this is the first signal.
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: at the first signal the flag is not set yet.
        flag::register_conditional_shutdown(signal, 75, signalled.clone()).map_err(failed)?;
        flag::register(signal, signalled.clone()).map_err(failed)?;
        flag::register(signal, stop.flag()).map_err(failed)?;
    }
    let stop = stop.clone();
    std::thread::spawn(move || {
        while !stop.is_asked() {
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(GRACE);
        log::say("error: stopping took longer than 30 s; what is not in the sinks is lost");
        signal_hook::low_level::exit(75);
    });
    Ok(())
}

fn stop_after(stop: &Stop, time: Duration) {
    let stop = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        stop.ask();
    });
}
