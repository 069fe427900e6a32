//! From bytes to lines: large reads, one copy of each line into the batch.

use std::io::{self, Read};

use crate::source::{Batch, Poll};

/// Bytes asked of the file at once.
const READ_BYTES: usize = 256 << 10;

/// Some editors put it in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a file.
///
/// ```text
/// buffer  [ used | start … the line so far … end | free ]
///                  │                         └ refilled from the file; a line that does not
///                  └ lies at `offset`          fit makes the buffer grow, up to the limit
/// ```
pub(super) struct Lines<R> {
    file: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Position in the file of the byte at `start`.
    offset: i64,
    /// The file has nothing behind `end`.
    ended: bool,
    /// The longest line that is kept whole.
    bytes_max: usize,
}

impl<R: Read> Lines<R> {
    /// Lines from a file that stands at `offset`.
    pub(super) fn new(file: R, offset: i64, bytes_max: usize) -> Lines<R> {
        let buffer = vec![0; READ_BYTES];
        Lines { file, buffer, start: 0, end: 0, offset, ended: false, bytes_max }
    }

    /// Appends lines until the batch is full or the file ends.
    pub(super) fn fill(&mut self, batch: &mut Batch) -> io::Result<Poll> {
        while !batch.is_full() {
            if !self.next(batch)? {
                break;
            }
        }
        // Empty lines alone move the position too.
        batch.next_offset = self.offset;
        Ok(if batch.records.is_empty() { Poll::Finished } else { Poll::Ready })
    }

    /// Appends the next line unless it is empty; false at the end of the file.
    fn next(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let mut searched = 0;
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(found) = memchr::memchr(b'\n', &waiting[searched..]) {
                let length = searched + found;
                self.push(length, batch);
                self.advance(length + 1);
                return Ok(true);
            }
            searched = waiting.len();
            // One byte more may be the `\r` of a line end.
            if self.bytes_max + 1 < searched {
                self.skip(batch)?;
                return Ok(true);
            }
            if self.ended {
                self.push(searched, batch);
                self.advance(searched);
                return Ok(false);
            }
            self.refill()?;
        }
    }

    /// Appends the line that fills so many bytes of the buffer.
    fn push(&self, length: usize, batch: &mut Batch) {
        let mut line = &self.buffer[self.start..self.start + length];
        if self.offset == 0 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() <= self.bytes_max {
            if !line.is_empty() {
                batch.push(self.offset, None, None, Some(line));
            }
        } else {
            batch.cut.push((batch.records.len(), line.len() as u64));
            batch.push(self.offset, None, None, Some(&line[..self.bytes_max + 1]));
        }
    }

    /// Delivers the beginning of a line that is too long and reads over the rest, without keeping
    /// it; in one go, as the record cannot be delivered before its length is known.
    fn skip(&mut self, batch: &mut Batch) -> io::Result<()> {
        let (offset, record) = (self.offset, batch.records.len());
        let head = &self.buffer[self.start..self.start + self.bytes_max + 1];
        batch.push(offset, None, None, Some(head));
        let mut last = 0;
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(found) = memchr::memchr(b'\n', waiting) {
                last = if found == 0 { last } else { waiting[found - 1] };
                let length = self.offset + found as i64 - offset - i64::from(last == b'\r');
                batch.cut.push((record, length as u64));
                self.advance(found + 1);
                return Ok(());
            }
            last = waiting.last().copied().unwrap_or(last);
            self.advance(waiting.len());
            if self.ended {
                let length = self.offset - offset - i64::from(last == b'\r');
                batch.cut.push((record, length as u64));
                return Ok(());
            }
            self.refill()?;
        }
    }

    /// Memory of the buffer, for tests.
    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as i64;
    }

    /// Reads on behind what is waiting; makes room first.
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}
