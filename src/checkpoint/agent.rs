//! [`Agent`]: a worker's share in the checkpoints of a job.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::collect::{Collector, Council, Ended, Part};
pub use super::collect::{Contribution, Note};
use super::keeper::{Keeper, Kept, state_name};
use super::manifest::{Manifest, Receipt, SinkReceipt, StateFile};
use super::rhythm::Rhythm;
use super::{Checkpoints, memory_name};
use crate::host::Host;
use crate::keyed::Saved;
use crate::stream::Snapshot;
use crate::text::Text;

/// Files with state that may wait for the store, per operator, before snapshots are left out: a
/// store that fails must not fill the memory.
const WAITING_MAX: usize = 2;

/// An operator that has so many files since its last whole one begins anew: a restart reads them
/// all, and stamps of entries hold for no more than 100 intervals (`keyed/saver.rs`).
const CHAIN_MAX: usize = 32;

/// What a file without entries costs, about.
const FILE_BYTES: usize = 100;

/// Which epochs a state is that of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This one.
    Epoch(u64),
    /// This one and all behind it: its operator has ended.
    End(u64),
}

impl At {
    pub(super) fn epoch(self) -> u64 {
        match self {
            At::Epoch(epoch) | At::End(epoch) => epoch,
        }
    }
}

/// A worker's share in the checkpoints of a job: gathers what its operators contribute, and tells
/// them what is published. It says nothing to other workers by itself; see
/// `operators/checkpoints.rs`.
pub struct Agent {
    /// The checkpoints.
    pub checkpoints: Arc<Checkpoints>,
    host: Host,
    worker: usize,
    peers: usize,
    keeper: Keeper,
    published: Cell<Option<u64>>,
    over: Cell<bool>,
    inner: RefCell<Inner>,
}

struct Inner {
    collector: Collector,
    /// Of worker 0.
    council: Option<Council>,
    rhythm: Rhythm,
    /// The files of operators since their last whole one, by name.
    chains: BTreeMap<Text, Chain>,
    /// Whether the states of an epoch are saved.
    wanted: BTreeMap<u64, bool>,
    outgoing: Vec<(usize, Note)>,
    /// Called whenever an epoch is published.
    listeners: Vec<Box<dyn Fn()>>,
}

/// What an operator has saved since its last whole file.
#[derive(Default)]
struct Chain {
    /// How many files were handed over, and the bytes of the whole one and of the others.
    count: usize,
    whole_bytes: usize,
    more_bytes: usize,
    /// Those of them that are durable.
    files: Vec<StateFile>,
}

impl Agent {
    /// Of a worker by its index, among so many.
    pub fn new(
        host: Host,
        checkpoints: Arc<Checkpoints>,
        (worker, peers): (usize, usize),
        keeper: Keeper,
    ) -> Agent {
        let published = checkpoints.restored.as_ref().map(|manifest| manifest.epoch);
        let inner = Inner {
            collector: Collector::new(worker),
            council: (worker == 0).then(|| Council::new(checkpoints.manifest(peers))),
            rhythm: Rhythm::default(),
            chains: BTreeMap::new(),
            wanted: BTreeMap::new(),
            outgoing: Vec::new(),
            listeners: Vec::new(),
        };
        let (published, inner) = (Cell::new(published), RefCell::new(inner));
        let over = Cell::new(false);
        Agent { host, checkpoints, worker, peers, keeper, published, over, inner }
    }

    /// One more operator of this worker will contribute to every epoch.
    pub fn expect(&self) {
        self.inner.borrow_mut().collector.expect();
    }

    /// One more operator will contribute a file with state; its number tells its files from those
    /// of others.
    pub fn expect_state(&self) -> usize {
        let mut inner = self.inner.borrow_mut();
        inner.collector.expect();
        inner.rhythm.expect()
    }

    /// Calls a function, which wakes an operator, whenever an epoch is published.
    pub fn listen(&self, wake: impl Fn() + 'static) {
        self.inner.borrow_mut().listeners.push(Box::new(wake));
    }

    /// The newest epoch that is published.
    pub fn published(&self) -> Option<u64> {
        self.published.get()
    }

    /// Whether the last manifest is published: the input has ended, and all is in the sinks.
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Whether states are saved at the end of an epoch; the same for all of this worker.
    pub fn wants(&self, epoch: u64) -> bool {
        let mut inner = self.inner.borrow_mut();
        let Inner { rhythm, wanted, .. } = &mut *inner;
        let has_room = self.keeper.waiting() < WAITING_MAX * rhythm.operators().max(1);
        *wanted.entry(epoch).or_insert_with(|| rhythm.decide(epoch, has_room))
    }

    /// Whether all of an operator's state is to be saved, not only what has changed: it has saved
    /// none, or so much that a restart would read too long.
    pub fn wants_whole(&self, operator: &str) -> bool {
        let inner = self.inner.borrow();
        inner
            .chains
            .get(operator)
            .is_none_or(|chain| CHAIN_MAX <= chain.count || chain.whole_bytes < chain.more_bytes)
    }

