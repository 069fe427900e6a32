//! [`Agent`]: a worker's share in the checkpoints of a job.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::collect::{Collector, Council};
pub use super::collect::{Contribution, Note};
use super::keeper::{Keeper, Kept, state_name};
use super::manifest::{Manifest, Receipt, SinkReceipt};
use super::{BlockWriter, Checkpoints, Kind, State, memory_name};
use crate::runtime::wall_time;
use crate::stream::Snapshot;
use crate::text::Text;

/// Files with state that may wait for the store, per operator, before snapshots are left out: a
/// store that fails must not fill the memory.
const WAITING_MAX: usize = 2;

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
    /// Operators with state.
    stateful: usize,
    /// Whether the states of an epoch are saved.
    wanted: BTreeMap<u64, bool>,
    outgoing: Vec<(usize, Note)>,
    /// Called whenever an epoch is published.
    listeners: Vec<Box<dyn Fn()>>,
}

impl Agent {
    /// Of a worker by its index, among so many.
    pub fn new(
        checkpoints: Arc<Checkpoints>,
        (worker, peers): (usize, usize),
        keeper: Keeper,
    ) -> Agent {
        let published = checkpoints.restored.as_ref().map(|manifest| manifest.epoch);
        let inner = Inner {
            collector: Collector::new(worker),
            council: (worker == 0).then(|| Council::new(checkpoints.manifest(peers))),
            stateful: 0,
            wanted: BTreeMap::new(),
            outgoing: Vec::new(),
            listeners: Vec::new(),
        };
        let (published, inner) = (Cell::new(published), RefCell::new(inner));
        let over = Cell::new(false);
        Agent { checkpoints, worker, peers, keeper, published, over, inner }
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
        inner.stateful += 1;
        inner.stateful - 1
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
        let room = self.keeper.waiting() < WAITING_MAX * inner.stateful.max(1);
        *inner.wanted.entry(epoch).or_insert(room)
    }

    /// Takes the state of a window operator at the end of an epoch; the last one holds for ever.
    pub fn state(&self, at: At, (number, operator): (usize, &Text), snapshot: &Snapshot) {
        let mut file = BlockWriter::new(Kind::State);
        for (part, groups) in snapshot.iter().enumerate() {
            let part = u16::try_from(part).expect("an operator has few parts");
            let groups = groups.iter().map(|(group, bytes)| (u32::from(*group), bytes));
            groups.for_each(|(group, bytes)| State::write(part, group, bytes, &mut file));
        }
        self.put(at, (number, operator.clone()), file);
    }

    /// Takes what a source remembers of its partitions, as [`Agent::state`].
    pub fn memory(&self, at: At, (number, source): (usize, &str), partitions: &[(u32, Vec<u8>)]) {
        let mut file = BlockWriter::new(Kind::State);
        partitions.iter().for_each(|(id, bytes)| State::write(0, *id, bytes, &mut file));
        self.put(at, (number, memory_name(source)), file);
    }

    fn put(&self, at: At, (number, name): (usize, Text), file: BlockWriter) {
        let path = state_name(at.epoch(), self.checkpoints.generation(), self.worker, number);
        self.keeper.put(at, name, path, file.finish());
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
        let (parts, last) = inner.collector.end(from, contribution);
        inner.outgoing.extend(parts.into_iter().map(|part| (0, Note::Part(part))));
        inner.outgoing.extend(last.map(|part| (0, Note::Ended(part))));
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
                    let contribution = Contribution::State(operator, file);
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
            Note::Ended(part) => council.as_mut().and_then(|council| council.end(part)),
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
            self.keeper.publish(Manifest { written_at: wall_time(), ..manifest });
        }
    }
}
