//! The file sink: the rows of a view as lines of one file, CSV or JSON.
//!
//! ```text
//! write*  ─► rows of the open epoch, in memory
//! epoch   ─► sorted, appended to NAME.partial        a failed append is cut off and tried again
//! stage   ─► synced; the receipt is the length      a restart cuts it to that length
//! finish  ─► synced, renamed to NAME
//! ```
//!
//! All rows come to worker 0. Epochs follow one another; within an epoch rows are in the order of
//! (window end, cells), and rows of single records in that of their positions: the same log gives
//! the same lines. A crash before the rename leaves `NAME.partial` with whole epochs and perhaps
//! the beginning of another; the next start refuses to touch it unless `overwrite` is set.
//!
//! A name that ends in `.gz` is packed: each append is a member of its own, which unpackers read as
//! one text, so what a crash leaves can be read up to the last whole epoch.

mod disk;
mod read;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use super::text::{JsonNames, csv_line, csv_row};
use super::{Accepts, Common, Guarantee, Placement, Refusal, Shard, Sink, View, Writer};
use crate::checkpoint::{Receipt, SinkReceipt};
use crate::error::{Error, Result};
use crate::row::{Cell, Change, Mark, Origin, Rows};
use crate::time::Time;
use disk::{Disk, LocalDisk};
pub(crate) use read::read;

/// Options of the file sink.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The file. Missing folders above it are made; a name that ends in `.gz` is packed by gzip.
    pub path: PathBuf,
    /// `"csv"` or `"jsonl"`; without it the ending of the name says it, before `.gz`.
    pub format: Option<Format>,
}

/// How a row becomes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Fields between commas below a line of names.
    Csv,
    /// A JSON object in each line.
    Jsonl,
}

impl Options {
    /// What its lines are.
    ///
    /// # Errors
    ///
    /// Neither the name says it nor `format`.
    fn kind(&self) -> Result<Format> {
        self.format.or_else(|| format_of(&self.path)).ok_or_else(|| {
            let path = self.path.display();
            Error::config(format!("`{path}` does not say its format"))
                .hint("end the name in .csv or .jsonl, or set `format`")
        })
    }
}

/// What a file is called until it is whole.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Binds a file to a view.
///
/// # Errors
///
/// The name does not say the format and the options do not either.
pub fn open(options: Options, view: &View, common: &Common) -> Result<Box<dyn Sink>> {
    let format = options.kind()?;
    let path = options.path;
    let lines = Lines::new(format, view, common);
    Ok(Box::new(FileSink { path, lines, common: *common, keeps: false, past: Past::None }))
}

fn format_of(path: &Path) -> Option<Format> {
    let unpacked = path.with_extension("");
    let path = if is_packed(path) { &unpacked } else { path };
    match path.extension()?.to_str()? {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
        _ => None,
    }
}

/// Whether the name says that a file is packed.
fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

struct FileSink {
    path: PathBuf,
    lines: Lines,
    common: Common,
    /// Whether its job keeps checkpoints.
    keeps: bool,
    past: Past,
}

/// What earlier attempts to run the job have left of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// There was none.
    None,
    /// A preliminary file that was part of no checkpoint.
    Begun,
    /// A checkpoint with so many bytes of it.
    Kept(u64),
}

impl FileSink {
    fn partial(&self) -> PathBuf {
        partial(&self.path)
    }
}

impl Sink for FileSink {
    fn accepts(&self) -> Accepts {
        Accepts::Final
    }

    fn guarantee(&self) -> Guarantee {
        if self.keeps { Guarantee::ExactlyOnce } else { Guarantee::AtLeastOnce }
    }

    fn placement(&self) -> Placement {
        Placement::One
    }

    /// A file that a stop has given its name goes on under its preliminary one.
    fn resume(&mut self, receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.keeps = true;
        let Some(receipts) = receipts else { return Ok(()) };
        let Some(SinkReceipt { receipt: Receipt { words: length, .. }, .. }) = receipts.first()
        else {
            self.past = Past::Begun;
            return Ok(());
        };
        let length: u64 = length.parse().map_err(|_| {
            Error::config(format!("the checkpoint says `{length}` of it, not a length"))
                .within(self.path.display())
        })?;
        let found = disk::length(&self.partial()).or_else(|| disk::length(&self.path));
        match found {
            _ if length == 0 => {}
            Some(found) if length <= found => {}
            _ => return Err(lost(&self.path, length, found.unwrap_or(0))),
        }
        self.past = Past::Kept(length);
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let partial = self.partial();
        let others: &[&PathBuf] = match self.past {
            Past::None => &[&self.path, &partial],
            Past::Begun => &[&self.path],
            Past::Kept(_) => &[],
        };
        for path in others {
            if path.is_dir() {
                return Err(Error::config(format!("`{}` is a folder", path.display()))
                    .hint("`path` names the file itself"));
            }
            if path.exists() && !self.common.overwrite {
                return Err(exists(path));
            }
        }
        Ok(())
    }

    fn claim(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        self.check()?;
        let (partial, packs) = (self.partial(), is_packed(&self.path));
        let create = || LocalDisk::create(&self.path, &partial, self.common.overwrite);
        let (disk, length) = match self.past {
            Past::None => (create()?, 0),
            Past::Begun => {
                disk::remove(&partial)?;
                (create()?, 0)
            }
            Past::Kept(length) => (LocalDisk::resume(&self.path, &partial, length)?, length),
        };
        Ok(Box::new(FileWriter::new(Box::new(disk), self.lines.clone(), packs, length)))
    }
}

