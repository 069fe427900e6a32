//! [`Keeper`]: the thread that brings the files of checkpoints to the store.
//!
//! It tries again while the store fails, for at most `checkpoint.age_max`: the job runs on
//! meanwhile, with the last checkpoint that was published. After each manifest it removes what
//! none of the last `checkpoint.keep` manifests names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::manifest::{Manifest, StateFile};
use super::store::Store;
use super::{At, BlockWriter, Checkpoints, State, outbox};
use crate::error::{Error, Kind, Result};
use crate::failpoint::failpoint;
use crate::host::{Host, Signal, Thread as HostThread};
use crate::runtime::Failure;
use crate::stream::Snapshot;
use crate::text::Text;

/// First and longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What a worker asks for.
enum Task {
    Put { at: At, operator: Text, name: String, snapshot: Snapshot },
    Publish(Box<Manifest>),
}

/// What has become durable.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// The state of an operator.
    State(At, Text, StateFile),
    /// The manifest of an epoch; whether it is the last one.
    Published(u64, bool),
}

/// A worker's end of the thread.
pub struct Keeper {
    answers: Receiver<Kept>,
    shared: Arc<Shared>,
    thread: Option<HostThread>,
}

struct Shared {
    orders: Mutex<Orders>,
    changed: Signal,
    /// States that are not durable yet.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Orders {
    tasks: VecDeque<Task>,
    /// Nobody waits for anything any more.
    leaving: bool,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task; none once all are done and nobody waits any more.
    fn next(&self) -> Option<Task> {
        let mut orders = self.orders();
        loop {
            if let Some(task) = orders.tasks.pop_front() {
                return Some(task);
            }
            if orders.leaving {
                return None;
            }
            orders = self.changed.wait(&self.orders, orders, None);
        }
    }

    /// Waits for so long; false if meanwhile nobody waits for anything any more.
    fn pause(&self, host: &Host, pause: Duration) -> bool {
        let (begun, mut orders) = (host.now(), self.orders());
        loop {
            let left = pause.saturating_sub(host.since(begun));
            if orders.leaving || left.is_zero() {
                return !orders.leaving;
            }
            orders = self.changed.wait(&self.orders, orders, Some(left));
        }
    }
}

impl Keeper {
    /// Starts the thread; `wake` is called after each answer.
    ///
    /// # Errors
    ///
    /// The system refuses another thread.
    pub fn start(
        host: &Host,
        checkpoints: Arc<Checkpoints>,
        (worker, failure): (usize, Failure),
        wake: impl Fn() + Send + 'static,
    ) -> Result<Keeper> {
        let (answer, answers) = mpsc::channel();
        let shared = Arc::new(Shared {
            orders: Mutex::default(),
            changed: Signal::new(host),
            waiting: AtomicUsize::new(0),
        });
        let (seen, clock) = (shared.clone(), host.clone());
        let thread = host.spawn("checkpoints".into(), move || {
            // Worker 0 alone publishes, and so removes.
            let kept = if worker == 0 { earlier(&checkpoints) } else { BTreeMap::new() };
            let mut thread =
                Thread { host: clock, checkpoints, worker, failure, shared: seen, kept };
            while let Some(task) = thread.shared.next() {
                let Some(kept) = thread.serve(task) else { return };
                // Nobody listens any more when the job has ended with an error.
                let _ = answer.send(kept);
                wake();
            }
        });
        let thread = thread
            .map_err(|error| Error::unreachable(format!("no thread for checkpoints: {error}")))?;
        Ok(Keeper { answers, shared, thread: Some(thread) })
    }

    /// Hands over the state of an operator, for a file with a name.
    pub fn put(&self, at: At, operator: Text, name: String, snapshot: Snapshot) {
        self.shared.waiting.fetch_add(1, Relaxed);
        self.order(Task::Put { at, operator, name, snapshot });
    }

    /// Hands over a manifest, all of whose files are durable.
    pub fn publish(&self, manifest: Manifest) {
        self.order(Task::Publish(Box::new(manifest)));
    }

    /// How many files with state are not durable yet.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Relaxed)
    }

    /// What has become durable since it was asked last.
    pub fn answers(&self) -> impl Iterator<Item = Kept> {
        self.answers.try_iter()
    }

    fn order(&self, task: Task) {
        // A thread that has ended has set the failure of the job.
        self.shared.orders().tasks.push_back(task);
        self.shared.changed.notify_all();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.orders().leaving = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join();
        }
    }
}

struct Thread {
    host: Host,
    checkpoints: Arc<Checkpoints>,
    worker: usize,
    failure: Failure,
    shared: Arc<Shared>,
    /// The files of the manifests that are kept, by epoch.
    kept: BTreeMap<u64, BTreeSet<String>>,
}

