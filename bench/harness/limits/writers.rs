//! Bare writers: how many rows of a count each kind of sink takes, with no engine before them, and
//! how many events the generator of a load can send.

mod parquet;
mod postgres;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use highwater::error::{Error, Result};
use highwater::source::kafka::{ClientSettings, Producer};
use highwater::testing::{PostgresServer, Skip};

use super::{line, skipped};
use crate::harness::folder::LimitRow;
use crate::load::{OpenLoop, Target, now_us, open_loop};
use crate::workloads::SEED;
use crate::workloads::plays::{PARTITIONS, Plan, Timing};

/// How long each of them is tried; the generator is told a number of events instead.
const TRIED: Duration = Duration::from_millis(400);

/// How long each writer of a sink with a format of its own is tried: long enough for whole batches,
/// short enough for every run of every experiment.
const SINK_TRIED: Duration = Duration::from_millis(200);

/// How often those with a broker are tried.
const TIMES: usize = 3;

/// Rows between two looks at the clock.
const ROWS: u64 = 1_000;

/// Rows of a window.
const VIDEOS: u64 = 200;

/// Events that the generator is to send at once, which takes it a fraction of a second.
const EVENTS: u64 = 200_000;

/// How long ago these were due, in microseconds.
const AGO_US: i64 = 60_000_000;

const M_ROWS: &str = "M rows/s";

/// Measures them, on topics of their own; files are written below a folder. Without a server the
/// lines of PostgreSQL say why there are none.
///
/// # Errors
///
/// The folder cannot be written, or the broker is away.
pub fn measure(
    dir: &Path,
    topic: &dyn Fn(&str) -> Target,
    server: &std::result::Result<PostgresServer, Skip>,
) -> Result<Vec<LimitRow>> {
    let [plain, synced] = file(&dir.join("rows.tmp"))?;
    let rows = topic("limit-rows");
    rows.create(1)?;
    let events = topic("limit-events");
    events.create(PARTITIONS)?;
    let log = dir.join("limit.hlog");
    let mut lines = vec![
        line("rows as JSON to a file", M_ROWS, plain),
        line("the same, synced at the end", M_ROWS, synced),
        line("rows to a Parquet file, synced", M_ROWS, parquet::rate(&dir.join("rows.tmp"))?),
    ];
    lines.extend(database(server));
    lines.extend([
        line("rows as JSON to a topic", M_ROWS, best(|| kafka(&rows))?),
        line("generator of a load", "M events/s", best(|| generator(&events, &log))?),
    ]);
    Ok(lines)
}

fn database(server: &std::result::Result<PostgresServer, Skip>) -> [LimitRow; 2] {
    let names = ["rows to PostgreSQL by COPY, no fsync", "rows to PostgreSQL by upsert, no fsync"];
    match server.as_ref().map_err(Skip::clone).and_then(postgres::rates) {
        Ok([copied, upserted]) => {
            [line(names[0], M_ROWS, copied), line(names[1], M_ROWS, upserted)]
        }
        Err(why) => names.map(|name| skipped(name, M_ROWS, &why)),
    }
}

/// The best of a few times, as a broker that has just started is slow.
fn best(once: impl Fn() -> Result<f64>) -> Result<f64> {
    (0..TIMES).try_fold(0.0, |best: f64, _| Ok(best.max(once()?)))
}

/// A row of a count.
struct Counted {
    start_ms: i64,
    end_ms: i64,
    video: u64,
    count: i64,
}

fn row(n: u64) -> Counted {
    let start_ms = 1_767_225_600_000 + (n / VIDEOS) as i64 * 60_000;
    Counted { start_ms, end_ms: start_ms + 60_000, video: n % VIDEOS, count: (n % 977) as i64 }
}

fn video_id(video: u64) -> String {
    format!("VID{video:03}")
}

/// A row as a sink writes it.
fn write_row(n: u64, out: &mut impl Write) -> std::io::Result<()> {
    let Counted { start_ms, end_ms, video, count } = row(n);
    writeln!(
        out,
        "{{\"window_start\":{start_ms},\"window_end\":{end_ms},\"video_id\":\"VID{video:03}\",\
         \"count\":{count}}}"
    )
}

/// Million rows a second, as they are written and once they are on the disk.
fn file(path: &Path) -> Result<[f64; 2]> {
    let written = || -> std::io::Result<[f64; 2]> {
        let mut out = BufWriter::with_capacity(1 << 16, File::create(path)?);
        let (start, mut rows) = (Instant::now(), 0);
        while start.elapsed() < TRIED {
            (rows..rows + ROWS).try_for_each(|n| write_row(n, &mut out))?;
            rows += ROWS;
        }
        out.flush()?;
        let plain = start.elapsed();
        out.get_ref().sync_data()?;
        let rate = |time: Duration| rows as f64 / 1e6 / time.as_secs_f64();
        let rates = [rate(plain), rate(start.elapsed())];
        std::fs::remove_file(path)?;
        Ok(rates)
    };
    written().map_err(|error| Error::storage(format!("cannot write {}: {error}", path.display())))
}

/// Million rows a second by a producer with the linger of all trials, until all are confirmed.
fn kafka(target: &Target) -> Result<f64> {
    let producer = Producer::new(&target.brokers, &ClientSettings::default())?;
    let (start, mut rows, mut row) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < TRIED {
        for n in rows..rows + ROWS {
            row.clear();
            write_row(n, &mut row).map_err(Error::bug)?;
            let text = std::str::from_utf8(&row).map_err(Error::bug)?;
            target.send(&producer, 0, text.trim_end())?;
        }
        rows += ROWS;
    }
    producer.flush()?;
    Ok(rows as f64 / 1e6 / start.elapsed().as_secs_f64())
}

/// Million events a second of an open loop in which all of them are overdue.
fn generator(target: &Target, log: &Path) -> Result<f64> {
    let timing = Timing::Live { start_us: now_us() - AGO_US, rate: EVENTS };
    let plan = Plan { seed: SEED, events: EVENTS, timing };
    let start = Instant::now();
    open_loop(&OpenLoop { target: target.clone(), plan, log: log.into() })?;
    Ok(EVENTS as f64 / 1e6 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::{KafkaServer, Scratch};

    #[test]
    fn a_file_takes_rows_and_none_is_left() {
        let dir = Scratch::new("bench-writers");
        let path = dir.path().join("rows");
        let [plain, synced] = file(&path).unwrap();
        assert!(0.0 < synced && synced <= plain && plain.is_finite(), "{plain} {synced}");
        assert!(!path.exists());
        let error = file(&dir.path().join("no/rows")).unwrap_err();
        assert_eq!(error.kind().exit_code(), 74);
    }

    #[test]
    fn a_topic_takes_rows_and_the_generator_sends_what_is_overdue() {
        let Some(server) = KafkaServer::shared() else { return };
        let dir = Scratch::new("bench-writers");
        let topic = |name: &str| Target { brokers: server.brokers(), topic: name.into() };
        let away = Err(Skip { reason: "no database here".into() });
        let lines = measure(dir.path(), &topic, &away).unwrap();
        assert_eq!(lines.len(), 7);
        let (there, skipped): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| !line.what.contains("PostgreSQL"));
        let is_positive = |value: f64| 0.0 < value && value.is_finite();
        assert!(there.iter().all(|line| line.value.is_some_and(is_positive)), "{there:?}");
        assert!(there.iter().all(|line| line.status == "ok"), "{there:?}");
        for line in skipped {
            assert_eq!((line.value, &*line.status), (None, "skipped:no database here"));
        }
    }
}