fn lost(path: &Path, length: u64, found: u64) -> Error {
    let path = path.display();
    Error::config(format!("`{path}` has {found} bytes, it had {length} at the checkpoint"))
        .hint("bring the file back, or set another `checkpoint.path` to start anew")
}

fn exists(path: &Path) -> Error {
    Error::config(format!("`{}` is there already", path.display()))
        .hint("move it away, or set `overwrite = true` in the binding of the sink")
}

/// Rows as lines.
#[derive(Clone)]
struct Lines {
    format: Format,
    names: Vec<String>,
    json: JsonNames,
    formula_guard: bool,
    stamped: bool,
}

impl Lines {
    fn new(format: Format, view: &View, common: &Common) -> Lines {
        Lines {
            format,
            names: view.names().map(Into::into).collect(),
            json: JsonNames::new(view.names()),
            formula_guard: common.formula_guard,
            stamped: view.stamp.is_some(),
        }
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.format == Format::Csv {
            csv_line(self.names.iter().map(|name| &**name), &mut bytes);
        }
        bytes
    }

    /// Appends the rows in the order of the file.
    fn append(&self, rows: &Rows, bytes: &mut Vec<u8>) {
        let stamp = self.stamped.then(|| Cell::Time(now()));
        let mut rows: Vec<(&Mark, &[Cell])> = rows.iter().collect();
        rows.sort_by(|a, b| in_file(*a, *b));
        for (_, cells) in rows {
            let cells = cells.iter().chain(&stamp);
            match self.format {
                Format::Csv => csv_row(cells, self.formula_guard, bytes),
                Format::Jsonl => {
                    self.json.object(cells, bytes);
                    bytes.push(b'\n');
                }
            }
        }
    }
}

/// The bytes as one member of a packed file.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packer.write_all(bytes).and_then(|()| packer.finish());
    packed.expect("a vector takes every byte")
}

/// The order of rows within an epoch.
pub(super) fn in_file(a: (&Mark, &[Cell]), b: (&Mark, &[Cell])) -> Ordering {
    let place = match (&a.0.origin, &b.0.origin) {
        (Origin::Window(a), Origin::Window(b)) => a.end.cmp(&b.end),
        (a, b) => a.cmp(b),
    };
    let cells = || a.1.iter().zip(b.1).map(|(a, b)| a.order(b));
    place.then_with(|| cells().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
}

/// The processing time, for the column that a binding calls its `stamp`.
pub(in crate::sink) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time::from_micros(since.map_or(0, crate::time::micros))
}

/// Writes the lines; `disk` is the only part that can fail.
struct FileWriter {
    disk: Box<dyn Disk>,
    lines: Lines,
    /// Whether what is appended is packed.
    packs: bool,
    /// Rows of the open epoch.
    rows: Rows,
    /// Lines of closed epochs that are not in the file yet.
    bytes: Vec<u8>,
    /// Length of the file up to the last append that succeeded.
    length: u64,
    /// How much of it survives a power cut.
    synced: u64,
    /// A failed append may have left some of its bytes behind `length`.
    torn: bool,
    published: bool,
}

impl FileWriter {
    /// Of a file that has a length already.
    fn new(disk: Box<dyn Disk>, lines: Lines, packs: bool, length: u64) -> FileWriter {
        let header = if length == 0 { lines.header() } else { vec![] };
        // A packed file has a member also if it has no line: without one it could not be read.
        let bytes = if packs && length == 0 { gzip(&header) } else { header };
        let rows = Rows::default();
        let (synced, torn, published) = (length, false, false);
        FileWriter { disk, lines, packs, rows, bytes, length, synced, torn, published }
    }

    /// Brings all lines of closed epochs into the file, once, however often it is called.
    fn flush(&mut self) -> io::Result<()> {
        if self.torn {
            self.disk.truncate(self.length)?;
            self.torn = false;
        }
        if self.bytes.is_empty() {
            return Ok(());
        }
        self.torn = true;
        self.disk.append(&self.bytes)?;
        self.torn = false;
        self.length += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    fn close_epoch(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let start = self.bytes.len();
        self.lines.append(&rows, &mut self.bytes);
        if self.packs && start < self.bytes.len() {
            let member = gzip(&self.bytes[start..]);
            self.bytes.truncate(start);
            self.bytes.extend(member);
        }
        self.flush().map_err(|error| self.failed("write", error))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::storage(format!("cannot {what} `{}`: {error}", self.disk.name()))
            .hint("it is tried again; make room on the disk, or stop the job")
    }
}

impl Writer for FileWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        if rows.marks.iter().any(|mark| mark.change != Change::Final) {
            return Err(Error::config("a file takes final rows only, and this row may change")
                .hint("set `rows = \"final\"`, or bind the view to a table"));
        }
        self.rows.append(rows.clone());
        Ok(vec![])
    }

    fn epoch(&mut self, _epoch: u64) -> Result<()> {
        self.close_epoch()
    }

    fn stage(&mut self, _epoch: u64) -> Result<Receipt> {
        if self.synced < self.length {
            self.disk.sync().map_err(|error| self.failed("sync", error))?;
            self.synced = self.length;
        }
        Ok(Receipt { words: self.length.to_string(), ..Receipt::default() })
    }

    fn finish(&mut self) -> Result<()> {
        if self.published {
            return Ok(());
        }
        self.close_epoch()?;
        self.disk.sync().map_err(|error| self.failed("sync", error))?;
        self.disk.publish().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(Path::new(&self.disk.name())),
            _ => self.failed("rename", error),
        })?;
        self.published = true;
        Ok(())
    }
}
