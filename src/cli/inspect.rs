//! `highwater inspect`: a running job, or the checkpoints in a folder or bucket.

mod folder;
mod running;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::control::{self, Wanted};
use crate::control::Runs;
use crate::error::{Error, Result};
use crate::time::parse_duration;

/// Arguments of `highwater inspect`.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// A system or job that runs here, or a folder of checkpoints: `checkpoint.path`, or the one of
    /// a job in it; the variables of AWS say how
    /// `s3://BUCKET/FOLDER` is reached. Without it whatever runs here.
    #[arg(value_name = "SYSTEM|FOLDER")]
    what: Option<String>,
    /// Of several that run, the one with this pid.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Shows again and again, once in so long.
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true,
          default_missing_value = "2s", value_parser = parse_duration)]
    watch: Option<Duration>,
    /// Of a folder: shows this checkpoint instead of the newest one that is whole.
    #[arg(long, value_name = "N", conflicts_with_all = ["watch", "pid"])]
    epoch: Option<u64>,
    /// Prints JSON: the manifest of a checkpoint; of a job a line with all that its processes say.
    #[arg(long)]
    json: bool,
}

/// Prints what is asked for.
pub(super) fn inspect(args: &Inspect) -> Result<()> {
    let wanted = Wanted { name: args.what.as_deref(), pid: args.pid };
    let runs = Runs::open();
    let is_job = || runs.as_ref().is_ok_and(|runs| control::find(runs, &wanted).is_ok());
    if let Some(folder) = folder_of(args, is_job) {
        if args.watch.is_some() || args.pid.is_some() {
            return Err(Error::usage(format!("`{folder}` is a folder of checkpoints"))
                .hint("--watch and --pid are about running jobs"));
        }
        return print(&folder::describe_folder(&folder, args.epoch, args.json)?);
    }
    let runs = runs?;
    loop {
        let found = control::find(&runs, &wanted)?;
        let (statuses, silent) = control::statuses(&found);
        if statuses.is_empty()
            && let Some(error) = silent.into_iter().next()
        {
            return Err(error);
        }
        let statuses = control::fitting(statuses);
        let mut text = match args.json {
            true => running::json(&statuses)?,
            false => running::describe(&found, &statuses),
        };
        let Some(every) = args.watch else { return print(&text) };
        if !args.json && std::io::stdout().is_terminal() {
            // From the top of an empty screen.
            text.insert_str(0, "\x1b[2J\x1b[H");
        }
        print(&text)?;
        std::thread::sleep(every);
    }
}

/// The folder that is meant: what looks like a path, or is a folder and no job that runs.
fn folder_of(args: &Inspect, is_job: impl Fn() -> bool) -> Option<String> {
    let what = args.what.as_deref()?;
    let path = Path::new(what);
    let is_path = args.epoch.is_some() || what.contains('/') || what.starts_with('.');
    (is_path || path.is_dir() && !is_job()).then(|| what.into())
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::storage(format!("cannot write to standard output: {error}")))
}
