//! `highwater cluster`: starts the processes of a job that are of this machine, and ends all of
//! them when one ends. With checkpoints it starts all again after a failure, as a new generation.
//!
//! ```text
//! cluster ──starts──► run … -n 3 -p 0      the children inherit standard output and error
//!    │   ├──────────► run … -n 3 -p 1
//!    │   └──────────► run … -n 3 -p 2
//!    └─ holds their standard inputs, sockets on which they answer once a second (`leash.rs`): a
//!       word on one asks that process to stop; the end of this process, however it comes, ends all
//! ```
//!
//! On several machines each has its own share of the processes (`-p 0..2`). When one process is
//! lost, all others end with 75 wherever they are, and each machine starts its share again; the new
//! ones wait for the generation of the new process 0.

mod line;
mod panel;
mod ports;
mod processes;
mod restarts;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{Cli, Indices, Run, WorkerArgs};
use super::{Registry, control, log, place, run};
use crate::config::{Http, Listen};
use crate::error::{Error, Result};
use crate::runtime::cluster::Secret;
use line::arguments;
use panel::{Asked, ClusterPanel};
use ports::HostFile;
use processes::{Ended, Processes, TURN};
use restarts::{Decision, Restarts, WINDOW};

/// Runs the processes until they end well, or starting them again is of no use; the exit code is
/// that of the cause.
pub(super) fn cluster(args: &Run, cli: &Cli, registry: Registry) -> Result<ExitCode> {
    // What is wrong with the command line, or in a file, is said once.
    let dataflows = run::choose(args.system.as_deref(), &args.jobs, registry)?;
    let configs = dataflows.iter().map(|dataflow| run::load(dataflow, args));
    let configs = configs.collect::<Result<Vec<_>>>()?;
    let (config, http) = match configs.first() {
        Some(config) => (config.cluster.clone(), config.http.clone()),
        None => Default::default(),
    };
    let share = share(&cli.workers)?;
    let has_secret = !place::secret(&cli.workers, &config)?.is_none();
    place::tls(&config)?;
    let is_whole = share.0.len() == cli.workers.processes;
    // A secret of its own, where nobody else needs to know it.
    let secret = if has_secret || !is_whole { None } else { Some(Secret::generate()?) };
    let asked = catch_signals()?;
    let panel = Arc::new(ClusterPanel::new(&dataflows, &cli.workers, asked.clone()));
    let known = control::make_known(&within(&http), panel.run(), panel.clone())?;
    let supervisor = Supervisor {
        args,
        cli,
        share,
        secret,
        silence_max: config.silence_max,
        restarts_max: config.restarts_max,
        is_supervised: configs.iter().all(|config| config.checkpoint.path.is_some()),
        has_address: matches!(http.listen, Listen::At(_)),
        begun: Instant::now(),
    };
    let outcome = supervisor.look_after(&asked, &panel);
    let code = match &outcome {
        Ok(code) => *code,
        Err(error) => error.kind().exit_code() as u8,
    };
    known.leave(code, outcome.as_ref().err());
    outcome.map(ExitCode::from)
}

/// Where the cluster itself listens: the ports that people look at are for its processes.
fn within(http: &Http) -> Http {
    let listen = match http.listen {
        Listen::Off => Listen::Off,
        Listen::Auto | Listen::At(_) => Listen::At("127.0.0.1:0".into()),
    };
    Http { listen }
}

/// The processes that are of this machine: all of them, if nothing else is said.
fn share(workers: &WorkerArgs) -> Result<Indices> {
    let processes = workers.processes;
    match &workers.process {
        None => Ok(Indices(0..processes)),
        Some(share) if processes < share.0.end => {
            let last = share.0.end - 1;
            Err(Error::usage(format!("there is no process {last} of {processes}"))
                .hint("indices count from 0: the end of -p is at most -n"))
        }
        Some(share) if workers.hostfile.is_none() && share.0.len() < processes => {
            let error =
                format!("-p {share} is a part of {processes} processes: where are the others");
            Err(Error::usage(error)
                .hint("name all addresses in a host file (-h); without -p all processes run here"))
        }
        Some(share) => Ok(share.clone()),
    }
}

