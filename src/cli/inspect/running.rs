//! What a running job says of itself, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::super::control::Found;
use super::super::progress::grouped;
use crate::error::{Error, Result};
use crate::lateness::Ledger;
use crate::observe::status::{
    JobStatus, PartitionStatus, Phase, Role, SinkStatus, SourceStatus, Status, Together,
};
use crate::observe::why::{instant, span, why};
use crate::text::Text;
use crate::time::{Millis, Time};

/// For programs: what all processes say, and why windows are open.
#[derive(Serialize)]
struct Answer<'s> {
    processes: &'s [Status],
    open_windows: Vec<OpenWindow>,
}

#[derive(Serialize)]
struct OpenWindow {
    job: String,
    operator: Text,
    end: Time,
    why: String,
}

/// A line of JSON.
///
/// # Errors
///
/// A bug.
pub(super) fn json(statuses: &[Status]) -> Result<String> {
    let windows = jobs(statuses).into_iter().flat_map(|job| {
        let windows = Together::of(statuses, job).open_windows().into_iter();
        windows.map(move |window| OpenWindow {
            job: job.into(),
            operator: window.operator,
            end: window.facts.end,
            why: why(&window.facts),
        })
    });
    let answer = Answer { processes: statuses, open_windows: windows.collect() };
    let json = serde_json::to_string(&answer)
        .map_err(|error| Error::bug(format!("a status is no JSON: {error}")))?;
    Ok(json + "\n")
}

/// For people.
pub(super) fn describe(found: &Found, statuses: &[Status]) -> String {
    let mut text = String::new();
    processes(&mut text, found, statuses);
    refusals(&mut text, statuses);
    for name in jobs(statuses) {
        let job = Together::of(statuses, name);
        let _ = writeln!(text, "\njob {name}");
        checkpoint(&mut text, &job);
        sources(&mut text, &job);
        views(&mut text, &job);
        sinks(&mut text, &job);
        letters(&mut text, &job);
        windows(&mut text, &job);
    }
    text
}

