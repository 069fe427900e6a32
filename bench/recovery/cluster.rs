//! [`Cluster`]: a job of the product under a supervisor, looked at from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use highwater::error::{Error, Result};
use highwater::time::Time;
use highwater_dataflows::DATAFLOWS;

use super::{EVERY, LIMIT, LOOK, PROCESSES};
use crate::engines::{beside, write};
use crate::harness::process::{Tree, signal};
use crate::workloads::system::System;

/// A cluster; killed with this value.
pub(super) struct Cluster {
    tree: Tree,
    err: PathBuf,
}

impl Cluster {
    /// Starts a system on generated events: from `start` on, so many a second.
    pub(super) fn start(system: System, dir: &Path, start: Time, rate: f64) -> Result<Cluster> {
        let [out, err, path] = ["out", "err", "checkpoints"].map(|name| dir.join(name));
        let mut command = Command::new(beside("highwater")?);
        command.args(["cluster", system.name(), "-n", &PROCESSES.to_string()]);
        command.arg("-c").arg(write(dir, "quiet.toml", &system.settings(None))?);
        let sets = [
            format!("checkpoint={{path={path:?},every=\"{}ms\"}}", EVERY.as_millis()),
            "cluster.restarts_max=100000".into(),
            format!("sink.\"*\"={{file={{path={:?}}},rows=\"final\"}}", dir.join("{view}.csv")),
            "dead_letters={blackhole={}}".into(),
        ];
        // The one view that has no final rows.
        let table = (system == System::Market)
            .then(|| "sink.market_correlation={blackhole={},rows=\"updates\"}".into());
        for set in sets.into_iter().chain(table).chain(sources(system.name(), start, rate)?) {
            command.arg("--set").arg(set);
        }
        Ok(Cluster { tree: Tree::spawn_apart(command, &out, &err)?, err })
    }

    /// Fails if the supervisor has ended.
    pub(super) fn alive(&self) -> Result<()> {
        match self.tree.has_ended() {
            true => Err(Error::unreachable("the cluster has ended").hint(self.said())),
            false => Ok(()),
        }
    }

    /// How many generations were begun after the first one.
    pub(super) fn generations(&self) -> usize {
        let said = fs::read_to_string(&self.err).unwrap_or_default();
        said.lines().filter(|line| line.contains("generation ")).count()
    }

    /// The end of what it has said.
    pub(super) fn said(&self) -> String {
        self.tree.last_words()
    }

    /// Kills a process by its index.
    pub(super) fn kill(&self, index: usize) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            if let Some(pid) = self.process(index) {
                signal(pid, "KILL");
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        Err(Error::unreachable(format!("there is no process {index}")).hint(self.said()))
    }

    fn process(&self, index: usize) -> Option<u32> {
        let flag = format!("--process={index}");
        let of = self.tree.id();
        let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).ok()?;
        let mut pids = children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
        pids.find(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split('\0').any(|word| word == flag)
        })
    }
}

/// Settings of all sources of a system: in the proportions of its job file, so many events a second
/// in all.
fn sources(system: &str, start: Time, rate: f64) -> Result<Vec<String>> {
    let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == system);
    let text = dataflow.map_or("", |dataflow| dataflow.file.1);
    let file: toml::Table = text.parse().map_err(Error::config)?;
    let sources = file.get("source").and_then(toml::Value::as_table);
    let rate_of = |source: &toml::Value| {
        let rate = source.get("generator")?.get("rate")?;
        rate.as_float().or(rate.as_integer().map(|rate| rate as f64))
    };
    // Those of jobs that run only when they are named are not read.
    let read = sources.into_iter().flatten().filter(|(name, _)| !name.ends_with(".raw"));
    let rates: Vec<(&String, f64)> =
        read.filter_map(|(name, source)| Some((name, rate_of(source)?))).collect();
    let all: f64 = rates.iter().map(|(_, rate)| rate).sum();
    let settings = rates.iter().flat_map(|(name, part)| {
        let rate = (rate * part / all).max(1.0);
        [format!("rate={rate:.3}"), format!("start=\"{start}\"")]
            .map(|set| format!("source.\"{name}\".generator.{set}"))
    });
    Ok(settings.collect())
}
