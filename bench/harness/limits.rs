//! What the machine can do at all, a fraction of a second each: the lines against which figures of
//! the same folder are read.

pub mod writers;

use std::fs::File;
use std::hint::black_box;
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use highwater::error::{Error, Result};

use super::folder::LimitRow;
use super::hiccup::Hiccups;

/// How long each of them is tried.
const TRIED: Duration = Duration::from_millis(150);

const BLOCK: usize = 16 << 20;
const PAGE: usize = 4_096;

/// Measures them; files are written below a folder.
///
/// # Errors
///
/// The folder cannot be written.
pub fn measure(dir: &Path) -> Result<Vec<LimitRow>> {
    let block = vec![b'x'; BLOCK];
    let mut copy = vec![0; BLOCK];
    let path = dir.join("limit.tmp");
    let mut file = File::create(&path).map_err(Error::storage)?;
    let page = vec![7_u8; PAGE];
    let mut lines = vec![
        line(
            "newline scan",
            "GB/s",
            per_second(|| {
                let found = black_box(&block).iter().filter(|byte| **byte == b'\n').count();
                black_box(found);
                Ok(BLOCK as f64 / 1e9)
            })?,
        ),
        line(
            "memory copy",
            "GB/s",
            per_second(|| {
                copy.copy_from_slice(black_box(&block));
                black_box(&copy);
                Ok(BLOCK as f64 / 1e9)
            })?,
        ),
        line(
            "system call",
            "M/s",
            per_second(|| {
                (0..1_000).for_each(|_| {
                    black_box(std::os::unix::process::parent_id());
                });
                Ok(1e-3)
            })?,
        ),
        line(
            "clock read",
            "M/s",
            per_second(|| {
                (0..1_000).for_each(|_| {
                    black_box(SystemTime::now());
                });
                Ok(1e-3)
            })?,
        ),
        line(
            "write of 4 KiB",
            "M/s",
            per_second(|| {
                file.write_all(&page).and_then(|()| file.rewind()).map_err(Error::storage)?;
                Ok(1e-6)
            })?,
        ),
    ];
    let syncs = per_second(|| {
        let written = file.write_all(&page).and_then(|()| file.rewind());
        written.and_then(|()| file.sync_data()).map_err(Error::storage)?;
        Ok(1.0)
    })?;
    lines.push(line("write of 4 KiB and fdatasync", "ms", 1e3 / syncs));
    std::fs::remove_file(&path).map_err(Error::storage)?;
    let hiccups = Hiccups::begin(Instant::now());
    std::thread::sleep(2 * TRIED);
    let total = hiccups.end().total();
    lines.push(line("hiccup p99", "ms", total.value_at_quantile(0.99) as f64 / 1e3));
    lines.push(line("hiccup max", "ms", total.max() as f64 / 1e3));
    Ok(lines)
}

/// Does something again and again; returns how much was done in a second.
fn per_second(mut work: impl FnMut() -> Result<f64>) -> Result<f64> {
    let (start, mut done) = (Instant::now(), 0.0);
    while start.elapsed() < TRIED {
        done += work()?;
    }
    Ok(done / start.elapsed().as_secs_f64())
}

/// A line of the table.
pub fn line(what: &str, unit: &str, value: f64) -> LimitRow {
    LimitRow { what: what.into(), unit: unit.into(), value: Some(value), status: "ok".into() }
}

/// A line of the table that has no figure, and why.
pub fn skipped(what: &str, unit: &str, why: &impl std::fmt::Display) -> LimitRow {
    let status = format!("skipped:{why}");
    LimitRow { what: what.into(), unit: unit.into(), value: None, status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::Scratch;

    #[test]
    fn every_limit_is_a_positive_number() {
        let dir = Scratch::new("bench-limits");
        let lines = measure(dir.path()).unwrap();
        assert_eq!(lines.len(), 8);
        let is_positive = |value: f64| 0.0 < value && value.is_finite();
        assert!(lines.iter().all(|line| line.value.is_some_and(is_positive)), "{lines:?}");
    }
}
