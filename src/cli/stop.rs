//! `highwater stop`: asks a running job for its end, and waits for it.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::control::{self, Found, Wanted};
use super::log;
use crate::control::{Outcome, Run, Runs, command};
use crate::error::{Error, Result};
use crate::observe::status::Role;
use crate::time::parse_duration;

/// Arguments of `highwater stop`.
#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// A system or job that runs here; without it the only one that does.
    system: Option<String>,
    /// Of several that run, the one with this pid.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// How long to wait for its end. It is asked in any case.
    #[arg(long, default_value = "45s", value_name = "DURATION", value_parser = parse_duration)]
    timeout: Duration,
}

/// How often it looks whether the job has ended.
const TURN: Duration = Duration::from_millis(20);

/// Asks for the end and waits; the exit code is that of the job.
pub(super) fn stop(args: &StopArgs) -> Result<ExitCode> {
    let runs = Runs::open()?;
    let found = control::find(&runs, &Wanted { name: args.system.as_deref(), pid: args.pid })?;
    let begun = Instant::now();
    ask(&found)?;
    while found.0.iter().any(|run| runs.is_running(run)) {
        if args.timeout <= begun.elapsed() {
            let waited = args.timeout.as_secs_f64();
            return Err(Error::unreachable(format!(
                "{} still runs {waited} s after it was asked to stop",
                found.name()
            ))
            .hint("it goes on stopping; `highwater inspect` says what it waits for"));
        }
        std::thread::sleep(TURN);
    }
    let outcome = outcome(&runs, &found);
    let took = begun.elapsed().as_secs_f64();
    match &outcome {
        Some(Outcome { code: 0, .. }) => {
            log::say(&format!("{} has stopped after {took:.1} s", found.name()));
        }
        Some(Outcome { code, error }) => {
            let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
            log::say(&format!(
                "{} has ended with exit {code} after {took:.1} s{why}",
                found.name()
            ));
        }
        None => log::say(&format!(
            "{} has ended after {took:.1} s without a word: it was killed, or failed",
            found.name()
        )),
    }
    Ok(ExitCode::from(outcome.map_or(KILLED, |outcome| outcome.code)))
}

/// As a process is counted that ends without a word.
const KILLED: u8 = crate::error::Kind::Unreachable.exit_code() as u8;

/// Asks the supervisor, or else any process: it tells the others.
fn ask(found: &Found) -> Result<()> {
    let mut first = None;
    for run in &found.0 {
        match command(run) {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
        if run.role == Role::Cluster {
            // Its processes would be started again.
            break;
        }
    }
    Err(first.unwrap_or_else(|| Error::bug("a job without processes")))
}

/// How a job has ended: as its supervisor says; else the process that was asked.
fn outcome(runs: &Runs, found: &Found) -> Option<Outcome> {
    let of = |run: &Run| runs.outcome(run);
    if let Some(supervisor) = found.supervisor() {
        found.0.iter().filter(|run| run.role == Role::Run).for_each(|run| drop(of(run)));
        return of(supervisor);
    }
    found.0.iter().filter_map(of).max_by_key(|outcome| outcome.code)
}
