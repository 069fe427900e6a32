//! The engine and the reference agree: on every boundary, and on random cases.

use std::fmt::Write;
use std::time::Instant;

use highwater::row::{Cell, Change, Mark};
use highwater::runtime::Workers;

use super::boundaries::boundaries;
use super::cases::{Case, seeds};
use super::engine::{Answered, answers};
use super::event;
use super::job::{End, View};
use super::reference;
use super::shrink::shrink;

/// How many random cases run, unless `HIGHWATER_CASES` says otherwise.
const CASES: u64 = 3_000;

/// How many cases share a run.
const CASES_PER_RUN: usize = 60;

/// How many workers successive runs have.
const THREADS: [usize; 8] = [2, 1, 3, 2, 4, 2, 1, 2];

#[test]
fn the_engine_agrees_with_every_boundary() {
    let boundaries = boundaries();
    for workers in [1, 2] {
        for end in [End::Finished, End::Stopped] {
            let some: Vec<_> = boundaries.iter().filter(|some| some.case.end == end).collect();
            for some in some.chunks(CASES_PER_RUN) {
                let cases: Vec<Case> = some.iter().map(|boundary| boundary.case.clone()).collect();
                let answered = answers(&cases, &Workers::threads(workers));
                for (boundary, answered) in some.iter().zip(answered) {
                    let name = &boundary.name;
                    let found = answered.outcome.summary();
                    assert_eq!(found, boundary.expected, "{name}\n{:?}", boundary.case);
                    assert_eq!(difference(&boundary.case, &answered), None, "{name}");
                }
            }
        }
    }
}

#[test]
fn the_engine_agrees_with_the_reference_on_random_cases() {
    let count = std::env::var("HIGHWATER_CASES")
        .map_or(CASES, |count| count.parse().expect("HIGHWATER_CASES is a whole number"));
    let begun = Instant::now();
    let seeds = seeds(count);
    for (number, seeds) in seeds.chunks(CASES_PER_RUN).enumerate() {
        let threads = THREADS[number % THREADS.len()];
        let workers = Workers { zerocopy: number % 3 == 2, ..Workers::threads(threads) };
        let cases: Vec<Case> = seeds.iter().copied().map(Case::random).collect();
        for end in [End::Finished, End::Stopped] {
            let cases: Vec<Case> = cases.iter().filter(|case| case.end == end).cloned().collect();
            for (case, answered) in cases.iter().zip(answers(&cases, &workers)) {
                if let Some(difference) = difference(case, &answered) {
                    panic!("{}", report(case, &difference, &workers));
                }
            }
        }
    }
    println!("{} cases in {:?}", seeds.len(), begun.elapsed());
}

/// What differs between the engine's answer and the reference; `None` when nothing does.
pub(crate) fn difference(case: &Case, answered: &Answered) -> Option<String> {
    let groups = case.job.groups();
    let expected = reference::run(&case.job, case.end).by_operator(&groups);
    let mut text = expected.difference(&answered.outcome).unwrap_or_default();
    // What is shown while it changes is at last what an end would write, also of open windows.
    let all = reference::run(&case.job, End::Finished);
    for (number, (view, shown)) in case.job.views.iter().zip(&answered.shown).enumerate() {
        let is_shown = !shown.is_empty() && !matches!(view, View::Trailing { .. });
        if let (true, Err(why)) = (is_shown, follow(view, shown, &all.rows[number], case.end)) {
            writeln!(text, "view {number} while it changed: {why}").expect("into a string");
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Follows a view through its changes: nothing changes behind a final row, each final row is what
/// was shown last, and what remains are the expected rows.
fn follow(
    view: &View,
    shown: &[(Mark, Vec<Cell>)],
    expected: &[super::outcome::Row],
    end: End,
) -> Result<(), String> {
    let mut table: Vec<(&[Cell], Change, &[Cell])> = Vec::new();
    for (mark, cells) in shown {
        let key = &cells[..event::KEY.len()];
        let at = table.iter().position(|(held, ..)| *held == key);
        let Some(at) = at else {
            if mark.change != Change::Upsert {
                return Err(format!("{cells:?} begins with {:?}", mark.change));
            }
            table.push((key, mark.change, cells));
            continue;
        };
        let (_, change, held) = table[at];
        if change == Change::Final {
            return Err(format!("{cells:?} comes behind a final row"));
        }
        if mark.change != Change::Upsert && (change == Change::Delete || held != cells) {
            return Err(format!("{:?} {cells:?} after {change:?} {held:?}", mark.change));
        }
        table[at] = (key, mark.change, cells);
    }
    table.retain(|(_, change, _)| *change != Change::Delete);
    if end == End::Finished && table.iter().any(|(_, change, _)| *change != Change::Final) {
        return Err("a row never became final".into());
    }
    let rows = table.iter().map(|(_, _, cells)| event::answer(view, cells, None));
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    if rows == expected { Ok(()) } else { Err(format!("{rows:?}\n  instead of {expected:?}")) }
}

/// Shrinks a case that fails, and tells what is left of it. What fails may depend on timing, so
/// each candidate runs several times at once.
fn report(case: &Case, first: &str, workers: &Workers) -> String {
    let fails = |case: &Case| {
        let copies: Vec<Case> = (0..8).map(|copy| copied(case, copy)).collect();
        let answered = answers(&copies, workers);
        copies.iter().zip(&answered).find_map(|(case, answered)| difference(case, answered))
    };
    eprintln!("HIGHWATER_SEED={} fails with {workers:?}; shrinking\n{first}", case.seed);
    let small = shrink(case.clone(), |case| fails(case).is_some());
    let again = fails(&small).unwrap_or_else(|| "it passed when it ran again".into());
    format!("{small:?}\n{again}\nwith {workers:?}; before shrinking:\n{first}")
}

/// The same case at another pace.
fn copied(case: &Case, copy: u64) -> Case {
    Case { interleaving: case.interleaving.wrapping_add(copy), ..case.clone() }
}
