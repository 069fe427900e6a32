//! What a cluster says of itself, and who has asked it for its end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::args::WorkerArgs;
use crate::control::{Panel, RequestCounts, Run};
use crate::observe::status::{Phase, ProcessStatus, Role, Status};
use crate::runtime::{Dataflow, wall_time};
use crate::time::Time;

/// Who has asked for the end.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// A signal has come that was not seen yet.
    pub(super) signalled: Arc<AtomicBool>,
    /// One was seen.
    was_signalled: AtomicBool,
    /// `highwater stop`; it may ask again, and is no second signal.
    stop: AtomicBool,
}

impl Asked {
    /// Whether a signal has come since the last call.
    pub(super) fn take_signal(&self) -> bool {
        let signalled = self.signalled.swap(false, Relaxed);
        self.was_signalled.fetch_or(signalled, Relaxed);
        signalled
    }

    /// Whether `highwater stop` has asked.
    pub(super) fn by_stop(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Whether anybody has.
    pub(super) fn is_asked(&self) -> bool {
        let by_signal = self.signalled.load(Relaxed) || self.was_signalled.load(Relaxed);
        by_signal || self.by_stop()
    }
}

/// What a cluster says of itself.
pub(super) struct ClusterPanel {
    system: String,
    jobs: Vec<String>,
    processes: usize,
    threads: usize,
    began: Time,
    asked: Arc<Asked>,
    /// How many generations have begun, and why the last one has ended.
    generation: Mutex<(u64, Option<String>)>,
    refused: RequestCounts,
}

impl ClusterPanel {
    /// Of the processes of some jobs.
    pub(super) fn new(
        dataflows: &[&'static Dataflow],
        workers: &WorkerArgs,
        asked: Arc<Asked>,
    ) -> ClusterPanel {
        ClusterPanel {
            system: dataflows.first().map_or(String::new(), |dataflow| dataflow.system.into()),
            jobs: dataflows.iter().map(|dataflow| dataflow.name.into()).collect(),
            processes: workers.processes,
            threads: workers.threads,
            began: wall_time(),
            asked,
            generation: Mutex::new((1, None)),
            refused: RequestCounts::default(),
        }
    }

    /// Its run file, without address and token.
    pub(super) fn run(&self) -> Run {
        Run {
            pid: std::process::id(),
            role: Role::Cluster,
            system: self.system.clone(),
            jobs: self.jobs.clone(),
            index: 0,
            processes: self.processes,
            supervisor: None,
            began: self.began,
            address: None,
            token: String::new(),
        }
    }

    /// A generation begins, after the end of the last one.
    pub(super) fn begin_again(&self, generation: u64, cause: String) {
        *self.generation() = (generation, Some(cause));
    }

    fn generation(&self) -> MutexGuard<'_, (u64, Option<String>)> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Panel for ClusterPanel {
    fn status(&self) -> Status {
        let (generation, cause) = self.generation().clone();
        Status {
            engine: env!("CARGO_PKG_VERSION").into(),
            system: self.system.clone(),
            now: wall_time(),
            process: ProcessStatus {
                role: Role::Cluster,
                pid: std::process::id(),
                index: 0,
                processes: self.processes,
                threads: self.threads,
                began: self.began,
                phase: if self.asked.is_asked() { Phase::Stopping } else { Phase::Running },
                generation: Some(generation),
                supervisor: None,
                cause,
            },
            refused_connections: BTreeMap::new(),
            refused_requests: self.refused.named(),
            jobs: vec![],
        }
    }

    fn stop(&self) {
        self.asked.stop.store(true, Relaxed);
    }

    fn was_asked(&self) -> bool {
        self.asked.by_stop()
    }

    fn refused(&self) -> &RequestCounts {
        &self.refused
    }
}
