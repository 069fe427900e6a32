//! Engines behind one trait: each is a command that reads one topic and writes rows to another.
//!
//! Processor time and memory are read by the harness, never reported by an engine.

mod engine;
mod peer;
mod single_thread;

use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::error::{Error, Result, nearest};
use serde::{Deserialize, Serialize};

use crate::load::Target;
use crate::workloads::Workload;

pub use single_thread::run as run_single_thread;

/// What an engine is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What to compute.
    pub query: Workload,
    /// Which rows to write.
    pub rows: RowsWanted,
    /// Whether the input ends.
    pub input_is: Input,
    /// Where events are.
    pub input: Target,
    /// Where rows go: a topic with one partition.
    pub output: Target,
    /// How many events there are, in a backlog.
    pub events: u64,
    /// Threads that compute.
    pub workers: usize,
    /// How far a watermark runs behind, in milliseconds.
    pub delay_ms: i64,
    /// How long a producer of rows waits for more of them, in milliseconds.
    pub linger_ms: u64,
    /// A folder of its own, which is empty.
    pub work: PathBuf,
}

/// Which rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsWanted {
    /// Rows of closed windows.
    Final,
    /// Each change.
    Update,
}

/// What the input is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// All there before the engine starts.
    Backlog,
    /// Events come while it runs.
    Live,
}

/// What writes rows, or is a limit of what can.
pub trait Engine {
    /// Its name in experiments and results.
    fn name(&self) -> &'static str;

    /// Its version, in a few words.
    ///
    /// # Errors
    ///
    /// Why it cannot run on this machine.
    fn version(&self) -> Result<String, String>;

    /// Why it does not do such a job; `None` if it does.
    fn refuses(&self, _job: &Job) -> Option<String> {
        None
    }

    /// Its command, with whatever files it needs made in the folder of the job.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    fn command(&self, job: &Job) -> Result<Command>;

    /// Whether it writes rows; a limit only reads.
    fn writes_rows(&self) -> bool {
        true
    }

    /// Whether its distinct counts are estimates.
    fn is_approximate(&self) -> bool {
        false
    }

    /// Whether it runs on a virtual machine, whose start is a cost of its own.
    fn is_jvm(&self) -> bool {
        false
    }
}

/// All of them, in the order of reports.
pub fn all() -> Vec<Box<dyn Engine>> {
    let mut engines = engine::engines();
    engines.extend(single_thread::engines());
    engines.extend(peer::engines());
    engines
}

/// The engine of a name.
///
/// # Errors
///
/// There is none; with those that there are.
pub fn named(name: &str) -> Result<Box<dyn Engine>> {
    let mut engines = all();
    match engines.iter().position(|engine| engine.name() == name) {
        Some(place) => Ok(engines.swap_remove(place)),
        None => {
            let names: Vec<&str> = engines.iter().map(|engine| engine.name()).collect();
            let near = nearest(name, names.iter().copied());
            let hint = if near.is_empty() { names } else { near };
            Err(Error::usage(format!("there is no engine `{name}`"))
                .hint(format!("there is {}", hint.join(", "))))
        }
    }
}

/// Writes a file of a job.
pub(crate) fn write(work: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = work.join(name);
    std::fs::write(&path, text)
        .map_err(|error| Error::storage(format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// This program, or one that was built beside it.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe().map_err(Error::storage)?;
    Ok(this.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_engine_is_refused_with_those_like_it() {
        let error = named("flinc").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("no engine `flinc`") && error.contains("flink"), "{error}");
    }

    #[test]
    fn every_name_is_taken_once() {
        let mut names: Vec<&str> = all().iter().map(|engine| engine.name()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
