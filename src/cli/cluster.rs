//! `highwater cluster`: starts several processes of this binary on this machine, and ends all of
//! them when one ends.
//!
//! ```text
//! cluster ──starts──► run … -n 3 -p 0      the children inherit standard output and error
//!    │   ├──────────► run … -n 3 -p 1
//!    │   └──────────► run … -n 3 -p 2
//!    └─ holds their standard inputs: letting go of one asks that process to stop, and so does
//!       the end of this process, however it comes
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{Cli, Run, WorkerArgs};
use super::{Registry, log, run};
use crate::error::{Error, Kind, Result};
use crate::source::Start;

/// How often the processes are looked at.
const TURN: Duration = Duration::from_millis(20);

/// How long processes may take to stop: longer than they give themselves.
const GRACE: Duration = Duration::from_secs(35);

/// How long the others may take to end by themselves once one has ended well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the processes until one ends; the exit code is that of the cause.
pub(super) fn cluster(args: &Run, cli: &Cli, registry: Registry) -> Result<ExitCode> {
    let workers = &cli.workers;
    if let Some(index) = workers.process {
        let error = format!("`cluster` starts all processes, so -p {index} is one too many");
        return Err(Error::usage(error).hint("`run` with -n, -p and -h starts one of them"));
    }
    // What is wrong with the command line is said once.
    run::choose(args.system.as_deref(), &args.jobs, registry)?;
    let asked = catch_signals()?;
    let hosts = match &workers.hostfile {
        Some(_) => None,
        None => Some(HostFile::new(workers.processes)?),
    };
    let hostfile = hosts.as_ref().map(|hosts| &hosts.0).or(workers.hostfile.as_ref());
    let workers = WorkerArgs { hostfile: hostfile.cloned(), ..workers.clone() };
    let mut processes = Processes { running: vec![], codes: vec![] };
    for index in 0..workers.processes {
        let workers = WorkerArgs { process: Some(index), ..workers.clone() };
        let arguments = arguments(args, &workers, cli.verbose);
        processes.start(index, &arguments)?;
    }
    Ok(ExitCode::from(processes.watch(&asked)))
}

fn catch_signals() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, asked.clone())
            .map_err(|error| Error::bug(format!("cannot catch signals: {error}")))?;
    }
    Ok(asked)
}

/// The children.
struct Processes {
    running: Vec<(usize, Child)>,
    codes: Vec<u8>,
}

impl Processes {
    /// Starts one in a process group of its own: Ctrl-C is for this process, which passes it on.
    fn start(&mut self, index: usize, arguments: &[OsString]) -> Result<()> {
        let failed =
            |error| Error::unreachable(format!("process {index} cannot be started: {error}"));
        let binary = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::piped()).process_group(0);
        self.running.push((index, command.spawn().map_err(failed)?));
        Ok(())
    }

    /// Waits for the end of all; the first signal asks them to stop, the second one kills.
    fn watch(mut self, asked: &AtomicBool) -> u8 {
        let mut kill_at = None;
        let mut ask_at = None;
        while !self.running.is_empty() {
            let ended = self.reap();
            let now = Instant::now();
            if asked.swap(false, Relaxed) {
                // A second signal while they stop is impatience.
                kill_at = kill_at.map(|_| now);
                ask_at = Some(now);
            }
            if ended {
                let failed = self.codes.iter().any(|code| *code != 0);
                let end = if failed { now } else { now + PATIENCE };
                ask_at = Some(ask_at.map_or(end, |at: Instant| at.min(end)));
            }
            if ask_at.is_some_and(|at| at <= now) && kill_at.is_none() {
                self.running.iter_mut().for_each(|(_, child)| drop(child.stdin.take()));
                kill_at = Some(now + GRACE);
            }
            if kill_at.is_some_and(|at| at <= now) {
                self.kill();
            }
            sleep(TURN);
        }
        self.code()
    }

    /// Takes leave of those that have ended; whether there was one.
    fn reap(&mut self) -> bool {
        let before = self.running.len();
        let codes = &mut self.codes;
        self.running.retain_mut(|(index, child)| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                let code = code_of(status);
                if code != 0 {
                    log::say(&format!("process {index} ended: {status}"));
                }
                codes.push(code);
                false
            }
            Err(error) => {
                log::say(&format!("process {index} cannot be watched: {error}"));
                codes.push(Kind::Unreachable.exit_code() as u8);
                false
            }
        });
        self.running.len() < before
    }

    fn kill(&mut self) {
        for (index, mut child) in std::mem::take(&mut self.running) {
            log::say(&format!("process {index} did not stop in time and is killed"));
            // Both fail only for a process that has ended.
            let _ = child.kill();
            let _ = child.wait();
            self.codes.push(Kind::Unreachable.exit_code() as u8);
        }
    }

    /// The first code that is not 0. A lost peer (75) is what all others end with when one
    /// fails, so any other code is the cause, whenever it was seen.
    fn code(&self) -> u8 {
        let lost = Kind::Unreachable.exit_code() as u8;
        let failed = || self.codes.iter().copied().filter(|code| *code != 0);
        failed().find(|code| *code != lost).or_else(|| failed().next()).unwrap_or(0)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // Some have started and one could not be: without it they would wait for nothing.
        self.kill();
    }
}

/// A process that a signal has ended counts as lost: starting again is the way out.
fn code_of(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, _) => Kind::Unreachable.exit_code() as u8,
    }
}

/// A host file of ports that are free now; removed with this value.
struct HostFile(PathBuf);

