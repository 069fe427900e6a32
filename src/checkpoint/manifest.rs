//! [`Manifest`]: what one checkpoint consists of. A checkpoint exists once its manifest does.
//!
//! It says where every source stood at the end of an epoch, which files hold the states at that
//! instant, and what the sinks had written: data and the positions that they describe, published
//! together by one file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::block::{BlockWriter, Blocks, Damage, Kind};
use crate::lateness::Ledger;
use crate::text::Text;
use crate::time::{Millis, Time};

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the system and of the job.
    pub system: String,
    /// Name of the job.
    pub job: String,
    /// Version of the engine that wrote it.
    pub engine: String,
    /// The attempt to run the job that wrote it; a later one has a greater number.
    pub generation: u64,
    /// The generation that started from nothing: what sinks remember of another life of a job with
    /// this name has nothing to say about this one.
    pub life: u64,
    /// Its epoch: everything of it and of all before is in the checkpoint, and nothing else.
    pub epoch: u64,
    /// How many workers there were.
    pub peers: usize,
    /// When it was written, by the clock of worker 0.
    pub written_at: Time,
    /// Whether the input has ended and everything is in the sinks.
    pub done: bool,
    /// What each operator and each source keeps, in the order of the dataflow: what a restore
    /// compares.
    pub shapes: Vec<Shape>,
    /// By source, its partitions.
    pub sources: BTreeMap<Text, Vec<PartitionMark>>,
    /// The files of each operator, by its name: of each worker a whole one, then what has changed
    /// since, in that order.
    pub states: BTreeMap<Text, Vec<StateFile>>,
    /// What the sinks wrote, by the name of the view and the place of the sink in its binding.
    pub receipts: BTreeMap<Text, Vec<SinkReceipt>>,
}

/// What an operator is, as far as its state depends on it; or a source that remembers something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Its name.
    pub operator: Text,
    /// Each part of its state, in words: windows, types of key and measure.
    pub parts: Vec<String>,
    /// The views that it fills.
    pub views: Vec<Text>,
    /// The sources that feed it.
    pub sources: Vec<Text>,
    /// The source that it is.
    pub source: Option<Text>,
}

/// Where a partition stood at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionMark {
    /// Its number.
    pub partition: u32,
    /// Offset of the next record; none if none was read yet.
    pub next_offset: Option<i64>,
    /// The greatest event time that was seen.
    pub greatest: Option<Time>,
    /// The floor under its watermark.
    pub floor: Millis,
    /// The floor that acts from here on, once this is published.
    pub decided: Option<Millis>,
    /// What its reader had promised by the end of the epoch before: no event of all its partitions
    /// comes before this.
    pub promised: Millis,
    /// What became of its records.
    pub ledger: Ledger,
    /// Which log the position is one of, where the service tells: a topic that is made anew under
    /// the same name is another.
    #[serde(default)]
    pub log: Option<u64>,
}

/// A file with state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Its name in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The worker that wrote it.
    pub worker: usize,
    /// Whether it is whole; otherwise it adds to the file before it.
    pub whole: bool,
}

/// What a shard of a sink had written at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkReceipt {
    /// The shard.
    pub shard: usize,
    /// What the sink needs to go on from here.
    pub receipt: Receipt,
}

/// What a sink has staged; empty where there is nothing to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// In its own words.
    pub words: String,
    /// The rows that it has to deliver once the checkpoint is published: one file an epoch, the
    /// oldest first.
    pub outbox: Vec<OutboxFile>,
}

/// A file with rows that are to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxFile {
    /// The epoch that the rows belong to.
    pub epoch: u64,
    /// Its name in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// How many rows it has.
    pub rows: usize,
}

impl Manifest {
    /// Its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = BlockWriter::new(Kind::Manifest);
        file.block(|out| {
            serde_json::to_writer_pretty(out, self).expect("a vector takes every byte");
        });
        file.finish()
    }

    /// Reads its file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Manifest, String> {
        let blocks =
            Blocks::read(bytes, Kind::Manifest).map_err(|damage: Damage| damage.to_string())?;
        let mut blocks = blocks.iter();
        let (Some(text), None) = (blocks.next(), blocks.next()) else {
            return Err("a manifest has one block".into());
        };
        serde_json::from_slice(text).map_err(|error| format!("its text cannot be read: {error}"))
    }

    /// The name of the manifest of an epoch; names are in the order of epochs.
    pub fn name(epoch: u64) -> String {
        format!("{PREFIX}{epoch:020}")
    }

    /// The epoch of a name, if it is that of a manifest.
    pub fn epoch_of(name: &str) -> Option<u64> {
        let digits = name.strip_prefix(PREFIX)?;
        let sound = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| digits.parse().ok()).flatten()
    }

    /// The files with rows that are to be delivered.
    pub fn outbox(&self) -> impl Iterator<Item = &OutboxFile> {
        self.receipts.values().flatten().flat_map(|receipt| &receipt.receipt.outbox)
    }

    /// The names of all files that it needs.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let states = self.states.values().flatten().map(|file| file.name.as_str());
        states.chain(self.outbox().map(|file| file.name.as_str()))
    }
}

const PREFIX: &str = "manifest-";

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::checkpoint) fn manifest() -> Manifest {
        let mark = PartitionMark {
            partition: 3,
            next_offset: Some(i64::MAX),
            greatest: Some(Time::from_micros(-1)),
            floor: Millis::MIN,
            decided: Some(Millis(7)),
            promised: Millis(5),
            ledger: Ledger { read: u64::MAX, used: u64::MAX, ..Ledger::default() },
            log: Some(u64::MAX),
        };
        let file = StateFile { name: "state-1".into(), bytes: 12, worker: 1, whole: true };
        let shape = Shape {
            operator: "counts".into(),
            parts: vec!["a window".into()],
            views: vec!["counts".into()],
            sources: vec!["chat".into()],
            source: None,
        };
        let outbox = vec![OutboxFile { epoch: 411, name: "outbox-1".into(), bytes: 99, rows: 3 }];
        let receipt = Receipt { words: "412".into(), outbox };
        let receipt = SinkReceipt { shard: 0, receipt };
        Manifest {
            system: "chat".into(),
            job: "viewers".into(),
            engine: "0.1.0".into(),
            generation: u64::MAX,
            life: 7,
            epoch: 412,
            peers: 2,
            written_at: Time::from_micros(1),
            done: false,
            shapes: vec![shape],
            sources: [("chat".into(), vec![mark])].into(),
            states: [("counts".into(), vec![file])].into(),
            receipts: [("counts".into(), vec![receipt])].into(),
        }
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        assert_eq!(Manifest::read(&manifest().to_bytes()), Ok(manifest()));
    }

    #[test]
    fn a_manifest_that_is_torn_or_changed_anywhere_is_refused() {
        let whole = manifest().to_bytes();
        for length in 0..whole.len() {
            assert!(Manifest::read(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::read(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_epochs() {
        assert!(Manifest::name(9) < Manifest::name(10));
        let check = |name: &str, epoch| assert_eq!(Manifest::epoch_of(name), epoch, "{name}");
        check(&Manifest::name(412), Some(412));
        check(&Manifest::name(u64::MAX), Some(u64::MAX));
        check("manifest-412", None);
        check("manifest-00000000000000000412.damaged", None);
        check("state-00000000000000000412", None);
    }
}
