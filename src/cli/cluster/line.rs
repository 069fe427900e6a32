//! The command line of one process of a cluster.

use std::ffi::OsString;
use std::time::Duration;

use super::super::args::{Run, WorkerArgs};
use crate::source::Start;

/// The command line of one process.
pub(super) fn arguments(run: &Run, workers: &WorkerArgs, verbose: u8) -> Vec<OsString> {
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

    use super::super::super::args::{self, Cli};
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
}
