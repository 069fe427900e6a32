//! Golden scripts: events in, rows out.
//!
//! Each script under `tests/golden/<system>` is played with 1, 2 and 4 workers and with its events
//! dealt to 1 to 4 partitions, by key and by chance. A step comes in when all rows of the step
//! before it are out. `REWRITE=1` writes what came out into the scripts.
//!
//! As events are dealt to partitions in several ways, an event of a script may lie behind earlier
//! ones of its port by more than the lateness only if a `frontier` line makes it late, which
//! speaks for all partitions.

mod chat;
mod determinism;
mod elearning;
mod log;
mod play;
mod script;
mod shown;

use std::path::{Path, PathBuf};

use highwater::runtime::Workers;

use play::{Deal, Row, System, play};
use script::Script;

/// How events are dealt.
const DEALS: [Deal; 4] = [
    Deal { partitions: 1, seed: None, batch: 1_000 },
    Deal { partitions: 2, seed: None, batch: 1 },
    Deal { partitions: 3, seed: Some(1), batch: 2 },
    Deal { partitions: 4, seed: Some(2), batch: 1 },
];

/// Counts of workers, each with some of the deals. The first says what is rewritten.
const RUNS: [(usize, &[usize]); 3] = [(1, &[0, 2]), (2, &[1, 3]), (4, &[0, 2, 3])];

#[test]
fn the_scripts_of_the_chat_system_hold() {
    check(&chat::CHAT);
}

#[test]
fn the_scripts_of_the_elearning_system_hold() {
    elearning::JOBS.iter().for_each(check);
}

fn check(system: &System) {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let scripts: Vec<Script> =
        files(system.folder).iter().map(|path| Script::read(path, system.ports)).collect();
    let mut wrong = Vec::new();
    // All rows of each script with all their columns, as the first run found them.
    let mut first: Vec<Option<Vec<String>>> = scripts.iter().map(|_| None).collect();
    for (threads, deals) in RUNS {
        let deals = deals.iter().map(|deal| DEALS[*deal]);
        let plays: Vec<(usize, Deal)> =
            deals.flat_map(|deal| (0..scripts.len()).map(move |script| (script, deal))).collect();
        let played: Vec<(&Script, Deal)> =
            plays.iter().map(|(script, deal)| (&scripts[*script], *deal)).collect();
        let found = play(system, &played, &Workers::threads(threads));
        for ((index, deal), found) in plays.into_iter().zip(&found) {
            let script = &scripts[index];
            let place = format!("{} on {threads} workers with {deal:?}", script.name());
            let (shown, all) = (shown(script, found), sorted(found.iter().flatten().map(whole)));
            match &first[index] {
                None if rewrite => script.rewrite(&shown),
                None => {}
                Some(first) if *first != all => {
                    wrong.push(format!("{place}: other rows than with one worker and partition"));
                }
                Some(_) => {}
            }
            first[index].get_or_insert(all);
            if !rewrite {
                wrong.extend(differences(script, &shown).map(|text| format!("{place}: {text}")));
            }
        }
    }
    let listed: Vec<&str> = wrong.iter().take(LISTED_MAX).map(String::as_str).collect();
    let folder = system.folder;
    assert!(wrong.is_empty(), "{folder}: {} differences:\n{}", wrong.len(), listed.join("\n"));
}

/// How many differences are listed.
const LISTED_MAX: usize = 12;

/// The scripts of a folder, in the order of their names.
fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let files = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The rows of each step as lines, sorted; with what came after the last step as one step more, if
/// anything did.
fn shown(script: &Script, found: &[Vec<Row>]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (index, rows) in found.iter().enumerate() {
        if script.steps.len() <= index && rows.is_empty() {
            continue;
        }
        let expected = || script.steps.iter().take(index + 1).rev().flat_map(|step| &step.expected);
        let lines = rows.iter().map(|row| {
            let id = shown::plain(&row.view.id(&row.schema, &row.cells)) + " ";
            let named =
                |start: &str| expected().find(|line| (shown::plain(line) + " ").starts_with(start));
            let line = named(&id).or_else(|| named(&format!("{} ", row.view.name)));
            let columns = match line {
                Some(line) => shown::columns(line),
                None => row.view.columns.iter().map(|name| (*name).to_owned()).collect(),
            };
            row.view.line(&row.schema, &row.cells, &columns)
        });
        all.push(sorted(lines));
    }
    all
}

/// A row with all that belongs to it; where a letter lay depends on the deal.
fn whole(row: &Row) -> String {
    let places = ["partition", "offset", "key", "watermark"];
    let names = row.schema.columns.iter().map(|column| column.name.clone());
    let columns: Vec<String> = names.filter(|name| !places.contains(&name.as_str())).collect();
    row.view.line(&row.schema, &row.cells, &columns)
}

/// What a script expects and did not come, and what came without being expected.
fn differences(script: &Script, shown: &[Vec<String>]) -> impl Iterator<Item = String> {
    let mut texts = Vec::new();
    for index in 0..shown.len().max(script.steps.len()) {
        let expected = script.steps.get(index).map_or(&[][..], |step| &step.expected);
        let expected = sorted(expected.iter().map(|line| shown::plain(line)));
        let found = shown.get(index).map_or(&[][..], |lines| &lines[..]);
        let found = sorted(found.iter().map(|line| shown::plain(line)));
        if expected != found {
            let (expected, found) = (expected.join("\n    "), found.join("\n    "));
            texts.push(format!(
                "step {}\n  expected\n    {expected}\n  found\n    {found}",
                index + 1
            ));
        }
    }
    texts.into_iter()
}

fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

/// The next of a sequence of random numbers (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
