//! Progress on standard error: a status line on a terminal, plain lines elsewhere, and at the end
//! what became of every record.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::log::say;
use crate::error::{Error, Result};
use crate::runtime::{Job, wall_time};
use crate::time::Millis;

/// How often a terminal is written to, and anything else.
const EVERY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Shows progress until it is dropped.
pub(super) struct Progress {
    end: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Starts showing the progress of jobs.
pub(super) fn start(jobs: Vec<Arc<Job>>) -> Progress {
    let (end, ended) = channel();
    let terminal = std::io::stderr().is_terminal();
    let every = if terminal { EVERY.0 } else { EVERY.1 };
    let thread = std::thread::spawn(move || {
        let (mut before, mut at) = (0, Instant::now());
        while ended
            .recv_timeout(every)
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let read: u64 = jobs.iter().map(|job| job.board.read()).sum();
            let rate = (read - before) as f64 / at.elapsed().as_secs_f64();
            (before, at) = (read, Instant::now());
            let line = status(&jobs, rate);
            if terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
            } else {
                say(&line);
            }
        }
        if terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    });
    Progress { end: Some(end), thread: Some(thread) }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It only prints; what it could not print is no reason to fail.
            let _ = thread.join();
        }
    }
}

fn status(jobs: &[Arc<Job>], rate: f64) -> String {
    let rows: u64 = jobs.iter().map(|job| job.board.rows()).sum();
    let frontier = jobs.iter().filter_map(|job| job.board.frontier()).min();
    let (mut late, mut dead) = (0, 0);
    let mut lag = None;
    for job in jobs {
        let ledger = job.board.ledger();
        late += ledger.late;
        dead += ledger.dead;
        for partition in job.board.partitions().values() {
            lag = partition.lag.map_or(lag, |own| Some(lag.unwrap_or(0) + own));
        }
    }
    let lag = lag.map_or(String::new(), |lag| format!("  lag {}", grouped(lag)));
    format!(
        "{} events/s  frontier {}{lag}  rows {}  late {}  dead {}",
        grouped(rate as u64),
        frontier.map_or("-".into(), behind),
        grouped(rows),
        grouped(late),
        grouped(dead),
    )
}

/// A frontier, and how far it is behind the clock.
fn behind(frontier: Millis) -> String {
    if frontier == Millis::MIN || frontier == Millis::MAX {
        return frontier.to_string();
    }
    let lag = (wall_time().floor_ms().0 - frontier.0) as f64 / 1e3;
    let text = frontier.to_string();
    format!("{} ({lag:.1} s behind)", &text[11..19])
}

/// Says what became of every record, and what is still open; of a job all at once, as other
/// processes may write to the same terminal.
pub(super) fn last_words(jobs: &[Arc<Job>], took: Duration, stopped: bool) {
    for job in jobs {
        let mut words = Vec::new();
        let mut say = |line: &str| words.push(line.to_string());
        let board = &job.board;
        let how = if stopped { "stopped" } else { "ended" };
        say(&format!("\n{} {how} after {:.1} s", job.name, took.as_secs_f64()));
        let sources = board.partitions().into_keys().map(|(source, _)| source.len());
        let width = sources.max().unwrap_or_default().max(15);
        let titles = "part        read        used     late     dead  duplicates";
        say(&format!("  {:<width$} {titles}", "source"));
        for ((source, id), partition) in board.partitions() {
            let ledger = partition.ledger;
            say(&format!(
                "  {source:<width$} {id:>4} {:>11} {:>11} {:>8} {:>8} {:>11}",
                grouped(ledger.read),
                grouped(ledger.used),
                grouped(ledger.late),
                grouped(ledger.dead),
                grouped(ledger.duplicates),
            ));
        }
        for (view, rows) in board.views() {
            say(&format!("  view {view}: {} rows", grouped(rows)));
        }
        for ((place, worker), operator) in board.operators() {
            if 0 < operator.late_windows {
                let pairs = grouped(operator.late_windows);
                say(&format!("  {place} (worker {worker}) refused {pairs} late windows"));
            }
        }
        for ((source, reason), count) in board.letter_counts() {
            say(&format!("  dead letters {source} {reason}: {}", grouped(count)));
        }
        for ((source, field), count) in board.type_error_counts() {
            let values = if count == 1 { "value" } else { "values" };
            say(&format!("  {source}.{field}: {} {values} of the wrong type", grouped(count)));
        }
        for line in board.latency_lines() {
            say(&format!(
                "  {} {} latency of {} rows: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
                line.view,
                line.kind,
                grouped(line.rows),
                line.p50_ms,
                line.p99_ms,
                line.max_ms
            ));
        }
        let open = board.open();
        let windows = grouped(open.windows);
        match (stopped, open.windows) {
            (true, 0) => say("  no window was open"),
            (true, _) => say(&format!("  {windows} windows were open and stay unwritten")),
            (false, _) => say("  all windows are closed"),
        }
        super::log::say(&words.join("\n"));
    }
}

/// Writes the latencies of all views as CSV.
pub(super) fn write_latencies(jobs: &[Arc<Job>], path: &Path) -> Result<()> {
    let failed = |error: csv::Error| {
        Error::storage(format!("cannot write `{}`: {error}", path.display()))
            .hint("name a file in a folder that exists and can be written")
    };
    let mut csv = csv::Writer::from_path(path).map_err(failed)?;
    for line in jobs.iter().flat_map(|job| job.board.latency_lines()) {
        csv.serialize(line).map_err(failed)?;
    }
    csv.flush().map_err(|error| failed(error.into()))
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
