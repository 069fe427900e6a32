//! Checkpoints: what a job has to remember to go on as if it had never been killed.
//!
//! ```text
//! epoch k ends   shells  ─ snapshot ─┐
//!                readers ─ positions ┼► agent of the worker ─ part ═► worker 0 ─► manifest k
//!                sinks   ─ receipts ─┘        (operators/checkpoints.rs)            │
//!                   ▲                                                               │
//!                   └──────────────── epoch k is published ◄────────────────────────┘
//! ```
//!
//! A file that no manifest names does not exist. The manifest is published last and by exclusive
//! creation, so a checkpoint is there as a whole or not at all, and of two processes that believe
//! to be worker 0 one is refused. All that touches the disk is done by the thread of a [`Keeper`];
//! a worker never waits for it.

mod agent;
mod block;
#[cfg(feature = "s3")]
mod bucket;
mod changes;
mod claim;
mod collect;
mod disk;
mod find;
#[cfg(test)]
mod fuzz;
mod keeper;
mod manifest;
mod outbox;
mod place;
mod rhythm;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use agent::{Agent, At, Contribution};
pub use block::{BlockWriter, Blocks, Damage, Kind, VERSION};
pub use claim::Claim;
pub use collect::{Note, Part};
pub use disk::{Disk, DiskFile, FileSystem};
pub use find::{Inspected, inspect};
pub use keeper::{Keeper, Kept};
pub use manifest::{Manifest, OutboxFile, PartitionMark, Receipt, Shape, SinkReceipt, StateFile};
pub use outbox::Outbox;
pub use place::Place;
pub use store::{Directory, Store};

use self::changes::{Changes, changes};
use crate::error::{Error, Result};
use crate::hash;
use crate::keyed::{ENTRY, Saved};
use crate::text::Text;
use crate::time::{Millis, Time};

/// How the checkpoints of a job are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `checkpoint.keep`: how many are kept.
    pub keep: usize,
    /// `checkpoint.age_max`: how long the store may fail before the job ends.
    pub age_max: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options { keep: 3, age_max: Duration::from_secs(600) }
    }
}

/// Whose checkpoints they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Name of the system.
    pub system: String,
    /// Name of the job.
    pub job: String,
    /// What its operators and sources keep.
    pub shapes: Vec<Shape>,
    /// Its sources.
    pub sources: Vec<Text>,
    /// Its sinks, by [`sink_name`].
    pub sinks: Vec<Text>,
}

/// The checkpoints of one job: where they are, and the one that the job goes on from.
pub struct Checkpoints {
    /// Where their files are.
    pub store: Arc<dyn Store>,
    owner: Owner,
    /// How they are kept.
    pub options: Options,
    /// This attempt to run the job; a later one has a greater number.
    generation: AtomicU64,
    /// The checkpoint that the job goes on from.
    pub restored: Option<Manifest>,
    /// What its operators were called there: those that go on with what they kept.
    names: BTreeMap<Text, Text>,
    /// The epochs of newer ones that are damaged.
    damaged: Vec<u64>,
    /// Whether an earlier attempt has begun, if only to be killed before its first checkpoint.
    begun: bool,
}

/// How much an operator saves in one activation: 4,000 entries that are not large, about 2 ms, or
/// 64,000 that have not changed. A count, not a clock: so a run can be repeated.
pub const SLICE: usize = 4_000 * ENTRY;

/// The file that says that an attempt has begun.
const BEGUN: &str = "begun";

impl std::fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let restored = self.restored.as_ref().map(|manifest| manifest.epoch);
        write!(f, "Checkpoints {{ {}, restored: {restored:?} }}", self.store.name())
    }
}

impl Checkpoints {
    /// Looks for the newest checkpoint that is whole, compares what it holds with what the job
    /// keeps, and warns of what is new or gone. `generation` must be greater than that of every
    /// earlier attempt; the time is.
    ///
    /// # Errors
    ///
    /// Kind `Config`: there are checkpoints and none is whole, they are those of another job, or of
    /// another dataflow, which keeps what does not fit.
    pub fn open(
        store: Arc<dyn Store>,
        owner: Owner,
        options: Options,
        generation: u64,
    ) -> Result<Checkpoints> {
        let found = find::newest(&*store, (&owner.system, &owner.job))?;
        let find::Found { newest: restored, damaged } = found;
        let compared = restored.as_ref().map(|manifest| (manifest, changes(manifest, &owner)));
        let names = match compared {
            None => BTreeMap::new(),
            Some((Manifest { epoch, .. }, Err(difference))) => {
                let message =
                    format!("the dataflow is not that of checkpoint {epoch}: {difference}");
                return Err(Error::config(message)
                    .hint("run the job that wrote it, or set another `checkpoint.path`")
                    .within(store.name()));
            }
            Some((Manifest { epoch, .. }, Ok(Changes { names, notes }))) => {
                for note in notes {
                    tracing::warn!("job `{}` goes on from checkpoint {epoch}: {note}", owner.job);
                }
                names
            }
        };
        let after = restored.as_ref().map_or(0, |manifest| manifest.generation + 1);
        let begun = store.list()?.iter().any(|name| name == BEGUN);
        let generation = AtomicU64::new(generation.max(after));
        Ok(Checkpoints { store, owner, options, generation, restored, names, damaged, begun })
    }