impl HostFile {
    fn new(processes: usize) -> Result<HostFile> {
        let failed = |error| {
            Error::storage(format!("the host file of the processes cannot be made: {error}"))
        };
        // All are held until the last one is known, so that no two are the same.
        let listeners: Vec<TcpListener> = (0..processes)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let path = std::env::temp_dir().join(format!("highwater-{}.hosts", std::process::id()));
        // A file of an earlier process with this pid; what is none of ours cannot be removed, and
        // is not written to either.
        let _ = fs::remove_file(&path);
        let mut file = File::create_new(&path).map_err(failed)?;
        let hosts = HostFile(path);
        for listener in &listeners {
            let address = listener.local_addr().map_err(failed)?;
            writeln!(file, "{address}").map_err(failed)?;
        }
        Ok(hosts)
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        // The next process with this pid removes it else.
        let _ = fs::remove_file(&self.0);
    }
}

/// The command line of one process.
fn arguments(run: &Run, workers: &WorkerArgs, verbose: u8) -> Vec<OsString> {
    let mut line = Line(vec!["run".into()]);
    line.0.extend(run.system.iter().chain(&run.jobs).map(OsString::from));
    let Run { system: _, jobs: _, config, sets, time, from, compat, stop_at_eof: _, .. } = run;
    let Run { latency, no_latency, .. } = run;
    config.iter().for_each(|file| line.flag("--config", file));
    sets.iter().for_each(|set| line.flag("--set", set));
    time.iter().for_each(|time| line.flag("--for", micros(*time)));
    from.iter().for_each(|from| line.flag("--from", start(from)));
    line.switch("--compat", *compat);
    line.switch("--stop-at-eof", true);
    let WorkerArgs { threads, processes, process, hostfile, bind, bind_any, secret_file, .. } =
        workers;
    let WorkerArgs { connect_timeout, report, zerocopy, progress_mode, .. } = workers;
    line.flag("--threads", threads.to_string());
    line.flag("--processes", processes.to_string());
    process.iter().for_each(|process| line.flag("--process", process.to_string()));
    if let (Some(file), Some(process)) = (latency, process) {
        let mut own = file.clone().into_os_string();
        own.push(format!(".{process}"));
        line.flag("--latency", own);
    }
    line.switch("--no-latency", *no_latency);
    hostfile.iter().for_each(|file| line.flag("--hostfile", file));
    bind.iter().for_each(|address| line.flag("--bind", address));
    line.switch("--bind-any", *bind_any);
    secret_file.iter().for_each(|file| line.flag("--secret-file", file));
    line.flag("--connect-timeout", micros(*connect_timeout));
    line.switch("--report", *report);
    line.switch("--zerocopy", *zerocopy);
    line.flag("--progress-mode", progress_mode);
    (0..verbose).for_each(|_| line.switch("--verbose", true));
    line.0
}

struct Line(Vec<OsString>);

impl Line {
    /// A flag and its value, which may begin with a dash.
    fn flag(&mut self, flag: &str, value: impl Into<OsString>) {
        let mut both = OsString::from(flag);
        both.push("=");
        both.push(value.into());
        self.0.push(both);
    }

    fn switch(&mut self, flag: &str, on: bool) {
        self.0.extend(on.then(|| flag.into()));
    }
}

fn micros(time: Duration) -> String {
    format!("{}us", time.as_micros())
}

fn start(start: &Start) -> String {
    match start {
        Start::Earliest => "earliest".into(),
        Start::Latest => "latest".into(),
        Start::Offset(offset) => offset.to_string(),
        Start::Offsets(offsets) => {
            let pairs = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}"));
            pairs.collect::<Vec<_>>().join(",")
        }
        Start::Time(time) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args;
    use super::*;

    #[test]
    fn a_process_gets_the_command_line_of_its_cluster() {
        let check = |line: &str| {
            let parse = |words: Vec<OsString>| {
                Cli::try_parse_from([OsString::from("highwater")].into_iter().chain(words))
            };
            let words = line.split(' ').map(OsString::from).collect();
            let cli = parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            let Some(args::Command::Cluster(run)) = &cli.command else { panic!("{line}") };
            let words = arguments(run, &cli.workers, cli.verbose);
            let again = parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            let Some(args::Command::Run(again_run)) = &again.command else { panic!("{line}") };
            assert_eq!(*again_run, Run { stop_at_eof: true, ..run.clone() }, "{line}");
            assert_eq!(again.workers, cli.workers, "{line}");
            assert_eq!(again.verbose, cli.verbose, "{line}");
        };
        check("cluster");
        check("cluster chat chat -n 3 -w 2 -vv -r -z -c a.toml -c b.toml --set a.b=-1 --compat");
        check("cluster chat --for 1500ms --connect-timeout 2s --progress-mode eager -h hosts");
        check("cluster chat --bind 127.0.0.1 --secret-file s");
        check("cluster chat --bind-any");
        for from in ["earliest", "latest", "17", "0:5,2:7", "2026-01-31T12:00:00Z"] {
            check(&format!("cluster chat --from {from}"));
        }
    }

    #[test]
    fn the_cause_decides_the_exit_code() {
        let check = |codes: &[u8], expect: u8| {
            let processes = Processes { running: vec![], codes: codes.to_vec() };
            assert_eq!(processes.code(), expect, "{codes:?}");
        };
        check(&[0, 0], 0);
        check(&[0, 75, 0], 75);
        check(&[75, 65, 75], 65);
        check(&[70, 74], 70);
    }
}
