//! The file source: the lines of files, once.
//!
//! Each file is a partition, in the order of names. A record is a line without its end (`\n` or
//! `\r\n`, which the last line may lack); empty lines are none. Its offset is the byte at which the
//! line begins, so that a start from a position is a seek. A file that grows is read up to the
//! end that it has when the end is reached; then the partition has finished.
//!
//! A file whose name ends in `.gz` is unpacked while it is read; its offsets are those of the text,
//! so a start from a position unpacks what lies before it.
//!
//! Records have no key and no time of their own: the event time is in the line, and a time of
//! arrival too (`arrival` of the binding), so the engine finds both.

mod lines;
mod paths;
#[cfg(test)]
mod tests;
mod text;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use crate::error::{Error, Result};
use lines::Lines;
use text::TextFile;

/// Options of the file source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What to read: a file, a folder (every file in it, but for those whose name begins with `.`
    /// or ends in `.partial`), a pattern such as `logs/*.jsonl`, or a list of these.
    pub path: Paths,
}

/// One path or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Paths {
    fn as_slice(&self) -> &[String] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

/// Finds the files; those that appear later are not read. `message_bytes_max` is the longest line
/// that is kept whole: of a longer one the beginning is delivered, one byte above the limit, and
/// its true length in [`Batch::cut`].
///
/// # Errors
///
/// A path that is not there or cannot be read, a pattern or folder without a file.
pub fn open(options: &Options, message_bytes_max: usize) -> Result<Box<dyn Source>> {
    let files = paths::find(options.path.as_slice())?;
    for path in &files {
        File::open(path).map_err(|error| unreadable(path, &error))?;
    }
    Ok(Box::new(Files { files, message_bytes_max }))
}

/// Binds files; they are looked for when a job starts.
pub fn connector(options: Options, message_bytes_max: usize) -> FileConnector {
    FileConnector { options, message_bytes_max }
}

/// Files that a source is bound to.
pub struct FileConnector {
    options: Options,
    message_bytes_max: usize,
}

impl Connector for FileConnector {
    fn check(&self) -> Result<()> {
        open(&self.options, self.message_bytes_max).map(drop)
    }

    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        open(&self.options, self.message_bytes_max)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::config(format!("cannot read `{}`: {error}", path.display()))
}

struct Files {
    files: Vec<PathBuf>,
    message_bytes_max: usize,
}

impl Source for Files {
    fn partitions(&mut self) -> Result<u32> {
        u32::try_from(self.files.len())
            .map_err(|_| Error::config(format!("{} files are too many", self.files.len())))
    }

    fn open(&mut self, partition: u32, from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let path = &self.files[partition as usize];
        let failed = |error: io::Error| unreadable(path, &error);
        let mut file = TextFile::open(path).map_err(failed)?;
        let start = match from {
            Start::Earliest => 0,
            Start::Latest => file.go_to_end().map_err(failed)?,
            Start::Offset(offset) => *offset,
            Start::Offsets(offsets) => {
                let own = offsets.iter().find(|(other, _)| *other == partition);
                own.map_or(0, |(_, offset)| *offset)
            }
            Start::Time(_) => {
                return Err(Error::config("a file cannot be searched for a time")
                    .hint("start it at \"earliest\" or at a byte offset")
                    .within(path.display()));
            }
        };
        if !matches!(from, Start::Earliest | Start::Latest) {
            file.go_to_line(start).map_err(|error| error.within(path.display()))?;
        }
        let lines = Lines::new(file, start, self.message_bytes_max);
        Ok(Box::new(FilePartition { path: path.clone(), lines }))
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn name(&self, partition: u32) -> String {
        self.files[partition as usize].display().to_string()
    }
}

struct FilePartition {
    path: PathBuf,
    lines: Lines<TextFile>,
}

impl Partition for FilePartition {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        self.lines.fill(batch).map_err(|error| {
            Error::storage(format!("cannot read `{}` any further: {error}", self.path.display()))
        })
    }
}
