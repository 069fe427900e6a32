//! Real logs, with the disorder that machines really make; for tests of watermarks.
//!
//! Origin, licence and contents of each are in `SOURCE.txt` beside its files, under
//! `datasets/real/`. They belong to none of the systems. The Zeek logs are one partition, in the
//! order of arrival; the broker logs have one partition per file.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use highwater::error::{Error, Result};
use highwater::time::{Time, days_from_civil};

/// A partition of real lines, in their order.
#[derive(Debug, Default)]
pub struct Log {
    /// What calls it: the path of its file below the data set, or the name of the data set.
    pub name: String,
    bytes: Vec<u8>,
    lines: Vec<Stored>,
}

#[derive(Debug)]
struct Stored {
    arrival: Option<Time>,
    time: Option<Time>,
    text: Range<usize>,
}

/// A line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'l> {
    /// When it reached the log, where the log says so.
    pub arrival: Option<Time>,
    /// Its event time; none for a line without one.
    pub time: Option<Time>,
    /// The line without its end.
    pub text: &'l [u8],
}

impl Log {
    /// The lines in their order.
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|line| Line {
            arrival: line.arrival,
            time: line.time,
            text: &self.bytes[line.text.clone()],
        })
    }

    /// Appends the lines of a compressed file.
    fn append(&mut self, file: &Path, times: fn(&[u8]) -> Option<Times>) -> Result<()> {
        let place = || file.display();
        let start = self.bytes.len();
        File::open(file)
            .and_then(|file| MultiGzDecoder::new(file).read_to_end(&mut self.bytes))
            .map_err(|error| Error::storage(error).within(place()))?;
        let mut at = start;
        for (index, line) in self.bytes[start..].split_inclusive(|byte| *byte == b'\n').enumerate()
        {
            let end = at + line.len();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let Some(Times { arrival, time }) = times(line) else {
                let error = Error::storage(format!("line {} is not as expected", index + 1));
                return Err(error.within(place()));
            };
            self.lines.push(Stored { arrival, time, text: at..at + line.len() });
            at = end;
        }
        Ok(())
    }
}

struct Times {
    arrival: Option<Time>,
    time: Option<Time>,
}

/// The folder of the copies in this repository.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real")
}

/// The Zeek logs below a [`folder`]: all files merged by arrival, then file, then line.
///
/// # Errors
///
/// A file cannot be read, or a line is no line of Zeek.
pub fn zeek(folder: &Path) -> Result<Log> {
    let mut log = Log { name: "zeek-wrccdc".into(), ..Log::default() };
    for file in files(&folder.join(&log.name))? {
        log.append(&file, zeek_times)?;
    }
    // The sort is stable, and the files were read in the order of their names.
    log.lines.sort_by_key(|line| line.arrival);
    Ok(log)
}

/// The broker logs below a [`folder`]: one per file, in the order of their paths.
///
/// # Errors
///
/// A file cannot be read.
pub fn kafka_brokers(folder: &Path) -> Result<Vec<Log>> {
    let root = folder.join("kafka-broker-logs");
    let mut logs = vec![];
    for broker in ["kafka0", "kafka1", "kafka2"] {
        for file in files(&root.join(broker))? {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let mut log = Log { name: format!("{broker}/{stem}"), ..Log::default() };
            log.append(&file, |line| Some(Times { arrival: None, time: broker_time(line) }))?;
            logs.push(log);
        }
    }
    Ok(logs)
}

/// The compressed files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        let mut files = vec![];
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "gz") {
                files.push(path);
            }
        }
        files.sort();
        Ok::<_, std::io::Error>(files)
    };
    list().map_err(|error| Error::storage(error).within(folder.display()))
}

/// Arrival and event time of a line that begins `{"_path":"…","_write_ts":"…","ts":"…"`, or has no
/// `ts`.
fn zeek_times(line: &[u8]) -> Option<Times> {
    let path = line.strip_prefix(b"{\"_path\":\"")?;
    let rest = &path[path.iter().position(|byte| *byte == b'"')?..];
    let rest = rest.strip_prefix(b"\",\"_write_ts\":\"")?;
    let (arrival, rest) = rest.split_at_checked(27)?;
    let time = match rest.strip_prefix(b"\",\"ts\":\"") {
        Some(time) => Some(instant(time.get(..27)?, 6)?),
        None => None,
    };
    Some(Times { arrival: Some(instant(arrival, 6)?), time })
}

/// Event time of a line that begins `[2016-12-19 16:31:46,143]`. It names no zone; all the lines
/// are of one zone, so it is read as UTC.
fn broker_time(line: &[u8]) -> Option<Time> {
    let text = line.strip_prefix(b"[")?;
    (text.get(23) == Some(&b']')).then(|| instant(&text[..23], 3)).flatten()
}

/// A time with its digits at `yyyy-mm-dd?HH:MM:SS?f…`, with so many digits of a fraction.
fn instant(text: &[u8], fraction: usize) -> Option<Time> {
    let number = |range: Range<usize>| {
        text.get(range)?.iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let day = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = number(11..13)? * 3_600 + number(14..16)? * 60 + number(17..19)?;
    let micros = number(20..20 + fraction)? * 10_i64.pow(6 - fraction as u32);
    Some(Time::from_micros((day * 86_400 + seconds) * 1_000_000 + micros))
}

#[cfg(test)]
mod tests;
