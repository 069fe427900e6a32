//! Trials under an open loop: latency from the planned time of each event to the receipt of the
//! first row that counts it.
//!
//! ```text
//! engine starts ─► a probe of two minutes ago: ready when its row comes ─► idle ─► load ─► drain
//! ```
//!
//! The k-th event of a group, by planned time, counts as covered by the first row that has at least
//! `k` events. `row` is the latency of the latest event of each row. Of final rows, `close_delay`
//! counts from the planned time of the event that allowed the last partition to close the window.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use highwater::error::{Error, Result};

use super::experiment::{Load, Trial};
use super::folder::ThroughputRow;
use super::latency::{LatencyRow, Series};
use super::process::Tree;
use super::rows::Received;
use super::trial::{Bed, Outcome, Running, judge};
use super::verify::{Check, Newest};
use crate::engines::{Engine, Job, RowsWanted};
use crate::load::{OpenLoop, Sent, now_us};
use crate::workloads::plays::{PARTITIONS, Plan, Timing};
use crate::workloads::queries::{Answer, Query};
use crate::workloads::{DELAY_MS, SEED, Workload};

/// How long an engine may take until it shows a row.
const READY_MAX: Duration = Duration::from_secs(120);

/// How long rows are waited for after the last event.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// Between the first row and the load.
const SETTLE: Duration = Duration::from_secs(3);

/// Between saying what is to be sent and the first planned time, in microseconds.
const LEAD_US: i64 = 1_500_000;

/// Share of p99 that the generator's own p99.9 lateness may be.
const GENERATOR_SHARE: f64 = 0.1;

/// A generator that ran so late was not the cause of anything one could see, in milliseconds.
const GENERATOR_MS: f64 = 20.0;

/// Runs an engine under load.
///
/// # Errors
///
/// The broker is away. What the engine does wrong is in the outcome.
pub fn live(bed: &Bed, engine: &dyn Engine, trial: &Trial, load: &Load) -> Result<Outcome> {
    let input = bed.target(&format!("live-{}", trial.number));
    input.create(PARTITIONS)?;
    let job = bed.job(trial, input, 0)?;
    let mut outcome = Outcome::default();
    if let Some(why) = engine.refuses(&job) {
        outcome.row.status = format!("skipped:{why}");
        return Ok(outcome);
    }
    let Workload::Plays(query) = trial.query else {
        outcome.row.status = format!("skipped:no load is planned for the query {}", trial.query);
        return Ok(outcome);
    };
    let mut watched = Watched { running: bed.start(engine, trial, &job)?, rows: Vec::new() };
    if !watched.is_ready(&job)? {
        let ended = watched.running.tree.has_ended();
        watched.running.end(!ended, &mut outcome)?;
        if !ended {
            outcome.row.status = "timeout".into();
        }
        return Ok(outcome);
    }
    watched.wait(SETTLE)?;
    if 0 < load.idle {
        let before = watched.running.tree.usage().cpu_s;
        watched.wait(Duration::from_secs(load.idle))?;
        let used = watched.running.tree.usage().cpu_s - before;
        outcome.row.idle_percent = Some(100.0 * used / load.idle as f64);
    }
    let loaded = watched.send_load(bed, (&job, query), trial, load, &mut outcome)?;
    let Watched { running, rows } = watched;
    let Some(Loaded { plan, sent, answer, newest, late }) = loaded else {
        running.end(true, &mut outcome)?;
        outcome.row.status = "invalid_generator".into();
        return Ok(outcome);
    };
    let started_us = plan.planned_us(0);
    outcome.verdict = newest.compare(engine.is_approximate());
    outcome.row.rate_achieved = Some(sent.rate);
    running.end(true, &mut outcome)?;
    let first_us = started_us + (load.warmup * 1_000_000) as i64;
    let measured = Measured { plan: &plan, query, first_us };
    let outstanding = match trial.rows {
        RowsWanted::Update => measured.updates(&rows, &mut outcome.series),
        RowsWanted::Final => measured.finals(&rows, &mut outcome.series),
    };
    for series in &outcome.series {
        let left = if series.tag() == "event" { outstanding } else { 0 };
        outcome.latencies.push(series.row(trial.number, left));
    }
    outcome.latencies.push(lateness(trial.number, &sent));
    judge(engine, late, answer.len(), &mut outcome);
    let p99 = outcome.latencies.first().map_or(0.0, |row| row.p99);
    let allowed = GENERATOR_MS.max(GENERATOR_SHARE * p99);
    if outcome.row.status == "ok" && allowed < sent.late_p999_ms && p99 < sent.late_p999_ms {
        outcome.row.status = "invalid_generator".into();
    }
    Ok(outcome)
}

/// An engine under load, and all its rows.
struct Watched {
    running: Running,
    rows: Vec<Received>,
}

impl Watched {
    fn take(&mut self, wait: Duration) -> Result<()> {
        let rows = &mut self.rows;
        self.running.take(wait, |record| {
            rows.extend(Received::read(record)?);
            Ok(())
        })
    }

