//! What a workload must give, recomputed from its log; shares no code with the engine.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use highwater::row::Cell;
use highwater::time::Time;

use super::workload::{
    BACK, Content, GAP_MS, LATENESS_MS, Record, SIZE_MS, SLIDE_MS, TOP, Workload,
};

/// What must be there when all is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// By view, the cells of its rows as text, sorted.
    pub(super) views: BTreeMap<&'static str, Vec<String>>,
    /// By partition: read, used, late, dead, duplicates.
    pub(super) ledgers: Vec<[u64; 5]>,
    /// Partition, offset and reason of each letter, sorted.
    pub(super) letters: Vec<(i32, i64, &'static str)>,
}

/// Count and sum.
type Sums = (i64, i64);

/// By key and window, from when to when.
type Panes = BTreeMap<(String, i64, i64), Sums>;

/// Count, key and sum, the longest first.
type Ranked = (Reverse<i64>, String, i64);

pub(super) fn expected(workload: Workload, logs: &[Vec<Record>]) -> Expected {
    let mut expected = Expected::default();
    let (mut panes, mut events) = (Panes::new(), Vec::new());
    for (partition, log) in logs.iter().enumerate() {
        let mut ledger = [log.len() as u64, 0, 0, 0, 0];
        let mut greatest: Option<i64> = None;
        let mut seen = BTreeSet::new();
        let mut letter = |record: &Record, reason| {
            expected.letters.push((partition as i32, record.offset, reason));
        };
        for record in log {
            let watermark = greatest.map_or(i64::MIN, |greatest| greatest - LATENESS_MS);
            let (key, time, value) = match &record.content {
                Content::Malformed => {
                    ledger[3] += 1;
                    letter(record, "bad_json");
                    continue;
                }
                Content::Undated => {
                    ledger[3] += 1;
                    letter(record, "no_event_time");
                    continue;
                }
                Content::Event { key, time_ms, value } => (key, *time_ms, *value),
            };
            greatest = greatest.max(Some(time));
            let windows: Vec<i64> = starts(workload, time)
                .into_iter()
                .filter(|start| match workload {
                    Workload::Sessions => watermark <= time,
                    _ => watermark < start + SIZE_MS,
                })
                .collect();
            if windows.is_empty() {
                ledger[2] += 1;
                letter(record, "late");
            } else if workload == Workload::Dedup && !seen.insert(value) {
                ledger[4] += 1;
            } else {
                ledger[1] += 1;
                events.push((key.clone(), time, value));
                for start in windows {
                    let pane = panes.entry((key.clone(), start, start + SIZE_MS)).or_default();
                    (pane.0, pane.1) = (pane.0 + 1, pane.1 + value);
                }
            }
        }
        expected.ledgers.push(ledger);
    }
    if workload == Workload::Sessions {
        panes = sessions(events);
    }
    expected.letters.sort();
    expected.views = views(workload, &panes);
    expected
}

/// Where the windows that hold a time begin.
fn starts(workload: Workload, time: i64) -> Vec<i64> {
    let last = time.div_euclid(SLIDE_MS) * SLIDE_MS;
    match workload {
        Workload::Sliding => vec![last - SLIDE_MS, last],
        _ => vec![time.div_euclid(SIZE_MS) * SIZE_MS],
    }
}

/// Events of a key that are no further apart than the gap.
fn sessions(mut events: Vec<(String, i64, i64)>) -> Panes {
    events.sort();
    let mut panes = Panes::new();
    let mut open: Option<((String, i64, i64), Sums)> = None;
    for (key, time, value) in events {
        match &mut open {
            Some(((of, _, end), sums)) if *of == key && time <= *end => {
                (sums.0, sums.1, *end) = (sums.0 + 1, sums.1 + value, time + GAP_MS);
            }
            _ => panes.extend(open.replace(((key, time, time + GAP_MS), (1, value)))),
        }
    }
    panes.extend(open);
    panes
}

fn views(workload: Workload, panes: &Panes) -> BTreeMap<&'static str, Vec<String>> {
    let mut views: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut put =
        |view, cells: Vec<Cell>| views.entry(view).or_default().push(format!("{cells:?}"));
    if workload == Workload::Views {
        let mut windows: BTreeMap<(i64, i64), Vec<Ranked>> = BTreeMap::new();
        for ((key, start, end), (count, sum)) in panes {
            let window = windows.entry((*start, *end)).or_default();
            window.push((Reverse(*count), key.clone(), *sum));
        }
        for (window, mut keys) in windows {
            put("widths", vec![time(window.0), time(window.1), Cell::I64(keys.len() as i64)]);
            keys.sort();
            for (Reverse(count), key, sum) in keys.into_iter().take(TOP) {
                put("busiest", row(&key, window, (count, sum), 0));
            }
        }
    } else {
        let mut history: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for ((key, start, end), sums) in panes {
            let past = history.entry(key).or_default();
            let before = match workload {
                Workload::Trailing => past.iter().rev().take(BACK).sum(),
                _ => 0,
            };
            past.push(sums.0);
            put("counts", row(key, (*start, *end), *sums, before));
        }
        if workload == Workload::Tumbling {
            let live = views["counts"].clone();
            views.insert("live", live);
        }
    }
    views.values_mut().for_each(|rows| rows.sort());
    views
}

fn row(key: &str, (start, end): (i64, i64), (count, sum): Sums, before: i64) -> Vec<Cell> {
    vec![
        Cell::Text(key.into()),
        time(start),
        time(end),
        Cell::I64(count),
        Cell::I64(sum),
        Cell::I64(before),
    ]
}

fn time(millis: i64) -> Cell {
    Cell::Time(Time::from_millis(millis))
}
