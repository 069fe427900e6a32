//! What the checkpoints of a job hold, read from their folder alone.
//!
//! It changes nothing and asks no running job, so it also works on a copy of the folder. A bucket
//! is a folder like another.

use std::fmt::Write as _;

use super::super::log;
use crate::checkpoint::{Inspected, Manifest, Place, inspect as look};
use crate::error::{Error, Result};
use crate::objects::S3Options;
use crate::time::{Millis, Time};

/// Describes the checkpoints of a folder; damaged ones are said on standard error.
pub(super) fn describe_folder(folder: &str, epoch: Option<u64>, json: bool) -> Result<String> {
    let mut text = String::new();
    // How S3 is reached, the variables of AWS say: there is no job file here.
    for store in Place::new(folder, &S3Options::default())?.stores()? {
        let (name, found) = (store.name(), look(&*store)?);
        for Inspected { epoch, manifest } in &found {
            if let Err(damage) = manifest {
                log::say(&format!("checkpoint {epoch} is damaged: {damage}"));
            }
        }
        let manifest = choose(&name, &found, epoch)?;
        if json {
            let json = serde_json::to_string_pretty(manifest)
                .map_err(|error| Error::bug(format!("a manifest is no JSON: {error}")))?;
            let _ = writeln!(text, "{json}");
        } else {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{name}");
            let epochs: Vec<String> = found.iter().map(|found| found.epoch.to_string()).collect();
            describe(&mut text, manifest, &epochs.join(", "));
        }
    }
    Ok(text)
}

fn choose<'f>(place: &str, found: &'f [Inspected], epoch: Option<u64>) -> Result<&'f Manifest> {
    let mut all = found.iter().rev().filter(|found| epoch.is_none_or(|epoch| epoch == found.epoch));
    if let (Some(epoch), None) = (epoch, all.clone().next()) {
        let epochs: Vec<String> = found.iter().map(|found| found.epoch.to_string()).collect();
        return Err(Error::usage(format!("there is no checkpoint {epoch}"))
            .hint(format!("there are {}", epochs.join(", ")))
            .within(place));
    }
    all.find_map(|found| found.manifest.as_ref().ok()).ok_or_else(|| {
        Error::config("none of the checkpoints is whole")
            .hint("bring the files back, or set another `checkpoint.path` to start anew")
            .within(place)
    })
}

fn describe(text: &mut String, manifest: &Manifest, epochs: &str) {
    let Manifest { system, job, epoch, generation, peers, written_at, engine, .. } = manifest;
    let mut line = |name: &str, about: String| {
        let _ = writeln!(text, "  {name:<12} {about}");
    };
    line("job", format!("{job} of {system}, engine {engine}"));
    let end = if manifest.done { "; its input has ended" } else { "" };
    line("checkpoint", format!("epoch {epoch} of {epochs}, written {written_at}{end}"));
    line("attempt", format!("{generation}, {peers} workers; begun anew by {}", manifest.life));
    sources(text, manifest);
    states(text, manifest);
    sinks(text, manifest);
}

fn sources(text: &mut String, manifest: &Manifest) {
    let _ = writeln!(
        text,
        "  {:<16} {:>4} {:>12} {:>27} {:>27} {:>10} {:>10} {:>8} {:>8} {:>10}",
        "source",
        "part",
        "next",
        "greatest event time",
        "floor",
        "read",
        "used",
        "late",
        "dead",
        "duplicates"
    );
    for (source, marks) in &manifest.sources {
        for mark in marks {
            let ledger = mark.ledger;
            let next = mark.next_offset.map_or("-".into(), |offset| offset.to_string());
            let greatest = mark.greatest.map_or("-".into(), |time| time.to_string());
            let floor = match mark.floor {
                Millis::MIN => "-".into(),
                Millis(floor) => Time::from_micros(floor.saturating_mul(1_000)).to_string(),
            };
            let gaps = match ledger.gaps {
                0 => String::new(),
                gaps => format!("  {gaps} positions had no record, or had lost it"),
            };
            let sum = if ledger.adds_up() { "" } else { "  does not add up" };
            let _ = writeln!(
                text,
                "  {source:<16} {:>4} {next:>12} {greatest:>27} {floor:>27} {:>10} {:>10} {:>8} \
                 {:>8} {:>10}{gaps}{sum}",
                mark.partition,
                ledger.read,
                ledger.used,
                ledger.late,
                ledger.dead,
                ledger.duplicates
            );
        }
    }
}

fn states(text: &mut String, manifest: &Manifest) {
    let _ = writeln!(text, "  {:<40} {:>6} {:>12}", "state", "files", "bytes");
    for (operator, files) in &manifest.states {
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let _ = writeln!(text, "  {operator:<40} {:>6} {bytes:>12}", files.len());
        let shape = manifest.shapes.iter().find(|shape| shape.operator == *operator);
        for part in shape.iter().flat_map(|shape| &shape.parts) {
            let _ = writeln!(text, "    {part}");
        }
    }
}

fn sinks(text: &mut String, manifest: &Manifest) {
    for (sink, receipts) in &manifest.receipts {
        for receipt in receipts {
            let (shard, receipt) = (receipt.shard, &receipt.receipt);
            let rows: usize = receipt.outbox.iter().map(|file| file.rows).sum();
            if !receipt.words.is_empty() {
                let _ = writeln!(text, "  sink {sink}, worker {shard}: {}", receipt.words);
            }
            if let (Some(first), Some(last)) = (receipt.outbox.first(), receipt.outbox.last()) {
                let (first, last) = (first.epoch, last.epoch);
                let _ = writeln!(
                    text,
                    "  sink {sink}, worker {shard}: {rows} rows of epochs {first} to {last} are \
                     to be delivered"
                );
            }
        }
    }
}