/// What all generations have in common.
struct Supervisor<'a> {
    args: &'a Run,
    cli: &'a Cli,
    share: Indices,
    secret: Option<String>,
    silence_max: Duration,
    restarts_max: usize,
    /// Whether all jobs have checkpoints.
    is_supervised: bool,
    /// Whether `http.listen` gives an address: that of the first process.
    has_address: bool,
    begun: Instant,
}

impl Supervisor<'_> {
    /// One generation after the other; the exit code of the cause of the last one's end.
    fn look_after(&self, asked: &Asked, panel: &ClusterPanel) -> Result<u8> {
        let mut restarts = Restarts::new(self.restarts_max);
        for generation in 2.. {
            let (cause, was_asked) = self.run(asked)?;
            let code = cause.code();
            if !self.is_supervised || was_asked {
                return Ok(code);
            }
            match restarts.decide(code, Instant::now()) {
                Decision::End => return Ok(code),
                Decision::GiveUp(times) => {
                    give_up(&cause, times);
                    return Ok(code);
                }
                Decision::Again(pause) => {
                    let later = match pause.as_secs() {
                        0 => String::new(),
                        seconds => format!(" in {seconds} s,"),
                    };
                    log::say(&format!("generation {generation}{later} after {cause}"));
                    panel.begin_again(generation, cause.to_string());
                    if !wait(pause, asked) {
                        return Ok(code);
                    }
                }
            }
        }
        Ok(0)
    }

    /// Runs one generation; the cause of its end, and whether somebody asked for it.
    fn run(&self, asked: &Asked) -> Result<(Ended, bool)> {
        let workers = &self.cli.workers;
        // New ones each time: somebody may have taken a port meanwhile.
        let hosts = match &workers.hostfile {
            Some(_) => None,
            None => Some(HostFile::new(workers.processes)?),
        };
        let hostfile = hosts.as_ref().map(HostFile::path).or(workers.hostfile.as_deref());
        let left = |time: Duration| time.saturating_sub(self.begun.elapsed());
        let args = Run { time: self.args.time.map(left), ..self.args.clone() };
        let secret = self.secret.as_deref().map(|secret| (place::SECRET, secret));
        let mut processes = Processes::new(self.silence_max);
        for index in self.share.0.clone() {
            let workers = WorkerArgs {
                process: Some(Indices(index..index + 1)),
                hostfile: hostfile.map(Into::into),
                ..workers.clone()
            };
            let mut args = args.clone();
            if self.has_address && index != self.share.0.start {
                args.sets.push("http.listen=auto".into());
            }
            processes.start(index, &arguments(&args, &workers, self.cli.verbose), secret)?;
        }
        Ok(processes.watch(asked, self.is_supervised))
    }
}

fn give_up(cause: &Ended, times: usize) {
    let minutes = WINDOW.as_secs() / 60;
    log::say(&format!(
        "error: {cause}, and {times} restarts for the same cause within {minutes} minutes did not \
         help\n  hint: its reason is above; then start the cluster again, it goes on from the last \
         checkpoint"
    ));
}

/// Waits before a generation; false if somebody asks for the end meanwhile.
fn wait(pause: Duration, asked: &Asked) -> bool {
    let until = Instant::now() + pause;
    loop {
        if asked.is_asked() {
            return false;
        }
        if until <= Instant::now() {
            return true;
        }
        sleep(TURN);
    }
}

fn catch_signals() -> Result<Arc<Asked>> {
    let asked = Arc::new(Asked::default());
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, asked.signalled.clone())
            .map_err(|error| Error::bug(format!("cannot catch signals: {error}")))?;
    }
    Ok(asked)
}
