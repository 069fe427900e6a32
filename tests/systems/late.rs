//! Late events: what each view of each system refuses, and the rows that it makes of the rest, are
//! those of a model of lateness.
//!
//! The model (`model.rs`) says which record which window refuses. That gives the numbers: ledgers,
//! refused pairs of each operator, letters. It gives the rows as well, with the help of the system
//! itself: over a log without the refused records, and with watermarks that run so far behind that
//! nothing is late, it must make the same rows.
//!
//! ```text
//! log ─┬──────────────────────────────────────────────────► system ─► rows ─┐
//!      │                                                                    ├─ equal, by phase
//!      └─► without what a phase refuses ─► system, a century behind ─► rows ┘
//! ```
//!
//! That is exact wherever a row is made of one window. Of the rows that are made of several:
//!
//! - Windows of the market are all of the same minutes, so correlations and gaps, which look at the
//!   minute before, are exact too. A candle that is counted in its minute, but no more where it
//!   opens, loses its opening instead of being left out.
//! - In the chat, windows of all phases are compared with each other: scores and spikes are
//!   computed here from the rates in the rows of the model.

use std::collections::{BTreeMap, BTreeSet};

use highwater::lateness::Ledger;
use highwater::row::Cell;
use highwater::stats;
use serde_json::Value;

use super::model::{Judged, judge, phases};
use super::runs::{Found, Input, Letter, Row};
use super::views::{CAMPUS, CHAT, Consumer, ELEARNING, HASTY_MARKET, MARKET, SHOP, System};
use crate::oracle::job::Kind;
use crate::oracle::outcome::Position;

/// So far behind that nothing is late.
const CENTURY: &str = "[source.\"*\"]\nlateness = \"36500d\"\n";

#[test]
fn chat_refuses_what_the_model_refuses() {
    check(&CHAT);
}

#[test]
fn elearning_refuses_what_the_model_refuses() {
    check(&ELEARNING);
}

#[test]
fn campus_refuses_what_the_model_refuses() {
    check(&CAMPUS);
}

#[test]
fn market_refuses_what_the_model_refuses() {
    check(&MARKET);
}

#[test]
fn the_market_refuses_candles_where_they_open_and_counts_them_where_they_were_captured() {
    check(&HASTY_MARKET);
}

#[test]
fn shop_refuses_what_the_model_refuses() {
    check(&SHOP);
}

fn check(system: &'static System) {
    let (name, input) = (system.name, Input::new(system));
    let judged = judge(system, &input.logs);
    check_input(&input, &judged);
    let [found, of_four] = [2, 4].map(|workers| {
        let found = input.run("", workers, |_, logged| Some(logged.value.clone()));
        assert_eq!(found.ledgers, ledgers(&input, &judged), "{name}, {workers} workers");
        assert_eq!(found.refused, refused(&input, &judged), "{name}, {workers} workers");
        let (letters, expected) = (&found.letters, letters(&input, &judged));
        let differs = letters.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "{name}, {workers} workers");
        assert_eq!(letters.len(), expected.len(), "{name}, {workers} workers");
        found
    });
    for (view, rows) in &found.rows {
        assert_eq!(*rows, of_four.rows[view], "{view}: with two workers, and with four");
        assert_ne!(*rows, [], "{view}");
    }
    check_rows(&input, &judged, &found);
}

/// The input holds something of everything.
fn check_input(input: &Input, judged: &Judged) {
    let (name, ports) = (input.system.name, input.ports());
    assert!(!judged.dead.is_empty(), "{name}");
    // The shop shows every event as it comes, so none is late for all of its views.
    assert_eq!(judged.late.is_empty(), input.system.has_raw_view, "{name}");
    let (mut whole, mut partial) = (BTreeSet::new(), BTreeSet::new());
    for consumer in input.system.consumers {
        let count = phases(consumer.kind).len() as u64;
        for (position, refused) in judged.refusals(consumer, &ports) {
            let kind = if refused == count { &mut whole } else { &mut partial };
            kind.insert(position);
        }
    }
    let (found, least) = ((whole.len(), partial.len()), input.system.at_least);
    assert!(least.0 <= found.0 && least.1 <= found.1, "{name}: {found:?}");
}

fn ledgers(input: &Input, judged: &Judged) -> BTreeMap<(String, u32), Ledger> {
    let mut ledgers = BTreeMap::new();
    for (port, of_port) in input.ports().into_iter().zip(&judged.ledgers) {
        for (partition, ledger) in of_port.iter().enumerate() {
            let ledger = Ledger {
                read: ledger.read,
                used: ledger.used,
                late: ledger.late,
                dead: ledger.dead,
                duplicates: ledger.duplicates,
                gaps: 0,
            };
            ledgers.insert((port.into(), partition as u32), ledger);
        }
    }
    ledgers
}

/// Refused pairs by operator.
fn refused(input: &Input, judged: &Judged) -> BTreeMap<String, u64> {
    let ports = input.ports();
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    for consumer in input.system.consumers {
        for (position, windows) in judged.refusals(consumer, &ports) {
            let pairs = windows * (consumer.wants)(input.document(position));
            *refused.entry(consumer.view.into()).or_default() += pairs;
        }
    }
    refused.retain(|_, pairs| 0 < *pairs);
    refused
}