    /// Notes, before anything is written, that an attempt has begun, and moves damaged manifests
    /// aside. Until then nothing in the store is changed.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    pub fn begin(&self) -> Result<()> {
        self.damaged.iter().try_for_each(|epoch| find::set_aside(&*self.store, *epoch))?;
        // Each attempt: an earlier one may have been killed behind the link of the manifest that
        // this one goes on from, and before it was durable. Writing a file makes it so; else rows
        // would be delivered that belong to a checkpoint which a power cut takes back.
        let way_out = "make room or mend the store, then start the job again";
        self.store.put(BEGUN, b"").map_err(|error| error.hint(way_out))
    }

    /// This attempt to run the job; a later one has a greater number.
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Takes up the number that process 0 gave this attempt, before anything is written: the files
    /// of all processes carry the same.
    pub fn join(&self, generation: u64) {
        self.generation.store(generation, Relaxed);
    }

    /// The last epoch of a job whose input has ended: nothing is left to do.
    pub fn ended(&self) -> Option<u64> {
        self.restored.as_ref().filter(|manifest| manifest.done).map(|manifest| manifest.epoch)
    }

    /// The first epoch of this attempt.
    pub fn first_epoch(&self) -> u64 {
        self.restored.as_ref().map_or(0, |manifest| manifest.epoch + 1)
    }

    /// The generation that started from nothing.
    pub fn life(&self) -> u64 {
        self.restored.as_ref().map_or(self.generation(), |manifest| manifest.life)
    }

    /// Name of the job.
    pub fn job(&self) -> &str {
        &self.owner.job
    }

    /// Where a shard of a sink keeps the rows that it has to deliver.
    pub fn outbox(&self, sink: &str, shard: usize) -> Outbox {
        Outbox::new(self.store.clone(), self.generation(), (sink, shard))
    }

    /// What all manifests of this attempt have in common.
    fn manifest(&self, peers: usize) -> Manifest {
        Manifest {
            system: self.owner.system.clone(),
            job: self.owner.job.clone(),
            engine: env!("CARGO_PKG_VERSION").into(),
            generation: self.generation(),
            life: self.life(),
            epoch: self.first_epoch(),
            peers,
            written_at: Time::from_micros(0),
            done: false,
            shapes: self.owner.shapes.clone(),
            sources: BTreeMap::new(),
            states: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// Where the partitions of a source stood; `None` if it is new.
    pub fn marks(&self, source: &str) -> Option<&[PartitionMark]> {
        self.restored.as_ref()?.sources.get(source).map(Vec::as_slice)
    }

    /// Where a partition of a source stood.
    pub fn mark(&self, source: &str, partition: u32) -> Option<PartitionMark> {
        self.marks(source)?.iter().find(|mark| mark.partition == partition).copied()
    }

    /// What the readers of some sources had promised together; the least time if one of them had
    /// promised nothing.
    pub fn promised<'n>(&self, sources: impl Iterator<Item = &'n Text>) -> Millis {
        let of_source = |name: &Text| self.marks(name)?.iter().map(|mark| mark.promised).min();
        sources.map(|name| of_source(name).unwrap_or(Millis::MIN)).min().unwrap_or(Millis::MIN)
    }

    /// What the shards of a sink had written; nothing if an attempt was killed before its first
    /// checkpoint, `None` if this is the first attempt.
    pub fn receipts(&self, sink: &str) -> Option<&[SinkReceipt]> {
        let receipts = self.restored.as_ref().and_then(|manifest| manifest.receipts.get(sink));
        self.begun.then(|| receipts.map_or(&[][..], Vec::as_slice))
    }

    /// The state of an operator: what the key groups of this worker held.
    ///
    /// # Errors
    ///
    /// A file cannot be read any more, or was changed since it was found whole.
    pub fn state(&self, operator: &str, (worker, peers): (usize, usize)) -> Result<Restored> {
        self.states(operator, |group| hash::owner(group.into(), peers) == worker)
    }

    /// The files of which the state of an operator consisted on a worker, if the same key groups
    /// are that worker's now: what it saves adds to them.
    pub fn files(&self, operator: &str, (worker, peers): (usize, usize)) -> Vec<StateFile> {
        let same = self.restored.as_ref().is_some_and(|manifest| manifest.peers == peers);
        let files = self.all_files(operator).iter();
        files.filter(|file| same && file.worker == worker).cloned().collect()
    }

    /// The files of an operator, of all workers.
    fn all_files(&self, operator: &str) -> &[StateFile] {
        let files = self.restored.as_ref().zip(self.names.get(operator));
        let files = files.and_then(|(manifest, name)| manifest.states.get(name));
        files.map_or(&[], Vec::as_slice)
    }

    /// What a source remembers of one of its partitions.
    ///
    /// # Errors
    ///
    /// As [`Checkpoints::state`].
    pub fn memory(&self, source: &str, partition: u32) -> Result<Vec<State>> {
        Ok(self.states(&memory_name(source), |group| group == partition)?.entries)
    }

    fn states(&self, name: &str, owns: impl Fn(u32) -> bool) -> Result<Restored> {
        let mut restored = Restored::default();
        let Some(manifest) = &self.restored else { return Ok(restored) };
        for files in self.all_files(name).chunk_by(|one, other| one.worker == other.worker) {
            let mut chain = Chain::default();
            for file in files {
                let bytes = find::state_file(&*self.store, file)?;
                let blocks = Blocks::read(&bytes, Kind::State).map_err(|damage| {
                    find::damaged(&*self.store, &file.name, &damage.to_string())
                })?;
                chain.take(blocks.iter().filter_map(State::read), &owns);
            }
            let worker = files[0].worker;
            let wrote = |group: u32| hash::owner(group.into(), manifest.peers) == worker;
            chain.finish(|group| wrote(group) && owns(group), &mut restored);
        }
        Ok(restored)
    }
}

