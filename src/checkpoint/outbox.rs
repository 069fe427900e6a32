//! The outbox: rows that are part of a checkpoint before a sink shows them.
//!
//! ```text
//! rows of epoch k ─► file in the store ─► manifest k names it ─► the sink delivers it, once
//! ```
//!
//! A sink that cannot take back what it has written must not write rows of an epoch that may yet
//! be computed again, and cut elsewhere. So they lie here until the manifest is published; from
//! then on they will be delivered, if need be by the next attempt to run the job.

use std::sync::Arc;

use super::block::{BlockWriter, Blocks, Kind};
use super::find;
use super::manifest::{Manifest, OutboxFile};
use super::store::Store;
use crate::error::Result;
use crate::row::Rows;

/// How the files of an outbox begin; an epoch follows, as in the names of states.
pub(super) const PREFIX: &str = "outbox-";

/// Rows of a block, about: what is read again at once.
const BLOCK_ROWS: usize = 4_096;

/// Where one shard of a sink keeps the rows that it has to deliver.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn Store>,
    generation: u64,
    /// Name of the sink, as far as it may be part of the name of a file, and its shard.
    sink: String,
}

impl Outbox {
    /// Of a shard of a sink, in an attempt to run the job.
    pub fn new(store: Arc<dyn Store>, generation: u64, (sink, shard): (&str, usize)) -> Outbox {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = sink.chars().map(plain).collect();
        // Two names may look the same so.
        let sink = format!("{name}-{:08x}-{shard}", crate::hash::of(sink) as u32);
        Outbox { store, generation, sink }
    }

    /// Makes the rows of an epoch durable.
    ///
    /// # Errors
    ///
    /// Kind `Storage`.
    pub fn put(&self, epoch: u64, rows: &Rows) -> Result<OutboxFile> {
        let mut file = BlockWriter::new(Kind::Outbox);
        let width = rows.width().max(1);
        let blocks = rows.marks.chunks(BLOCK_ROWS).zip(rows.cells.chunks(BLOCK_ROWS * width));
        for block in blocks {
            file.block(|out| {
                bincode::serialize_into(out, &block).expect("a vector takes every byte");
            });
        }
        let name = format!("{PREFIX}{epoch:020}-{:x}-{}", self.generation, self.sink);
        let bytes = file.finish();
        self.store.put(&name, &bytes)?;
        Ok(OutboxFile { epoch, name, bytes: bytes.len() as u64, rows: rows.len() })
    }

    /// The rows of a file.
    ///
    /// # Errors
    ///
    /// It is missing, or was changed since it was found whole.
    pub fn get(&self, file: &OutboxFile) -> Result<Rows> {
        let damaged = |what: &str| find::damaged(&*self.store, &file.name, what);
        let bytes = self.store.get(&file.name)?.ok_or_else(|| damaged("it is missing"))?;
        let blocks =
            Blocks::read(&bytes, Kind::Outbox).map_err(|damage| damaged(&damage.to_string()))?;
        let mut rows = Rows::default();
        for block in blocks.iter() {
            let (marks, cells) =
                bincode::deserialize(block).map_err(|error| damaged(&error.to_string()))?;
            rows.append(Rows { marks, cells, sent: None });
        }
        Ok(rows)
    }
}

impl Manifest {
    /// What the shards of a sink have to deliver, by shard; those that have nothing are among them.
    pub fn undelivered(&self, sink: &str) -> Vec<(usize, &[OutboxFile])> {
        let receipts = self.receipts.get(sink).map_or(&[][..], Vec::as_slice);
        receipts.iter().map(|receipt| (receipt.shard, &receipt.receipt.outbox[..])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Directory;
    use super::*;
    use crate::row::{Cell, Change, Mark, Origin, Position};
    use crate::testing::Scratch;

    fn rows(count: usize) -> Rows {
        let mut rows = Rows::default();
        for row in 0..count {
            let origin = Origin::Record(Position::default());
            let cells = [Cell::I64(row as i64), Cell::Text("text".into()), Cell::Null];
            rows.push(Mark { change: Change::Final, origin }, cells);
        }
        rows
    }

    #[test]
    fn rows_come_back_as_they_were_put() {
        let scratch = Scratch::new("outbox");
        let store = Arc::new(Directory::open(scratch.path()).unwrap());
        let outbox = Outbox::new(store.clone(), 17, ("dead letters", 1));
        for count in [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS] {
            let file = outbox.put(count as u64, &rows(count)).unwrap();
            assert_eq!((file.epoch, file.rows), (count as u64, count));
            assert_eq!(outbox.get(&file).unwrap(), rows(count));
        }
        let same = Outbox::new(store.clone(), 17, ("dead-letters", 1));
        let names = store.list().unwrap();
        let other = same.put(0, &rows(1)).unwrap().name;
        assert!(!names.contains(&other), "{other} is the name of another sink's file");
    }

    #[test]
    fn a_file_that_is_gone_or_changed_is_an_error() {
        let scratch = Scratch::new("outbox-damage");
        let store = Arc::new(Directory::open(scratch.path()).unwrap());
        let outbox = Outbox::new(store.clone(), 17, ("counts", 0));
        let file = outbox.put(3, &rows(2)).unwrap();
        let mut bytes = store.get(&file.name).unwrap().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        store.put(&file.name, &bytes).unwrap();
        assert!(outbox.get(&file).unwrap_err().to_string().contains(&file.name));
        store.delete(&file.name).unwrap();
        assert!(outbox.get(&file).unwrap_err().to_string().contains("missing"));
    }
}