    /// What is saved of an operator adds to the files that it was restored from, the first of
    /// which is whole.
    pub fn resume(&self, operator: &Text, files: Vec<StateFile>) {
        let bytes = |files: &[StateFile]| files.iter().map(|file| file.bytes as usize).sum();
        let (whole, more) = files.split_at(files.len().min(1));
        let (count, whole_bytes, more_bytes) = (files.len(), bytes(whole), bytes(more));
        let chain = Chain { count, whole_bytes, more_bytes, files };
        self.inner.borrow_mut().chains.insert(operator.clone(), chain);
    }

    /// Takes what was saved of an operator at the end of an epoch; the last one holds for ever.
    pub fn state(&self, at: At, (number, operator): (usize, &Text), snapshot: Snapshot) {
        let groups = snapshot.iter().flat_map(|saved| saved.groups.iter().chain(&saved.added));
        let bytes: usize = groups.map(|(_, bytes)| bytes.len()).sum::<usize>() + FILE_BYTES;
        let mut inner = self.inner.borrow_mut();
        let chain = inner.chains.entry(operator.clone()).or_default();
        if snapshot.iter().all(|saved| saved.whole) {
            (chain.count, chain.whole_bytes, chain.more_bytes) = (1, bytes, 0);
        } else {
            chain.count += 1;
            chain.more_bytes += bytes;
        }
        match at {
            At::Epoch(epoch) => inner.rhythm.saved(epoch),
            At::End(from) => inner.rhythm.ended(from),
        }
        let path = state_name(at.epoch(), self.checkpoints.generation(), self.worker, number);
        self.keeper.put(at, operator.clone(), path, snapshot);
    }

    /// Takes what a source remembers of its partitions, as [`Agent::state`].
    pub fn memory(&self, at: At, (number, source): (usize, &str), saved: Saved) {
        self.state(at, (number, &memory_name(source)), vec![saved]);
    }

    /// A file is durable: all those that the state of its operator now consists of.
    fn chain(&self, operator: &Text, file: StateFile) -> Vec<StateFile> {
        let mut inner = self.inner.borrow_mut();
        let chain = inner.chains.entry(operator.clone()).or_default();
        if file.whole {
            chain.files.clear();
        }
        chain.files.push(file);
        chain.files.clone()
    }

    /// Takes what a reader or a sink says about an epoch.
    pub fn contribute(&self, epoch: u64, contribution: Contribution) {
        let mut inner = self.inner.borrow_mut();
        if let Some(part) = inner.collector.hear(epoch, contribution) {
            inner.outgoing.push((0, Note::Part(part)));
        }
    }

    /// Takes the last contribution of an operator that has ended; it holds for each epoch from this
    /// one on.
    pub fn end(&self, from: u64, contribution: Contribution) {
        let mut inner = self.inner.borrow_mut();
        let (parts, ended) = inner.collector.end(from, contribution);
        inner.say(parts, ended);
    }

    /// Takes what a sink says that has staged everything and waits for the checkpoint: as
    /// [`Agent::end`], until it ends.
    pub fn stand(&self, from: u64, contribution: Contribution) {
        let mut inner = self.inner.borrow_mut();
        let (parts, ended) = inner.collector.stand(from, contribution);
        inner.say(parts, ended);
    }

    /// What a sink's shard says of an epoch.
    pub fn receipt(&self, sink: &Text, receipt: Receipt) -> Contribution {
        Contribution::Receipt(sink.clone(), SinkReceipt { shard: self.worker, receipt })
    }

    /// What is to be said to other workers, by their index.
    pub fn outgoing(&self) -> Vec<(usize, Note)> {
        for kept in self.keeper.answers() {
            match kept {
                Kept::State(at, operator, file) => {
                    let files = self.chain(&operator, file);
                    let contribution = Contribution::State(operator, files);
                    match at {
                        At::Epoch(epoch) => self.contribute(epoch, contribution),
                        At::End(from) => self.end(from, contribution),
                    }
                }
                Kept::Published(epoch, done) => {
                    let all = (0..self.peers).map(|worker| (worker, Note::Published(epoch, done)));
                    self.inner.borrow_mut().outgoing.extend(all);
                }
            }
        }
        std::mem::take(&mut self.inner.borrow_mut().outgoing)
    }

    /// Takes what another worker says, or this one.
    pub fn hear(&self, note: Note) {
        let mut inner = self.inner.borrow_mut();
        let council = &mut inner.council;
        let manifest = match note {
            Note::Part(part) => council.as_mut().and_then(|council| council.hear(part)),
            Note::Ended(part, done) => council.as_mut().and_then(|council| council.end(part, done)),
            Note::Published(epoch, done) => {
                self.published.set(Some(epoch));
                self.over.set(done);
                inner.collector.forget(epoch);
                inner.wanted = inner.wanted.split_off(&epoch);
                inner.listeners.iter().for_each(|wake| wake());
                None
            }
        };
        if let Some(manifest) = manifest {
            self.keeper.publish(Manifest { written_at: self.host.wall_time(), ..manifest });
        }
    }
}

impl Inner {
    fn say(&mut self, parts: Vec<Part>, ended: Ended) {
        self.outgoing.extend(parts.into_iter().map(|part| (0, Note::Part(part))));
        self.outgoing.extend(ended.map(|(part, done)| (0, Note::Ended(part, done))));
    }
}

#[cfg(test)]
mod tests;
