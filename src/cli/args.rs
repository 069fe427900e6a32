//! Flags and arguments. timely's flags keep timely's letters: `-h` is the host file.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::source::Start;
use crate::source::generator::read_time;
use crate::time::parse_duration;

const EXAMPLES: &str = "Examples:
  highwater                                        run chat on generated events: nothing to install
  highwater list                                   what there is to run, and to bind it to
  highwater check chat -c chat.kafka.toml          look whether Kafka and PostgreSQL are there
  highwater run chat -c chat.kafka.toml -w 2       run it with two workers
  highwater generate chat --rate 100 --kafka       write events for it to Kafka
  highwater inspect chat                           ask the one that runs: why is this window open?

`highwater COMMAND --help` says more. Exit codes: 0 done, 64 the command line, 65 configuration,
70 a bug, 74 storage, 75 unreachable: try again.";

/// Windowed views over Kafka, kept by timely and differential dataflow.
#[derive(Debug, Parser)]
#[command(
    name = "highwater",
    version,
    about = "Windowed views over Kafka, kept by timely and differential dataflow",
    after_help = EXAMPLES,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    /// Prints help.
    #[arg(long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
    /// Says more on standard error; twice: everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    #[command(flatten)]
    pub(super) workers: WorkerArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Clone, Debug, PartialEq, Args)]
pub(super) struct WorkerArgs {
    /// Worker threads in each process.
    #[arg(short = 'w', long, global = true, default_value_t = 1, value_name = "N",
          value_parser = parse_count)]
    pub(super) threads: usize,
    /// Processes of the job; the same in each of them.
    #[arg(short = 'n', long, global = true, default_value_t = 1, value_name = "N",
          value_parser = parse_count)]
    pub(super) processes: usize,
    /// Index of this process, from 0; of a cluster on several machines those that run on this one,
    /// such as `0..2`, which is 0 and 1.
    #[arg(short = 'p', long, global = true, value_name = "INDEX", value_parser = parse_indices)]
    pub(super) process: Option<Indices>,
    /// A file with one `host:port` a line, one line a process; else localhost:2101 + index.
    #[arg(short = 'h', long, global = true, value_name = "FILE")]
    pub(super) hostfile: Option<PathBuf>,
    /// Listens on this address (`ADDRESS` or `ADDRESS:PORT`) for other processes, instead of the
    /// one that the host file names.
    #[arg(long, global = true, value_name = "ADDRESS", conflicts_with = "bind_any")]
    pub(super) bind: Option<String>,
    /// Listens on every network of this machine; needs a secret.
    #[arg(long, global = true)]
    pub(super) bind_any: bool,
    /// A file with the secret that all processes of the job share (mode 0600); without it that of
    /// `cluster.secret_file`, if any. Who does not know it cannot connect.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    /// How long to wait for the other processes at the start.
    #[arg(long, global = true, default_value = "60s", value_name = "DURATION",
          value_parser = parse_duration)]
    pub(super) connect_timeout: Duration,
    /// Reports connection progress on standard error.
    #[arg(short = 'r', long, global = true)]
    pub(super) report: bool,
    /// Serialises between the threads of a process as well.
    #[arg(short = 'z', long, global = true)]
    pub(super) zerocopy: bool,
    /// When workers tell each other of progress: at once, or when it may change something.
    #[arg(long, global = true, default_value = "demand", value_name = "MODE",
          value_parser = ["eager", "demand"])]
    pub(super) progress_mode: String,
}

impl WorkerArgs {
    /// How many workers there are, in words.
    pub(super) fn summary(&self) -> String {
        match self.threads {
            1 => "1 worker".into(),
            threads => format!("{threads} workers"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the jobs of a system, or some of them, in this process.
    Run(Run),
    /// Runs the same in N processes (-n N); ends all of them when one ends, and with checkpoints
    /// starts all again after a failure. On several machines each runs its share: -h HOSTS -p 0..2.
    Cluster(Run),
    /// Binds jobs and looks whether everything is there; runs nothing, prints the plan.
    Check(super::check::Check),
    /// Writes the records of a data set: to standard output, to files or to Kafka.
    Generate(super::generate::Generate),
    /// Asks a running job: processes, rates, ledgers, sinks, why a window is still open. Of a
    /// folder: what its checkpoints hold.
    Inspect(super::inspect::Inspect),
    /// Lists the dead letters of a system, or sends them into their topics again.
    #[command(subcommand)]
    Letters(super::letters::Letters),
    /// Asks a running job for its end, as SIGTERM does, and waits for it.
    Stop(super::stop::StopArgs),
    /// Lists what this binary has.
    List(List),
    /// Finds and ends transactions of Kafka that a dead job has left open.
    #[command(subcommand)]
    Txn(super::txn::Txn),
}

#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(super) struct Run {
    /// The system; the first one if none is named.
    pub(super) system: Option<String>,
    /// Its jobs; all of them if none is named.
    pub(super) jobs: Vec<String>,
    /// A job file, laid over the embedded one; several are laid over each other in turn. The name
    /// of an embedded overlay, such as `chat.kafka.toml`, works without the file.
    #[arg(short, long = "config", value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// Sets one key, with TOML's dotted names: `--set source.chat.lateness=30s`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Stops after this time. Stopping is no end of input: open windows stay unwritten.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    pub(super) time: Option<Duration>,
    /// Where reading begins: `earliest`, `latest`, an offset for all partitions, `p:offset,…`, or
    /// a time.
    #[arg(long, value_name = "WHERE", value_parser = parse_start)]
    pub(super) from: Option<Start>,
    /// Writes the latencies of each view to a CSV file at the end; of a cluster to FILE.0, FILE.1,
    /// and so on.
    #[arg(long, value_name = "FILE")]
    pub(super) latency: Option<PathBuf>,
    /// Measures no latencies.
    #[arg(long, conflicts_with = "latency")]
    pub(super) no_latency: bool,
    /// Sets every option that makes results those of the replaced system.
    #[arg(long)]
    pub(super) compat: bool,
    /// Stops when standard input ends, as `highwater cluster` asks of its processes.
    #[arg(long)]
    pub(super) stop_at_eof: bool,
}

// Jobs, and the files that bind them. No comment for clap, as above.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(super) struct Bound {
    /// The system; the first one if none is named.
    system: Option<String>,
    /// Its jobs; all of them if none is named.
    jobs: Vec<String>,
    /// A job file, laid over the embedded one; as for `run`.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Sets one key, as for `run`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
}

impl Bound {
    /// The same for `run`.
    pub(super) fn run(&self) -> Run {
        let Bound { system, jobs, config, sets } = self.clone();
        Run { system, jobs, config, sets, ..Run::default() }
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list: all of it if nothing is named.
    #[arg(value_parser = ["systems", "jobs", "sources", "sinks", "codecs", "datasets"])]
    pub(super) what: Option<String>,
    /// Of jobs: those of one system.
    pub(super) system: Option<String>,
}

/// Indices of processes that are next to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Indices(pub(super) Range<usize>);

impl Indices {
    /// The index, if it is one.
    pub(super) fn one(&self) -> Option<usize> {
        (self.0.len() == 1).then_some(self.0.start)
    }
}

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.one() {
            Some(index) => write!(f, "{index}"),
            None => write!(f, "{}..{}", self.0.start, self.0.end),
        }
    }
}

