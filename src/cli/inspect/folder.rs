//! What the checkpoints of a job hold, read from their folder alone.
//!
//! It changes nothing and asks no running job, so it also works on a copy of the folder.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::log;
use crate::checkpoint::{Directory, Inspected, Manifest, inspect as look};
use crate::error::{Error, Result};
use crate::time::{Millis, Time};

/// Describes the checkpoints of a folder; damaged ones are said on standard error.
pub(super) fn describe_folder(folder: &Path, epoch: Option<u64>, json: bool) -> Result<String> {
    let mut text = String::new();
    for folder in folders(folder)? {
        let found = look(&Directory::existing(&folder))?;
        for Inspected { epoch, manifest } in &found {
            if let Err(damage) = manifest {
                log::say(&format!("checkpoint {epoch} is damaged: {damage}"));
            }
        }
        let manifest = choose(&folder, &found, epoch)?;
        if json {
            let json = serde_json::to_string_pretty(manifest)
                .map_err(|error| Error::bug(format!("a manifest is no JSON: {error}")))?;
            let _ = writeln!(text, "{json}");
        } else {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", folder.display());
            let epochs: Vec<String> = found.iter().map(|found| found.epoch.to_string()).collect();
            describe(&mut text, manifest, &epochs.join(", "));
        }
    }
    Ok(text)
}

/// The folders with manifests: this one, or those in it.
fn folders(path: &Path) -> Result<Vec<PathBuf>> {
    let read = |path: &Path| -> Result<Vec<PathBuf>> {
        let failed = |error| Error::config(format!("cannot read `{}`: {error}", path.display()));
        let entries = fs::read_dir(path).map_err(failed)?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        Ok(paths)
    };
    let has_manifest = |path: &Path| {
        let name = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let paths = read(path).unwrap_or_default();
        paths.iter().filter_map(name).any(|name| Manifest::epoch_of(&name).is_some())
    };
    let inner = read(path)?;
    if has_manifest(path) {
        return Ok(vec![path.into()]);
    }
    let folders: Vec<PathBuf> = inner.into_iter().filter(|path| has_manifest(path)).collect();
    if folders.is_empty() {
        return Err(Error::config(format!("there are no checkpoints in `{}`", path.display()))
            .hint("name the folder that `checkpoint.path` says, or that of a job in it"));
    }
    Ok(folders)
}

fn choose<'f>(folder: &Path, found: &'f [Inspected], epoch: Option<u64>) -> Result<&'f Manifest> {
    let mut all = found.iter().rev().filter(|found| epoch.is_none_or(|epoch| epoch == found.epoch));
    if let (Some(epoch), None) = (epoch, all.clone().next()) {
        let epochs: Vec<String> = found.iter().map(|found| found.epoch.to_string()).collect();
        return Err(Error::usage(format!("there is no checkpoint {epoch}"))
            .hint(format!("there are {}", epochs.join(", ")))
            .within(folder.display()));
    }
    all.find_map(|found| found.manifest.as_ref().ok()).ok_or_else(|| {
        Error::config("none of the checkpoints is whole")
            .hint("bring the files back, or set another `checkpoint.path` to start anew")
            .within(folder.display())
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
            let sum = if ledger.adds_up() { "" } else { "  does not add up" };
            let _ = writeln!(
                text,
                "  {source:<16} {:>4} {next:>12} {greatest:>27} {floor:>27} {:>10} {:>10} {:>8} \
                 {:>8} {:>10}{sum}",
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