/// What is restored of one operator, or of one partition of a source: heads first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// For each key group, what its worker said last for all of its groups.
    pub heads: Vec<State>,
    /// Entries, as they have been saved after one another.
    pub entries: Vec<State>,
}

/// The files of one worker, which add to one another, as they are read.
#[derive(Default)]
struct Chain {
    /// By part.
    heads: BTreeMap<u16, Vec<u8>>,
    entries: Vec<State>,
}

impl Chain {
    /// Takes the next file: what it says of a part comes after its head.
    fn take(&mut self, states: impl Iterator<Item = State>, owns: impl Fn(u32) -> bool) {
        for mut state in states {
            if state.group != HEAD {
                if owns(state.group) {
                    self.entries.push(state);
                }
            } else if let Some(whole) = state.bytes.pop() {
                if whole != 0 {
                    self.entries.retain(|entry| entry.part != state.part);
                }
                self.heads.insert(state.part, state.bytes);
            }
        }
    }

    fn finish(self, of: impl Fn(u32) -> bool, restored: &mut Restored) {
        for (part, bytes) in self.heads {
            for group in (0..hash::KEY_GROUPS as u32).filter(|group| of(*group)) {
                let bytes = bytes.clone();
                restored.heads.push(State { part, group, added: false, bytes });
            }
        }
        restored.entries.extend(self.entries);
    }
}

/// In the place of a key group: what holds for all groups of the worker, then a byte that says
/// whether the file holds everything of that part.
const HEAD: u32 = u32::MAX;

/// Of the number of a part: the block says what was added to entries that were saved before.
const ADDED: u16 = 1 << 15;

/// What one part of an operator keeps for one key group, or a source of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Number of the part within the operator.
    pub part: u16,
    /// The key group, or the partition.
    pub group: u32,
    /// Whether this was added to entries that were saved before.
    pub added: bool,
    /// Its bytes, in the form of that part.
    pub bytes: Vec<u8>,
}

impl State {
    /// Adds what was saved of a part to a file: a block for its head, and one per group.
    pub fn write_saved(part: u16, saved: Saved, file: &mut BlockWriter) {
        let Saved { whole, mut head, groups, added } = saved;
        head.push(u8::from(whole));
        State::write(part, HEAD, &head, file);
        // Each is freed when it is written, so that the state is not there twice.
        groups.into_iter().for_each(|(group, bytes)| State::write(part, group, &bytes, file));
        let part = part | ADDED;
        added.into_iter().for_each(|(group, bytes)| State::write(part, group, &bytes, file));
    }

    /// Adds a state to a file, as a block.
    pub fn write(part: u16, group: u32, bytes: &[u8], file: &mut BlockWriter) {
        file.block(|out| {
            out.extend(part.to_le_bytes());
            out.extend(group.to_le_bytes());
            out.extend_from_slice(bytes);
        });
    }

    fn read(block: &[u8]) -> Option<State> {
        let (part, rest) = block.split_first_chunk()?;
        let (group, bytes) = rest.split_first_chunk()?;
        let (part, group) = (u16::from_le_bytes(*part), u32::from_le_bytes(*group));
        let added = part & ADDED != 0;
        Some(State { part: part & !ADDED, group, added, bytes: bytes.to_vec() })
    }
}

/// The name under which a manifest keeps what a source remembers of its partitions.
pub fn memory_name(source: &str) -> Text {
    Text::from(format!("source {source}"))
}

/// The name under which a manifest keeps what a sink of a view has written: a view may have
/// several.
pub fn sink_name(view: &str, index: usize) -> Text {
    match index {
        0 => view.into(),
        _ => Text::from(format!("{view} ({})", index + 1)),
    }
}