/// A letter for each record that nobody can read or take; and one of each view that wants a record
/// all of whose windows are over.
fn letters(input: &Input, judged: &Judged) -> Vec<Letter> {
    let ports = input.ports();
    let letter = |position: &Position, reason: &str, view: Option<&str>| {
        let (port, offset) = (ports[position.source], input.logged(*position).offset);
        (port.into(), position.partition as i32, offset, reason.into(), view.map(String::from))
    };
    let dead = judged.dead.iter().map(|position| {
        let is_read = !input.document(*position).is_null();
        letter(position, if is_read { "no_event_time" } else { "bad_json" }, None)
    });
    let late = judged.late.iter().map(|position| letter(position, "late", None));
    let mut letters: Vec<Letter> = dead.chain(late).collect();
    for consumer in input.system.consumers {
        let count = phases(consumer.kind).len() as u64;
        for (position, refused) in judged.refusals(consumer, &ports) {
            if refused == count && 0 < (consumer.wants)(input.document(position)) {
                letters.push(letter(&position, "late", Some(consumer.view)));
            }
        }
    }
    letters.sort();
    // Both sides of a join may want it.
    letters.dedup();
    letters
}

/// Compares the rows of each view, phase by phase.
fn check_rows(input: &Input, judged: &Judged, found: &Found) {
    let all = input.system.consumers.iter().flat_map(|consumer| phases(consumer.kind));
    let mut scored = Vec::new();
    for phase in all.collect::<BTreeSet<Kind>>() {
        let model = run_phase(input, judged, phase);
        let of_phase = |consumer: &&Consumer| phases(consumer.kind).contains(&phase);
        let consumers = input.system.consumers.iter().filter(of_phase);
        for view in consumers.map(|consumer| consumer.view).collect::<BTreeSet<&str>>() {
            let [found, model] = [found, &model].map(|run| {
                let rows = run.rows[view].iter().filter(|row| is_in(row, phase));
                rows.map(without_scores).collect::<Vec<Row>>()
            });
            assert_eq!(found, model, "{view}, {phase:?}");
            scored.extend(model);
        }
    }
    if input.system.name == "chat" {
        check_scores(scored, found);
    }
    if input.system.has_raw_view {
        let model = input.run(CENTURY, 1, |_, logged| Some(logged.value.clone()));
        assert_eq!(found.rows["raw_events"], model.rows["raw_events"]);
    }
}

/// The system over a log without the records that a phase refuses.
fn run_phase(input: &Input, judged: &Judged, phase: Kind) -> Found {
    input.run(CENTURY, 1, |position, logged| {
        let is_refused =
            judged.refused(position.source, phase).is_some_and(|r| r.contains(&position));
        if judged.late.contains(&position) || is_refused {
            return None;
        }
        if !judged.refused_by_opening.contains(&position) {
            return Some(logged.value.clone());
        }
        let mut candle = logged.document.clone();
        candle["timestamp"] = Value::Null;
        Some(serde_json::to_vec(&candle).unwrap())
    })
}

/// Whether the window of a row is one of a phase.
fn is_in(row: &Row, phase: Kind) -> bool {
    match (phase, row.get("window_start")) {
        (Kind::Tumbling { size_us, offset_us }, Some(Cell::Time(start))) => {
            (start.micros() - offset_us).rem_euclid(size_us) == 0
        }
        _ => true,
    }
}

/// Columns that are made of several windows of the chat.
const SCORES: [&str; 2] = ["z_score", "is_anomaly"];

fn without_scores(row: &Row) -> Row {
    let mut row = row.clone();
    SCORES.iter().for_each(|column| drop(row.remove(*column)));
    row
}

/// The scores of the chat, and its spikes, by the rates of the windows that end before: at most ten
/// of a stream, and at least five.
fn check_scores(mut rows: Vec<Row>, found: &Found) {
    let text = |row: &Row, column: &str| format!("{:?}", row[column]);
    rows.sort_by_cached_key(|row| (text(row, "stream_id"), text(row, "window_start")));
    let number = |row: &Row| match row["chat_rate"] {
        Cell::F64(rate) => rate,
        _ => panic!("a rate is a number"),
    };
    let mut spikes = 0;
    let mut expected = Vec::new();
    for stream in rows.chunk_by(|a, b| a["stream_id"] == b["stream_id"]) {
        let rates: Vec<f64> = stream.iter().map(number).collect();
        for (at, row) in stream.iter().enumerate() {
            let past = &rates[at.saturating_sub(10)..at];
            let score = stats::z_score(past.iter().copied(), rates[at], 1.0 / 60.0);
            let score = score.filter(|_| 5 <= past.len());
            let is_anomaly = score.is_some_and(|score| 1.5 < score);
            let mut row = row.clone();
            row.insert("z_score".into(), score.map_or(Cell::Null, Cell::F64));
            row.insert("is_anomaly".into(), Cell::Bool(is_anomaly));
            if is_anomaly {
                let is_it = |moment: &Row| {
                    moment["stream_id"] == row["stream_id"]
                        && moment["timestamp"] == row["window_start"]
                        && moment["intensity"] == row["chat_rate"]
                };
                assert!(found.rows["moments"].iter().any(is_it), "no moment for {row:?}");
                spikes += 1;
            }
            expected.push(row);
        }
    }
    assert_eq!(spikes, found.rows["moments"].len());
    expected.sort_by_cached_key(|row| format!("{row:?}"));
    assert_eq!(found.rows["chat_summary_minute"], expected);
}
