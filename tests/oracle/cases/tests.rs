//! What random cases are made of, and what must hold for the answer to each.

use std::collections::BTreeMap;

use super::super::job::{End, Kind, Rule, View, Windowed};
use super::super::outcome::{Outcome, Reason, Row};
use super::super::reference;
use super::Case;

fn cases() -> impl Iterator<Item = (Case, Outcome)> {
    super::seeds(1_500).into_iter().map(|seed| {
        let case = Case::random(seed);
        let outcome = reference::run(&case.job, case.end);
        (case, outcome)
    })
}

#[test]
fn a_seed_is_a_case() {
    assert_eq!(Case::random(7), Case::random(7));
    assert_ne!(Case::random(7), Case::random(8));
    assert!(format!("{:?}", Case::random(7)).starts_with("HIGHWATER_SEED=7\n"));
}

#[test]
fn ledgers_add_up_and_letters_stand_for_their_records() {
    for (case, outcome) in cases() {
        let mut letters = 0;
        for (ledgers, source) in outcome.ledgers.iter().zip(&case.job.sources) {
            for (ledger, partition) in ledgers.iter().zip(&source.partitions) {
                let parts = ledger.used + ledger.late + ledger.dead + ledger.duplicates;
                assert_eq!(ledger.read, parts, "{case:?}");
                assert_eq!(ledger.read, partition.records.len() as u64, "{case:?}");
                letters += ledger.late + ledger.dead;
            }
        }
        let of_sources = outcome.letters.iter().filter(|letter| letter.place.is_none());
        assert_eq!(of_sources.count() as u64, letters, "{case:?}");
    }
}

#[test]
fn counts_of_the_only_view_without_overlap_add_up_to_what_was_used() {
    for (mut case, _) in cases() {
        let sources = (0..case.job.sources.len()).collect();
        let kind = match case.job.windows.first().map(|windowed| windowed.kind) {
            Some(Kind::Sliding { size_us, offset_us, .. }) => Kind::Tumbling { size_us, offset_us },
            Some(kind) => kind,
            None => continue,
        };
        case.job.windows = vec![Windowed { sources, filter: None, kind }];
        case.job.views = vec![View::Rows { of: 0 }];
        let outcome = reference::run(&case.job, End::Finished);
        let used: u64 = outcome.ledgers.iter().flatten().map(|ledger| ledger.used).sum();
        let count = |row: &Row| match row {
            Row::Final { values, .. } => values.count,
            _ => 0,
        };
        assert_eq!(outcome.rows[0].iter().map(count).sum::<u64>(), used, "{case:?}");
        assert_eq!(outcome.refused, [0], "{case:?}");
    }
}

#[test]
fn a_stop_writes_some_of_the_rows_that_an_end_writes() {
    for (case, _) in cases() {
        let stopped = reference::run(&case.job, End::Stopped);
        let finished = reference::run(&case.job, End::Finished);
        assert_eq!(stopped.letters, finished.letters, "{case:?}");
        for (stopped, finished) in stopped.rows.iter().zip(&finished.rows) {
            for row in stopped {
                assert!(finished.binary_search(row).is_ok(), "{row:?} in {case:?}");
            }
        }
    }
}

#[test]
fn polls_cover_a_partition_once_and_in_order() {
    for (case, _) in cases() {
        for partition in case.job.sources.iter().flat_map(|source| &source.partitions) {
            let offsets: Vec<usize> = partition.polls().into_iter().flatten().collect();
            let all: Vec<usize> = (0..partition.records.len()).collect();
            assert_eq!(offsets, all, "{case:?}");
        }
    }
}

#[test]
fn every_situation_occurs_many_times() {
    if std::env::var("HIGHWATER_SEED").is_ok() {
        return;
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (case, outcome) in cases() {
        for (name, occurs) in situations(&case, &outcome) {
            *seen.entry(name).or_default() += usize::from(occurs);
        }
    }
    let rare: Vec<_> = seen.iter().filter(|(_, times)| **times < 30).collect();
    assert!(rare.is_empty(), "{rare:?} of {seen:?}");
}

fn situations(case: &Case, outcome: &Outcome) -> Vec<(&'static str, bool)> {
    let job = &case.job;
    let ledgers = || outcome.ledgers.iter().flatten();
    let letter = |reason| outcome.letters.iter().any(|letter| letter.reason == reason);
    let rows = || outcome.rows.iter().flatten();
    let kind = |is: fn(&Kind) -> bool| job.windows.iter().any(|windowed| is(&windowed.kind));
    let window_rule = job.sources.iter().any(|source| source.rule == Rule::Window);
    let stopped = case.end == End::Stopped;
    vec![
        ("late", ledgers().any(|ledger| 0 < ledger.late)),
        ("duplicates", ledgers().any(|ledger| 0 < ledger.duplicates)),
        ("no event time", letter(Reason::NoEventTime)),
        ("future", letter(Reason::Future)),
        ("letters of views", outcome.letters.iter().any(|letter| letter.place.is_some())),
        ("refused pairs, window rule", window_rule && outcome.refused.iter().any(|n| 0 < *n)),
        ("rows at a stop", stopped && outcome.rows.iter().any(|rows| !rows.is_empty())),
        ("no rows at a stop", stopped && outcome.rows.iter().all(|rows| rows.is_empty())),
        ("empty partition", ledgers().any(|ledger| ledger.read == 0)),
        ("four partitions", outcome.ledgers.iter().any(|ledgers| ledgers.len() == 4)),
        ("concat", job.windows.iter().any(|windowed| 1 < windowed.sources.len())),
        ("before 1970", rows().any(|row| row.brief().0 < 0)),
        ("2026", rows().any(|row| 1_767_225_600_000_000 <= row.brief().0)),
        (
            "session of several",
            kind(|kind| matches!(kind, Kind::Session { .. })) && {
                rows().any(|row| matches!(row, Row::Final { values, .. } if 3 < values.count))
            },
        ),
        ("slide that divides nothing", {
            kind(|kind| match kind {
                Kind::Sliding { size_us, slide_us, .. } => size_us % slide_us != 0,
                _ => false,
            })
        }),
        ("joined", rows().any(|row| matches!(row, Row::Joined { right: Some(_), .. }))),
        ("alone", rows().any(|row| matches!(row, Row::Joined { right: None, .. }))),
        ("trailing", rows().any(|row| matches!(row, Row::Trailing { past_rows: 2.., .. }))),
        ("raw", rows().any(|row| matches!(row, Row::Raw { .. }))),
        ("shared windows", job.windows.len() < job.views.len()),
        ("key that is none", {
            rows().any(|row| matches!(row, Row::Final { pane, .. } if pane.key.is_none()))
        }),
    ]
}