    /// Sends a probe and, for engines that show closed windows alone, one that closes its window.
    fn is_ready(&mut self, job: &Job) -> Result<bool> {
        let now_ms = now_us() / 1_000;
        job.input.probe(now_ms - 120_000)?;
        job.input.probe(now_ms - 60_000)?;
        while self.rows.is_empty() {
            if READY_MAX < self.running.tree.started().elapsed() || self.running.tree.has_ended() {
                return Ok(false);
            }
            self.take(Duration::from_millis(5))?;
        }
        Ok(true)
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        let until = now_us() + time.as_micros() as i64;
        while now_us() < until {
            self.take(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Lets another process send the load, and reads rows meanwhile and until all are there;
    /// nothing if the generator failed.
    fn send_load(
        &mut self,
        bed: &Bed,
        (job, query): (&Job, Query),
        trial: &Trial,
        load: &Load,
        outcome: &mut Outcome,
    ) -> Result<Option<Loaded>> {
        let start_us = now_us() + LEAD_US;
        let timing = Timing::Live { start_us, rate: load.rate };
        let plan = Plan { seed: SEED, events: trial.events, timing };
        let log = bed.logs.join(format!("{:03}-gen_late.hlog", trial.number));
        let told = OpenLoop { target: job.input.clone(), plan, log };
        let path = job.work.join("open-loop.json");
        let text = serde_json::to_string(&told).map_err(Error::bug)?;
        std::fs::write(&path, text).map_err(Error::storage)?;
        let mut command = Command::new(std::env::current_exe().map_err(Error::storage)?);
        command.args(["part", "open-loop"]).arg(&path);
        let said = job.work.join("open-loop.out");
        let generator = Tree::spawn(command, &said)?;
        let answer = Arc::new(answer_of(query, trial.rows, &plan));
        let end_us = plan.planned_us(plan.events);
        let mut before = self.running.tree.usage();
        let (mut next_us, mut started) = (start_us, false);
        while now_us() < end_us {
            self.take(Duration::from_millis(2))?;
            let now = now_us();
            if next_us <= now {
                let usage = self.running.tree.usage();
                if !started {
                    (before, started) = (usage, true);
                }
                outcome.throughput.push(ThroughputRow {
                    trial: trial.number,
                    t_ms: (now - start_us) / 1_000,
                    events_due: ((now - start_us) as u64 * load.rate / 1_000_000).min(plan.events),
                    rows_out: self.rows.len() as u64,
                    rss_kb: usage.resident_bytes / 1_024,
                    cpu_s: usage.cpu_s,
                });
                next_us += 1_000_000;
            }
        }
        let used = self.running.tree.usage().cpu_s - before.cpu_s;
        outcome.row.cpu_percent = Some(100.0 * used / load.seconds as f64);
        let deadline = now_us() + DRAIN_MAX.as_micros() as i64;
        // Rows before the load are those of the probe.
        let first = answer.keys().next().map_or(i64::MAX, |(start, _)| *start);
        let (mut newest, mut seen) = (Newest::from(first, answer.clone()), 0);
        let late = loop {
            for received in &self.rows[seen..] {
                newest.take_row(&received.row);
            }
            seen = self.rows.len();
            let complete = newest.is_complete();
            if complete || deadline < now_us() {
                break !complete;
            }
            self.take(Duration::from_millis(50))?;
        };
        let ended = generator.end(false, Duration::from_secs(10))?;
        let text = std::fs::read_to_string(&said).unwrap_or_default();
        let sent = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let sent = sent.filter(|_| ended.status.success());
        Ok(sent.map(|sent| Loaded { plan, sent, answer, newest, late }))
    }
}

/// A load that was sent, and the rows that came of it.
struct Loaded {
    plan: Plan,
    sent: Sent,
    answer: Arc<Answer>,
    newest: Newest,
    /// Whether rows were still missing when nobody waited any longer.
    late: bool,
}

/// The groups that must be there: of final rows, those whose window the load itself has closed.
fn answer_of(query: Query, rows: RowsWanted, plan: &Plan) -> Answer {
    let mut answer = query.answer(plan);
    if rows == RowsWanted::Final {
        let size = query.window_ms().0;
        let last = plan.events.saturating_sub(u64::from(PARTITIONS));
        let last_ms = plan.planned_us(last) / 1_000;
        answer.retain(|(start, _), _| start + size + DELAY_MS <= last_ms);
    }
    answer
}

/// What rows are measured against.
struct Measured<'a> {
    plan: &'a Plan,
    query: Query,
    /// Events planned before this are not measured.
    first_us: i64,
}

impl Measured<'_> {
    /// Latencies of update rows; returns how many events no row has covered.
    fn updates(&self, rows: &[Received], series: &mut Vec<Series>) -> u64 {
        let slide = self.query.window_ms().1;
        let mut planned: BTreeMap<(i64, String), Vec<i64>> = BTreeMap::new();
        for n in 0..self.plan.events {
            let facts = self.plan.facts(n);
            let start = facts.at_ms.div_euclid(slide) * slide;
            planned.entry((start, facts.video_id())).or_default().push(facts.planned_us);
        }
        let mut covered: BTreeMap<(i64, String), usize> = BTreeMap::new();
        let (mut event, mut row) = (Series::new("event"), Series::new("row"));
        let mut uncovered = self.plan.events;
        for Received { at_us, row: found } in rows {
            let place = (found.start, found.key.clone());
            let Some(times) = planned.get(&place) else { continue };
            let at = self.since_start(*at_us);
            let until = times.len().min(usize::try_from(found.events).unwrap_or(0));
            let from = covered.entry(place).or_default();
            for time in times.get(*from..until).unwrap_or_default() {
                uncovered -= 1;
                if self.first_us <= *time {
                    event.record(at, at_us - time);
                }
            }
            // A row that repeats what was there, as a final one does, shows no event.
            let is_news = *from < until;
            *from = until.max(*from);
            let latest = found.planned_us.filter(|latest| is_news && self.first_us <= *latest);
            if let Some(latest) = latest {
                row.record(at, at_us - latest);
            }
        }
        series.splice(0..0, [event, row]);
        uncovered
    }

    /// Delays of final rows.
    fn finals(&self, rows: &[Received], series: &mut Vec<Series>) -> u64 {
        let Timing::Live { start_us, rate } = self.plan.timing else { return 0 };
        let size = self.query.window_ms().0;
        let mut delays = Series::new("close_delay");
        for Received { at_us, row } in rows {
            let closes_us = (row.start + size + DELAY_MS) * 1_000;
            // The first event that late, and those of the other partitions that follow it.
            let before = u64::try_from(closes_us - start_us).unwrap_or(0);
            let n = (u128::from(before) * u128::from(rate)).div_ceil(1_000_000) as u64;
            let allowed = self.plan.planned_us(n + u64::from(PARTITIONS) - 1);
            if self.first_us <= row.start * 1_000 && n < self.plan.events {
                delays.record(self.since_start(*at_us), at_us - allowed);
            }
        }
        series.insert(0, delays);
        0
    }

    fn since_start(&self, at_us: i64) -> Duration {
        Duration::from_micros(u64::try_from(at_us - self.plan.planned_us(0)).unwrap_or(0))
    }
}

/// The generator's own lateness, as it has said it.
fn lateness(trial: usize, sent: &Sent) -> LatencyRow {
    LatencyRow {
        trial,
        tag: "gen_late".into(),
        p50: sent.late_p50_ms,
        p90: f64::NAN,
        p99: sent.late_p99_ms,
        p999: sent.late_p999_ms,
        max: sent.late_max_ms,
        count: sent.events,
        outstanding_at_end: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::queries::ResultRow;

    const START_US: i64 = 1_800_000_000_000_000;

    fn plan(events: u64, rate: u64) -> Plan {
        Plan { seed: 1, events, timing: Timing::Live { start_us: START_US, rate } }
    }

    fn received(at_us: i64, key: String, start: i64, events: i64) -> Received {
        let planned_us = Some(at_us - 5_000);
        Received { at_us, row: ResultRow { key, start, events, users: None, planned_us } }
    }

    #[test]
    fn an_event_is_covered_by_the_first_row_that_counts_it() {
        let plan = plan(1, 1);
        let facts = plan.facts(0);
        let start = facts.at_ms.div_euclid(10_000) * 10_000;
        let rows = [
            received(START_US + 20_000, facts.video_id(), start, 0),
            received(START_US + 30_000, facts.video_id(), start, 1),
            received(START_US + 90_000, facts.video_id(), start, 1),
        ];
        let measured = Measured { plan: &plan, query: Query::Latest, first_us: START_US };
        let mut series = vec![];
        assert_eq!(measured.updates(&rows, &mut series), 0);
        let event = series[0].total();
        assert_eq!((event.len(), event.max() / 1_000), (1, 30));
        assert_eq!(series[1].total().len(), 1, "rows that show nothing new have no latency");
    }

    #[test]
    fn an_event_that_no_row_has_covered_is_outstanding() {
        let plan = plan(3, 1);
        let measured = Measured { plan: &plan, query: Query::Latest, first_us: START_US };
        assert_eq!(measured.updates(&[], &mut vec![]), 3);
    }

    #[test]
    fn the_delay_of_a_window_counts_from_the_event_that_lets_the_last_partition_close_it() {
        // A thousand events a second: one each millisecond, in turn to four partitions.
        let plan = plan(60_000, 1_000);
        let start = START_US / 1_000;
        let closes = START_US + (10_000 + DELAY_MS) * 1_000;
        let rows = [received(closes + 3_000 + 7_000, "VID001".into(), start, 1)];
        let measured = Measured { plan: &plan, query: Query::Latest, first_us: START_US };
        let mut series = vec![];
        measured.finals(&rows, &mut series);
        assert_eq!(series[0].total().max() / 1_000, 7);
    }

    #[test]
    fn only_windows_that_the_load_has_closed_must_be_final() {
        let answer = answer_of(Query::Latest, RowsWanted::Final, &plan(30_000, 1_000));
        let starts: std::collections::BTreeSet<i64> =
            answer.keys().map(|(start, _)| *start).collect();
        assert_eq!(starts.into_iter().collect::<Vec<_>>(), [START_US / 1_000]);
    }
}