/// The names of all jobs.
fn jobs(statuses: &[Status]) -> Vec<&str> {
    let names = statuses.iter().flat_map(|status| &status.jobs);
    let mut names: Vec<&str> = names.map(|job| job.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn processes(text: &mut String, found: &Found, statuses: &[Status]) {
    let _ = writeln!(
        text,
        "{:<12} {:>8} {:<9} {:>13} {:>7} {:>18}  address",
        "process", "pid", "does", "for", "workers", "generation"
    );
    for run in &found.0 {
        let status = statuses.iter().find(|status| status.process.pid == run.pid);
        let name = match run.role {
            Role::Cluster => "cluster".into(),
            Role::Run => format!("{} of {}", run.index, run.processes),
        };
        let address = run.address.as_deref().unwrap_or("-");
        let Some(Status { process, now, .. }) = status else {
            let _ = writeln!(text, "{name:<12} {:>8} does not answer at {address}", run.pid);
            continue;
        };
        let does = match process.phase {
            Phase::Starting => "starts",
            Phase::Running => "runs",
            Phase::Stopping => "stops",
        };
        let uptime = span(between(process.began, *now));
        let workers = if run.role == Role::Run { process.threads.to_string() } else { "-".into() };
        let generation = process.generation.map_or("-".into(), |number| number.to_string());
        let _ = write!(
            text,
            "{name:<12} {:>8} {does:<9} {uptime:>13} {workers:>7} {generation:>18}  {address}",
            run.pid
        );
        let cause = process.cause.as_ref();
        let _ = writeln!(text, "{}", cause.map_or(String::new(), |why| format!("  after {why}")));
    }
    let processes = statuses.iter().map(|status| status.process.processes).max().unwrap_or(0);
    let here = found.0.iter().filter(|run| run.role == Role::Run).count();
    if here < processes {
        let _ = writeln!(text, "{} more run elsewhere, or do not run", processes - here);
    }
}

fn refusals(text: &mut String, statuses: &[Status]) {
    let kinds = [
        ("refused connections", sum(statuses.iter().map(|status| &status.refused_connections))),
        ("refused requests", sum(statuses.iter().map(|status| &status.refused_requests))),
    ];
    for (name, counts) in kinds {
        let all: u64 = counts.values().sum();
        let by: Vec<String> =
            counts.iter().map(|(reason, count)| format!("{reason} {}", grouped(*count))).collect();
        let by = if by.is_empty() { String::new() } else { format!(": {}", by.join(", ")) };
        let _ = writeln!(text, "{name:<20} {}{by}", grouped(all));
    }
}

fn sum<'s>(counts: impl Iterator<Item = &'s BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut sum = BTreeMap::new();
    for (reason, count) in counts.flatten() {
        *sum.entry(reason.clone()).or_default() += count;
    }
    sum
}

fn checkpoint(text: &mut String, job: &Together<'_>) {
    let newest = job.parts().filter_map(|(status, job)| Some((job.checkpoint?, status.now)));
    let newest = newest.max_by_key(|(checkpoint, _)| checkpoint.epoch);
    let line = match newest {
        Some((newest, now)) => {
            let age = span(between(newest.at, now));
            format!("epoch {}, {age} ago", newest.epoch)
        }
        None => "none".into(),
    };
    let _ = writeln!(text, "  newest checkpoint  {line}");
    let workers = job.parts().flat_map(|(_, job)| &job.workers);
    let (reads, confirms) = workers.fold((0, None), |(reads, confirms), worker| {
        (worker.reads.max(reads), least(confirms, worker.confirms))
    });
    let confirms = confirms.map_or("all".into(), |epoch: u64| {
        epoch.checked_sub(1).map_or("none".into(), |last| last.to_string())
    });
    let _ =
        writeln!(text, "  epochs             {reads} is read, the last confirmed is {confirms}");
}

fn sources(text: &mut String, job: &Together<'_>) {
    let _ = writeln!(
        text,
        "  {:<15} {:>4} {:>6} {:>9} {:>8} {:>11} {:>11} {:>7} {:>7} {:>7} {:>9}  {:<24} \
         last record",
        "source",
        "part",
        "worker",
        "records/s",
        "lag",
        "read",
        "used",
        "late",
        "dead",
        "twice",
        "in flight",
        "watermark"
    );
    for (name, parts) in job.sources() {
        let rate: f64 = parts.iter().map(|(_, source)| source.rate).sum();
        let mut all = Ledger::default();
        let mut partitions: Vec<(&PartitionStatus, Time)> = Vec::new();
        for (process, source) in &parts {
            let now = job.parts().find(|(status, _)| status.process.index == *process);
            let now = now.map_or(Time::default(), |(status, _)| status.now);
            partitions.extend(source.partitions.iter().map(|partition| (partition, now)));
        }
        partitions.sort_by_key(|(partition, _)| partition.id);
        for (partition, now) in &partitions {
            all.add(&partition.ledger);
            line(text, name, partition, *now);
        }
        let _ = writeln!(
            text,
            "  {name:<15} {:>4} {:>6} {rate:>9.0} {:>8} {}",
            "all",
            "",
            lag(&parts),
            ledger(&all)
        );
    }
}

fn lag(parts: &[(usize, &SourceStatus)]) -> String {
    let lags = parts.iter().flat_map(|(_, source)| &source.partitions).map(|p| p.lag);
    let known: Vec<u64> = lags.flatten().collect();
    if known.is_empty() { "-".into() } else { grouped(known.iter().sum()) }
}

fn ledger(ledger: &Ledger) -> String {
    format!(
        "{:>11} {:>11} {:>7} {:>7} {:>7}",
        grouped(ledger.read),
        grouped(ledger.used),
        grouped(ledger.late),
        grouped(ledger.dead),
        grouped(ledger.duplicates)
    )
}

fn line(text: &mut String, name: &str, partition: &PartitionStatus, now: Time) {
    let lag = partition.lag.map_or("-".into(), grouped);
    let last = match partition.greatest {
        _ if partition.is_finished => "finished".into(),
        Some(_) => format!("{} ago", span(between(partition.last, now))),
        None => "none".into(),
    };
    let _ = writeln!(
        text,
        "  {name:<15} {:>4} {:>6} {:>9} {lag:>8} {} {:>9}  {:<24} {last}",
        partition.id,
        partition.worker,
        "",
        ledger(&partition.ledger),
        grouped(partition.in_flight),
        watermark(partition.watermark),
    );
}

fn watermark(watermark: Option<Millis>) -> String {
    watermark.map_or("-".into(), |watermark| instant(Time::from_millis(watermark.0)))
}

fn views(text: &mut String, job: &Together<'_>) {
    let mut rows: BTreeMap<&Text, u64> = BTreeMap::new();
    for (view, count) in job.parts().flat_map(|(_, job)| &job.views) {
        *rows.entry(view).or_default() += count;
    }
    let _ = writeln!(text, "  {:<31} {:>13}", "view", "rows");
    for (view, rows) in rows {
        let _ = writeln!(text, "  {view:<31} {:>13}", grouped(rows));
    }
    let _ = writeln!(
        text,
        "  {:<31} {:>13} {:>11} {:>11}  {:<24} watermark",
        "windows of", "open windows", "entries", "late", "closes first"
    );
    for (name, parts) in job.operators() {
        let sum = |of: fn(&crate::observe::status::OperatorStatus) -> u64| {
            grouped(parts.iter().map(|part| of(part)).sum())
        };
        let first = parts.iter().filter_map(|part| part.first_end).min();
        let all_ended = parts.iter().all(|part| part.has_ended);
        let least = parts.iter().filter(|part| !part.has_ended).map(|part| part.watermark).min();
        let at = if all_ended { "ended".into() } else { watermark(least.flatten()) };
        let _ = writeln!(
            text,
            "  {name:<31} {:>13} {:>11} {:>11}  {:<24} {at}",
            sum(|part| part.open_windows),
            sum(|part| part.entries),
            sum(|part| part.late_windows),
            first.map_or("-".into(), instant),
        );
    }
}

fn sinks(text: &mut String, job: &Together<'_>) {
    let mut all: BTreeMap<(&Text, &Text), SinkStatus> = BTreeMap::new();
    for sink in job.parts().flat_map(|(_, job): (_, &JobStatus)| &job.sinks) {
        all.entry((&sink.view, &sink.kind))
            .and_modify(|sum| {
                sum.pending += sink.pending;
                sum.failed += sink.failed;
                sum.confirmed = sum.confirmed.min(sink.confirmed);
                sum.failing_ms = sum.failing_ms.max(sink.failing_ms);
            })
            .or_insert_with(|| sink.clone());
    }
    let _ = writeln!(
        text,
        "  {:<31} {:<10} {:>13} {:>15} {:>13}",
        "sink", "kind", "rows waiting", "confirmed epoch", "failed writes"
    );
    for sink in all.values() {
        let failing = sink.failing_ms.map_or(String::new(), |failing| {
            format!("  fails for {}", span(Duration::from_millis(failing)))
        });
        let _ = writeln!(
            text,
            "  {:<31} {:<10} {:>13} {:>15} {:>13}{failing}",
            sink.view,
            sink.kind,
            grouped(sink.pending),
            sink.confirmed.map_or("-".into(), |epoch| epoch.to_string()),
            grouped(sink.failed),
        );
    }
}

fn letters(text: &mut String, job: &Together<'_>) {
    let mut all: BTreeMap<(&Text, &String), u64> = BTreeMap::new();
    for (source, reasons) in job.parts().flat_map(|(_, job)| &job.letters) {
        for (reason, count) in reasons {
            *all.entry((source, reason)).or_default() += count;
        }
    }
    for ((source, reason), count) in all {
        let _ = writeln!(text, "  dead letters {source} {reason}: {}", grouped(count));
    }
}

fn windows(text: &mut String, job: &Together<'_>) {
    for window in job.open_windows() {
        let end = instant(window.facts.end);
        let _ = writeln!(text, "\n  why the window of {} to {end} is open:", window.operator);
        for sentence in why(&window.facts).split_inclusive(". ") {
            let _ = writeln!(text, "    {}", sentence.trim_end());
        }
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn between(from: Time, to: Time) -> Duration {
    Duration::from_micros((to.micros() - from.micros()).max(0) as u64)
}