fn parse_indices(text: &str) -> Result<Indices, String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number <= COUNT_MAX);
    let range = match text.split_once("..") {
        None => number(text).map(|index| index..index + 1),
        Some((first, end)) => number(first).zip(number(end)).map(|(first, end)| first..end),
    };
    let range = range.filter(|range| !range.is_empty());
    range.map(Indices).ok_or_else(|| "write an index such as 0, or a range such as 0..2".into())
}

/// More threads or processes than this help no machine, and fewer than one do nothing.
const COUNT_MAX: usize = 1_024;

fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("write a number from 1 to {COUNT_MAX}"))
}

fn parse_start(text: &str) -> Result<Start, String> {
    let wrong =
        || format!("`{text}` is none of earliest, latest, an offset, p:offset,… and a time");
    match text {
        "earliest" => return Ok(Start::Earliest),
        "latest" => return Ok(Start::Latest),
        _ => {}
    }
    if let Ok(offset) = text.parse() {
        return if offset < 0 { Err(wrong()) } else { Ok(Start::Offset(offset)) };
    }
    let pairs: Option<Vec<(u32, i64)>> = text
        .split(',')
        .map(|pair| {
            let (partition, offset) = pair.split_once(':')?;
            Some((partition.trim().parse().ok()?, offset.trim().parse().ok()?))
        })
        .collect();
    if let Some(offsets) = pairs {
        return Ok(Start::Offsets(offsets));
    }
    read_time(text).map(Start::Time).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_is_the_host_file_and_never_help() {
        let parse = |args: &[&str]| Cli::try_parse_from(["highwater"].iter().chain(args));
        assert!(parse(&["--help"]).unwrap_err().to_string().contains("--threads"));
        assert_eq!(parse(&["run", "chat", "-w", "3"]).unwrap().workers.threads, 3);
        assert_eq!(parse(&["-w", "2"]).unwrap().workers.threads, 2);
        for args in [&["-h", "hosts"][..], &["run", "-h", "hosts"], &["cluster", "-h", "hosts"]] {
            let hostfile = parse(args).unwrap().workers.hostfile;
            assert_eq!(hostfile.as_deref(), Some(std::path::Path::new("hosts")));
        }
        assert!(parse(&["run", "--help"]).unwrap_err().to_string().contains("--hostfile"));
        assert!(parse(&["-w", "0"]).unwrap_err().to_string().contains("write a number from 1"));
    }

    #[test]
    fn a_share_of_processes_is_an_index_or_a_range() {
        let check = |text: &str, expect: Range<usize>| {
            let indices = parse_indices(text).unwrap();
            assert_eq!(indices.0, expect);
            assert_eq!(indices.to_string(), text);
        };
        check("0", 0..1);
        check("7", 7..8);
        check("0..2", 0..2);
        check("3..7", 3..7);
        for text in ["", "x", "-1", "2..2", "3..1", "..2", "1..", "0..9999999999", "0-2"] {
            assert!(parse_indices(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_start_is_a_word_offsets_or_a_time() {
        assert_eq!(parse_start("earliest"), Ok(Start::Earliest));
        assert_eq!(parse_start("17"), Ok(Start::Offset(17)));
        assert_eq!(parse_start("0:5, 2:7"), Ok(Start::Offsets(vec![(0, 5), (2, 7)])));
        let time = crate::time::Time::from_seconds(1_760_000_000);
        assert_eq!(parse_start("2025-10-09T08:53:20Z"), Ok(Start::Time(time)));
        assert!(parse_start("-3").is_err());
        assert!(parse_start("yesterday").is_err());
    }
}
