//! Gathers rows into files and decides when a file ends.
//!
//! Rows are in memory until their file is there: a failed write of a file is tried again with the
//! same bytes. What that takes is bounded: by `roll_bytes` for packed row groups, and by
//! `roll_bytes` or [`GROUP_BYTES_MAX`] for rows that are not packed yet.

use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::columns::{self, DECIMAL_MAX, Gathered};
use super::storage::{Published, Storage};
use super::{Format, Options, part};
use crate::error::{Error, Result};
use crate::letter::{Reason, Reject};
use crate::row::{Cell, Change, Rows};
use crate::sink::file::now;
use crate::sink::{Refusal, Shard, Writer};

/// Bytes of rows that make a row group.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// Writes the files of one worker.
pub(super) struct ParquetWriter {
    storage: Box<dyn Storage>,
    format: Format,
    roll_bytes: usize,
    roll_every: Duration,
    worker: usize,
    /// Number of the next file of this worker.
    number: u32,
    /// The file that is being filled, if it has a row.
    open: Option<Open>,
    /// Bytes of a file that is whole but not stored yet.
    closed: Option<Bytes>,
    /// Numbers of files that are stored and have no name yet.
    staged: Vec<u32>,
    /// The last epoch that was closed.
    epoch: u64,
}

/// A file that is being filled.
pub(super) struct Open {
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Gathered>,
    /// Bytes of the rows in `columns`, about.
    gathered: usize,
    /// When it has to be there.
    until: Instant,
}

impl ParquetWriter {
    pub(super) fn new(
        storage: Box<dyn Storage>,
        format: Format,
        options: &Options,
        shard: Shard,
    ) -> ParquetWriter {
        ParquetWriter {
            storage,
            format,
            roll_bytes: options.roll_bytes,
            roll_every: options.roll_every,
            worker: shard.index,
            number: 0,
            open: None,
            closed: None,
            staged: vec![],
            epoch: 0,
        }
    }

    /// Closes the open file, packs what it has, and stores it under its preliminary name.
    fn stage(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            self.closed = Some(open.close().map_err(broken)?.into());
        }
        if let Some(bytes) = &self.closed {
            self.storage.stage(&part::partial(self.worker, self.number), bytes)?;
            self.closed = None;
            self.staged.push(self.number);
            self.number += 1;
        }
        Ok(())
    }

    /// Makes every row of the closed epochs visible.
    fn roll(&mut self) -> Result<()> {
        self.stage()?;
        while let Some(number) = self.staged.first().copied() {
            let staged = part::partial(self.worker, number);
            let suffix = self.format.compression.suffix();
            let name = part::whole(self.epoch, self.worker, number, suffix);
            if self.storage.publish(&staged, &name)? == Published::Taken {
                let why = format!("`{}/{name}` is there already", self.storage.place());
                return Err(Error::config(why)
                    .hint("another job writes to this folder; give each one a folder"));
            }
            self.staged.remove(0);
        }
        Ok(())
    }

    /// Bytes of the open file, packed and not.
    fn bytes(&self) -> usize {
        self.open.as_ref().map_or(0, Open::bytes)
    }
}

/// Memory takes every byte, so this is a file that cannot be described.
pub(super) fn broken(error: ParquetError) -> Error {
    Error::bug(format!("a Parquet file cannot be made: {error}"))
}

impl Open {
    pub(super) fn new(format: &Format, until: Instant) -> Result<Open, ParquetError> {
        let properties = format.properties().into();
        let file = SerializedFileWriter::new(Vec::new(), format.schema.clone(), properties)?;
        let stamp = format.stamped.then_some(crate::row::Type::Time);
        let kinds = format.kinds.iter().copied().chain(stamp);
        let columns = kinds.map(|kind| Gathered::new(kind, format.timestamps)).collect();
        Ok(Open { file, columns, gathered: 0, until })
    }

    /// Takes a row; packs what has come once it is much.
    pub(super) fn push<'a>(
        &mut self,
        cells: impl Iterator<Item = &'a Cell>,
        roll_bytes: usize,
    ) -> Result<(), ParquetError> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.gathered += column.push(cell);
        }
        if GROUP_BYTES_MAX.min(roll_bytes) <= self.gathered {
            self.close_group()?;
        }
        Ok(())
    }

    /// Bytes of the file, packed and not.
    pub(super) fn bytes(&self) -> usize {
        self.file.bytes_written() + self.gathered
    }

    fn close_group(&mut self) -> Result<(), ParquetError> {
        if self.gathered != 0 {
            self.gathered = 0;
            columns::write(&mut self.columns, &mut self.file)?;
        }
        Ok(())
    }

    pub(super) fn close(mut self) -> Result<Vec<u8>, ParquetError> {
        self.close_group()?;
        self.file.into_inner()
    }
}

/// A file takes rows that do not change.
pub(super) fn only_final(rows: &Rows) -> Result<()> {
    if rows.marks.iter().any(|mark| mark.change != Change::Final) {
        return Err(Error::config("a file takes final rows only, and this row may change")
            .hint("set `rows = \"final\"`, or bind the view to a table"));
    }
    Ok(())
}

/// Why a row cannot be stored.
pub(super) fn misfit(cells: &[Cell]) -> Option<Reject> {
    let too_large = |cell: &&Cell| match cell {
        Cell::Decimal(hundredths) => DECIMAL_MAX.unsigned_abs() < hundredths.unsigned_abs(),
        _ => false,
    };
    cells.iter().find(too_large).map(|_| {
        Reject::new(Reason::RejectedBySink, "a decimal has more than the 24 digits of its column")
    })
}

impl Writer for ParquetWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        only_final(rows)?;
        // Before anything is taken in: a call that fails is made again with the same rows.
        if self.closed.is_some() || self.roll_bytes <= self.bytes() {
            self.stage()?;
        }
        let stamp = self.format.stamped.then(|| Cell::Time(now()));
        let mut refusals = Vec::new();
        for (row, (_, cells)) in rows.iter().enumerate() {
            if let Some(reject) = misfit(cells) {
                refusals.push(Refusal { row, reject });
                continue;
            }
            let open = match &mut self.open {
                Some(open) => open,
                none => {
                    let until = Instant::now() + self.roll_every;
                    none.insert(Open::new(&self.format, until).map_err(broken)?)
                }
            };
            open.push(cells.iter().chain(&stamp), self.roll_bytes).map_err(broken)?;
        }
        Ok(refusals)
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.epoch = epoch;
        let due = self.open.as_ref().is_some_and(|open| open.until <= Instant::now());
        let pending = self.closed.is_some() || !self.staged.is_empty();
        if due || pending || self.roll_bytes <= self.bytes() { self.roll() } else { Ok(()) }
    }

    fn held_until(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.until)
    }

    fn flush(&mut self) -> Result<()> {
        self.roll()
    }

    fn finish(&mut self) -> Result<()> {
        self.roll()
    }
}
