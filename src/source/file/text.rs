//! The text of a file: as it lies there, or unpacked while it is read.
//!
//! Positions are those of the text. In a plain file they are reached by a seek, in a packed one by
//! unpacking what lies before.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

/// Packed bytes asked of a file at once.
const PACKED_BYTES: usize = 64 << 10;

/// A file that gives its text.
pub(super) enum TextFile {
    /// As it lies there.
    Plain(File),
    /// Packed by gzip, in one member or several behind each other.
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl TextFile {
    /// Opens a file; a name that ends in `.gz` says that it is packed.
    pub(super) fn open(path: &Path) -> io::Result<TextFile> {
        let file = File::open(path)?;
        let is_packed = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
        Ok(match is_packed {
            false => TextFile::Plain(file),
            true => {
                let packed = BufReader::with_capacity(PACKED_BYTES, file);
                TextFile::Gzip(Box::new(MultiGzDecoder::new(packed)))
            }
        })
    }

    /// Goes behind the last byte, which stands at the position that is returned.
    pub(super) fn go_to_end(&mut self) -> io::Result<i64> {
        let end = match self {
            TextFile::Plain(file) => file.seek(SeekFrom::End(0))?,
            TextFile::Gzip(text) => io::copy(text, &mut io::sink())?,
        };
        Ok(end as i64)
    }

    /// Goes to the beginning of a line; anything else would read half a record.
    pub(super) fn go_to_line(&mut self, offset: i64) -> Result<()> {
        let wrong = |why: String| {
            Err(Error::config(why).hint("offsets of a file are the bytes at which its lines begin"))
        };
        let failed = |error| Error::config(format!("cannot go to byte {offset}: {error}"));
        // The byte before is read too: it says whether a line begins here.
        let before = u64::try_from(offset).map(|offset| offset.saturating_sub(1));
        let (reached, last) = match before {
            Ok(before) => self.skip(before).and_then(|reached| {
                let last = if offset == 0 { Some(b'\n') } else { self.byte()? };
                Ok((reached, last))
            }),
            Err(_) => self.go_to_end().map(|end| (end as u64, None)),
        }
        .map_err(failed)?;
        let length = reached + u64::from(offset != 0 && last.is_some());
        match last {
            None => wrong(format!("offset {offset} is outside of its {length} bytes")),
            Some(b'\n') => Ok(()),
            // Behind the last line, which has no end of its own, nothing is torn.
            Some(_) if self.is_at_end().map_err(failed)? => Ok(()),
            Some(_) => wrong(format!("offset {offset} is inside of a line")),
        }
    }

    /// Goes over so many bytes from the beginning, or to the end if there are fewer.
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        match self {
            TextFile::Plain(file) => {
                let reached = bytes.min(file.metadata()?.len());
                file.seek(SeekFrom::Start(reached))
            }
            TextFile::Gzip(text) => io::copy(&mut text.take(bytes), &mut io::sink()),
        }
    }

    /// The next byte, if there is one.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match self.read_exact(&mut byte) {
            Ok(()) => Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.byte()?.is_none())
    }
}

impl Read for TextFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            TextFile::Plain(file) => file.read(into),
            TextFile::Gzip(text) => text.read(into),
        }
    }
}