impl Thread {
    /// `None` once the thread cannot go on.
    fn serve(&mut self, task: Task) -> Option<Kept> {
        match task {
            Task::Put { at, operator, name, snapshot } => {
                failpoint!("ckpt.before_write");
                let whole = snapshot.iter().all(|saved| saved.whole);
                let bytes = state_bytes(snapshot);
                self.patiently(|store| store.put(&name, &bytes))?;
                failpoint!("ckpt.before_ack");
                self.shared.waiting.fetch_sub(1, Relaxed);
                let (bytes, worker) = (bytes.len() as u64, self.worker);
                Some(Kept::State(at, operator, StateFile { name, bytes, worker, whole }))
            }
            Task::Publish(manifest) => {
                let (name, bytes) = (Manifest::name(manifest.epoch), manifest.to_bytes());
                if !self.publish(&name, &bytes)? {
                    self.failure.set(fenced(&*self.checkpoints.store, &name));
                    return None;
                }
                failpoint!("manifest.after_publish");
                let files = manifest.files().map(str::to_owned).collect();
                self.kept.insert(manifest.epoch, files);
                if let Err(error) = self.sweep() {
                    tracing::warn!("old checkpoints stay: {error}");
                }
                Some(Kept::Published(manifest.epoch, manifest.done))
            }
        }
    }

    /// An attempt that failed may have published all the same.
    fn publish(&self, name: &str, bytes: &[u8]) -> Option<bool> {
        failpoint!("manifest.before_publish");
        self.patiently(|store| {
            Ok(store.publish(name, bytes)? || store.get(name)?.is_some_and(|found| found == bytes))
        })
    }

    /// Tries until it succeeds, waiting is no use, or nobody waits any more.
    fn patiently<T>(&self, call: impl Fn(&dyn Store) -> Result<T>) -> Option<T> {
        let (begun, mut pause) = (self.host.now(), PAUSES.0);
        loop {
            let error = match call(&*self.checkpoints.store) {
                Ok(done) => return Some(done),
                Err(error) => error,
            };
            let over = self.checkpoints.options.age_max <= self.host.since(begun);
            let may_pass = matches!(error.kind(), Kind::Storage | Kind::Unreachable);
            if !may_pass || over {
                self.failure.set(error.hint(
                    "make room or mend the store, then start the job again: it goes on from the \
                     last checkpoint",
                ));
                return None;
            }
            tracing::warn!(pause_ms = pause.as_millis() as u64, "{error}; trying again");
            if !self.shared.pause(&self.host, pause) {
                return None;
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Removes what none of the manifests that are kept names. Manifests go first: one without
    /// its files would be damaged.
    fn sweep(&mut self) -> Result<()> {
        while self.checkpoints.options.keep.max(1) < self.kept.len() {
            self.kept.pop_first();
        }
        let Some((oldest, _)) = self.kept.first_key_value() else { return Ok(()) };
        failpoint!("manifest.before_cleanup");
        let store = &*self.checkpoints.store;
        let (mut manifests, mut files) = (Vec::new(), Vec::new());
        for name in store.list()? {
            if Manifest::epoch_of(&name).is_some_and(|epoch| epoch < *oldest) {
                manifests.push(name);
            } else if file_epoch(&name).is_some_and(|epoch| epoch <= *oldest)
                && !self.kept.values().any(|files| files.contains(&name))
            {
                files.push(name);
            }
        }
        manifests.iter().chain(&files).try_for_each(|name| store.delete(name))
    }
}

/// The manifests that are there when a job starts; what cannot be read is none.
fn earlier(checkpoints: &Checkpoints) -> BTreeMap<u64, BTreeSet<String>> {
    let Some(restored) = &checkpoints.restored else { return BTreeMap::new() };
    let names = checkpoints.store.list().unwrap_or_default();
    let read = |name: &String| {
        let epoch = Manifest::epoch_of(name).filter(|epoch| *epoch <= restored.epoch)?;
        let manifest = Manifest::read(&checkpoints.store.get(name).ok()??).ok()?;
        Some((epoch, manifest.files().map(str::to_owned).collect()))
    };
    names.iter().filter_map(read).collect()
}

/// The file that holds what was saved of an operator, part by part.
fn state_bytes(snapshot: Snapshot) -> Vec<u8> {
    let mut file = BlockWriter::new(super::Kind::State);
    for (part, saved) in snapshot.into_iter().enumerate() {
        let part = u16::try_from(part).expect("an operator has few parts");
        State::write_saved(part, saved, &mut file);
    }
    file.finish()
}

/// The name of a file with state. No two attempts write the same one.
pub(super) fn state_name(epoch: u64, generation: u64, worker: usize, operator: usize) -> String {
    format!("{STATE}{epoch:020}-{generation:x}-{worker}-{operator}")
}

/// The epoch of a file with state, or with rows that are to be delivered.
fn file_epoch(name: &str) -> Option<u64> {
    let name = name.strip_prefix(STATE).or_else(|| name.strip_prefix(outbox::PREFIX))?;
    name.get(..20)?.parse().ok()
}

const STATE: &str = "state-";

fn fenced(store: &dyn Store, name: &str) -> Error {
    Error::fenced(format!("`{name}` was published by another process")).within(store.name())
}

#[cfg(test)]
mod tests;
