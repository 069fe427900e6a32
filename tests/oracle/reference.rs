//! The reference: what a job must answer, from scratch, in the words of the rules.
//!
//! It knows the logs and nothing else: no batches, no ticks, no order among partitions. Each step
//! is a function of whole lists, and every window is computed from the list of its events. Rules
//! are cited as W1 to W17.

use std::collections::{BTreeMap, BTreeSet};

use super::job::{End, Job, Kind, Partition, Record, Rule, Source, View, Windowed, floor_ms};
use super::outcome::{Float, Ledger, Letter, Outcome, Pane, Position, Reason, Row, Values};

/// Runs a job over its logs.
pub(crate) fn run(job: &Job, end: End) -> Outcome {
    let mut outcome = Outcome::default();

    // STEP 1. Each partition on its own: what becomes of each record.
    let mut events = Vec::new();
    let mut watermarks_ms = Vec::new();
    for (source, of) in job.sources.iter().enumerate() {
        let mut ledgers = Vec::new();
        let mut lowest_ms = i64::MAX;
        for (partition, log) in of.partitions.iter().enumerate() {
            let judged = judge(job, source, log);
            ledgers.push(ledger(&judged.fates));
            lowest_ms = lowest_ms.min(judged.watermark_ms);
            for (offset, fate) in judged.fates.into_iter().enumerate() {
                let position = Position { source, partition, offset };
                let mut letter = |reason| {
                    outcome.letters.push(Letter { position, reason, place: None });
                };
                match fate {
                    Fate::Dead(reason) => letter(reason),
                    Fate::Late => letter(Reason::Late),
                    Fate::Duplicate => {}
                    Fate::Used { time_us, watermark_ms } => {
                        let record = log.records[offset];
                        events.push(Event { time_us, position, record, watermark_ms });
                    }
                }
            }
        }
        outcome.ledgers.push(ledgers);
        watermarks_ms.push(lowest_ms);
    }
    // The order of first, last and ties.
    events.sort_by_key(|event| (event.time_us, event.position));

    // STEP 2. Each window on its own: which panes there are, and what it refuses.
    let mut panes = Vec::new();
    for (place, windowed) in job.windows.iter().enumerate() {
        let judged = fill(job, windowed, &events);
        for position in judged.refused_by_all {
            let letter = Letter { position, reason: Reason::Late, place: Some(place) };
            outcome.letters.push(letter);
        }
        outcome.refused.push(judged.refused_pairs);
        panes.push(judged.panes);
    }
    outcome.letters.sort_unstable();

    // STEP 3. Each view on its own: the rows of the panes that have closed.
    for view in &job.views {
        let frontier_ms = frontier_ms(job, view, &watermarks_ms, end);
        let mut rows = rows(job, view, &events, &panes, frontier_ms);
        rows.sort();
        outcome.rows.push(rows);
    }
    outcome
}

/// A record that is used, with the watermark that judged it.
struct Event {
    time_us: i64,
    position: Position,
    record: Record,
    watermark_ms: i64,
}

/// What became of a record.
enum Fate {
    Dead(Reason),
    Late,
    Duplicate,
    Used { time_us: i64, watermark_ms: i64 },
}

/// The fates of the records of a partition, and its watermark behind the last one.
struct Judged {
    fates: Vec<Fate>,
    watermark_ms: i64,
}

/// Nothing has been promised.
const NOTHING_MS: i64 = i64::MIN;

/// Judges the records of one partition, one after the other.
fn judge(job: &Job, source: usize, log: &Partition) -> Judged {
    let of = &job.sources[source];
    let mut fates = Vec::new();
    let mut greatest_us: Option<i64> = None;
    // Per id the time of its first occurrence that was used.
    let mut first_us: BTreeMap<u64, i64> = BTreeMap::new();
    for record in &log.records {
        // W9: the watermark before this record.
        let watermark_ms = watermark_ms(of, greatest_us);
        let time_us = match datable(of, record) {
            Ok(time_us) => time_us,
            // What has no time, or none to be trusted, moves nothing.
            Err(reason) => {
                fates.push(Fate::Dead(reason));
                continue;
            }
        };
        fates.push(if !is_taken_by_any(job, source, time_us, watermark_ms) {
            Fate::Late
        } else if is_duplicate(of, record, &first_us, watermark_ms) {
            Fate::Duplicate
        } else {
            if let Some(id) = record.id {
                first_us.insert(id, time_us);
            }
            Fate::Used { time_us, watermark_ms }
        });
        greatest_us = Some(greatest_us.map_or(time_us, |greatest| greatest.max(time_us)));
    }
    Judged { fates, watermark_ms: watermark_ms(of, greatest_us) }
}

/// `floor_ms(max - delay)`; nothing is promised before the first datable record.
fn watermark_ms(source: &Source, greatest_us: Option<i64>) -> i64 {
    greatest_us.map_or(NOTHING_MS, |greatest| floor_ms(greatest - source.delay_us))
}

/// First microsecond of the year 1, and last one of the year 9999.
const YEARS_US: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);

/// The event time of a record, or why it is dead: W11, and the guard against the future.
fn datable(source: &Source, record: &Record) -> Result<i64, Reason> {
    let Some(time_us) = record.time_us else { return Err(Reason::NoEventTime) };
    if time_us < YEARS_US.0 || YEARS_US.1 < time_us {
        return Err(Reason::NoEventTime);
    }
    match (record.record_time_us, source.future_skew_us) {
        (Some(record_time), Some(skew)) if record_time + skew < time_us => Err(Reason::Future),
        _ => Ok(time_us),
    }
}

/// Whether anything that reads the source can take an event; filters do not count. What is not
/// behind the watermark always can be taken, as something reads every source.
fn is_taken_by_any(job: &Job, source: usize, time_us: i64, watermark_ms: i64) -> bool {
    let by_a_window = job.windows.iter().any(|windowed| {
        windowed.sources.contains(&source)
            && !windowed.taking(&job.sources[source], time_us, watermark_ms).is_empty()
    });
    // Without a window nothing is late.
    let by_a_raw_view =
        job.views.iter().any(|view| matches!(view, View::Raw { source: of, .. } if *of == source));
    by_a_window || by_a_raw_view
}

/// Whether the id was used before and is still remembered: until its time plus the duration lies
/// behind the watermark.
fn is_duplicate(
    source: &Source,
    record: &Record,
    first_us: &BTreeMap<u64, i64>,
    watermark_ms: i64,
) -> bool {
    let (Some(memory_us), Some(id)) = (source.dedup_us, record.id) else { return false };
    first_us.get(&id).is_some_and(|first| watermark_ms <= floor_ms(first + memory_us))
}

fn ledger(fates: &[Fate]) -> Ledger {
    let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count() as u64;
    Ledger {
        read: fates.len() as u64,
        used: count(|fate| matches!(fate, Fate::Used { .. })),
        late: count(|fate| matches!(fate, Fate::Late)),
        dead: count(|fate| matches!(fate, Fate::Dead(_))),
        duplicates: count(|fate| matches!(fate, Fate::Duplicate)),
    }
}

impl Windowed {
    /// All windows of an event as (start, end). That of a session is the one that the event would
    /// make alone.
    fn containing(&self, time_us: i64) -> Vec<(i64, i64)> {
        let (size, slide, offset) = match self.kind {
            Kind::Tumbling { size_us, offset_us } => (size_us, size_us, offset_us),
            Kind::Sliding { size_us, slide_us, offset_us } => (size_us, slide_us, offset_us),
            Kind::Session { gap_us } => return vec![(time_us, time_us + gap_us)],
        };
        // W1: the last window that begins at or before the event, rounding toward minus infinity.
        let mut start = (time_us - offset).div_euclid(slide) * slide + offset;
        let mut windows = Vec::new();
        // W2: it, and every earlier one that ends behind the event.
        while time_us < start + size {
            windows.push((start, start + size));
            start -= slide;
        }
        windows
    }

    /// Those windows of an event that take it: W8.
    fn taking(&self, source: &Source, time_us: i64, watermark_ms: i64) -> Vec<(i64, i64)> {
        let is_session = matches!(self.kind, Kind::Session { .. });
        let is_strict = is_session || source.rule == Rule::Strict;
        let mut windows = self.containing(time_us);
        windows.retain(|(_, end)| {
            if is_strict {
                // W7: an event at the watermark is on time.
                watermark_ms <= floor_ms(time_us)
            } else {
                watermark_ms < floor_ms(*end)
            }
        });
        windows
    }
}

/// The panes of a window, each with the events that lie in it, as indices in order.
type Panes = BTreeMap<Pane, Vec<usize>>;

/// What a window makes of the events.
struct Filled {
    panes: Panes,
    refused_pairs: u64,
    refused_by_all: BTreeSet<Position>,
}

/// Puts the events that pass the filter into the windows that take them.
fn fill(job: &Job, windowed: &Windowed, events: &[Event]) -> Filled {
    let mut panes = Panes::new();
    let mut refused_pairs = 0;
    let mut refused_by_all = BTreeSet::new();
    for (index, event) in events.iter().enumerate() {
        let reads = windowed.sources.contains(&event.position.source);
        if !reads || windowed.filter.is_some_and(|filter| !filter.keeps(event.record.value)) {
            continue;
        }
        let source = &job.sources[event.position.source];
        let containing = windowed.containing(event.time_us);
        let taking = windowed.taking(source, event.time_us, event.watermark_ms);
        refused_pairs += (containing.len() - taking.len()) as u64;
        if taking.is_empty() {
            refused_by_all.insert(event.position);
        }
        for (start_us, end_us) in taking {
            let pane = Pane { key: event.record.key, end_us, start_us };
            panes.entry(pane).or_default().push(index);
        }
    }
    if matches!(windowed.kind, Kind::Session { .. }) {
        panes = merge_sessions(panes);
    }
    Filled { panes, refused_pairs, refused_by_all }
}

/// Merges sessions of single events. They come by key and in order of time, so each either
/// continues the session before it or begins another.
fn merge_sessions(singles: Panes) -> Panes {
    let mut sessions: Vec<(Pane, Vec<usize>)> = Vec::new();
    for (single, events) in singles {
        match sessions.last_mut() {
            // W4: a session's end is its last event plus the gap; touching it is merging with it.
            Some((session, all))
                if session.key == single.key && single.start_us <= session.end_us =>
            {
                // W6: the end moves to the last event plus the gap.
                session.end_us = single.end_us;
                all.extend(events);
            }
            _ => sessions.push((single, events)),
        }
    }
    sessions.into_iter().collect()
}

/// W10: the least watermark of all partitions of all sources of a view, and of those that its
/// windows are joined with in any view; `None` when the input has ended, and nothing can come any
/// more.
fn frontier_ms(job: &Job, view: &View, watermarks_ms: &[i64], end: End) -> Option<i64> {
    if end == End::Finished {
        return None;
    }
    let groups = job.groups();
    let sources: Vec<usize> = match view {
        View::Rows { of: left }
        | View::Trailing { of: left, .. }
        | View::Join { left, .. }
        | View::LeftJoin { left, .. } => {
            let with = |other: &usize| groups[*other] == groups[*left];
            let others = (0..job.windows.len()).filter(with);
            others.flat_map(|other| job.windows[other].sources.iter().copied()).collect()
        }
        View::Raw { source, .. } => vec![*source],
    };
    Some(sources.iter().map(|source| watermarks_ms[*source]).min().unwrap_or(NOTHING_MS))
}

/// The panes that have closed: W3 and W5, W14 and W17 (nothing that closed is forgotten).
fn closed<'a>(
    job: &Job,
    of: usize,
    panes: &'a [Panes],
    frontier_ms: Option<i64>,
) -> Vec<(Pane, &'a [usize])> {
    let is_session = matches!(job.windows[of].kind, Kind::Session { .. });
    let is_closed = |end_us: i64| match frontier_ms {
        None => true,
        Some(frontier) if is_session => floor_ms(end_us) < frontier,
        Some(frontier) => floor_ms(end_us) <= frontier,
    };
    let closed = panes[of].iter().filter(|(pane, _)| is_closed(pane.end_us));
    closed.map(|(pane, events)| (*pane, &events[..])).collect()
}

/// The rows of a view.
fn rows(
    job: &Job,
    view: &View,
    events: &[Event],
    panes: &[Panes],
    frontier_ms: Option<i64>,
) -> Vec<Row> {
    let closed = |of: usize| closed(job, of, panes, frontier_ms);
    let values = |indices: &[usize]| values(indices.iter().map(|index| &events[*index].record));
    match *view {
        View::Rows { of } => closed(of)
            .into_iter()
            .map(|(pane, indices)| Row::Final { pane, values: values(indices) })
            .collect(),
        View::Join { left, right } | View::LeftJoin { left, right } => {
            let others: BTreeMap<Pane, &[usize]> = closed(right).into_iter().collect();
            let joined = closed(left).into_iter().map(|(pane, indices)| {
                // A key that is none joins nothing.
                let other = others.get(&pane).filter(|_| pane.key.is_some());
                let right = other.map(|indices| values(indices));
                Row::Joined { pane, left: values(indices), right }
            });
            let is_outer = matches!(view, View::LeftJoin { .. });
            joined
                .filter(|row| is_outer || matches!(row, Row::Joined { right: Some(_), .. }))
                .collect()
        }
        View::Trailing { of, rows } => trailing(&closed(of), rows, job.forget_after_us),
        View::Raw { source, filter } => events
            .iter()
            .filter(|event| event.position.source == source)
            .filter(|event| filter.is_none_or(|filter| filter.keeps(event.record.value)))
            .map(|event| Row::Raw {
                position: event.position,
                time_us: event.time_us,
                key: event.record.key,
                value: event.record.value,
            })
            .collect(),
    }
}

/// Each row with the rows of its key before it; panes come by key, then in order of their ends.
fn trailing(closed: &[(Pane, &[usize])], rows: usize, forget_after_us: i64) -> Vec<Row> {
    let count = |at: usize| closed[at].1.len() as u64;
    let continues = |at: usize| {
        let (before, pane) = (closed[at - 1].0, closed[at].0);
        before.key == pane.key && pane.end_us - before.end_us <= forget_after_us
    };
    let row = |at: usize| {
        let mut first = at;
        while 0 < first && at - first < rows && continues(first) {
            first -= 1;
        }
        let past_count = (first..at).map(count).sum();
        Row::Trailing { pane: closed[at].0, count: count(at), past_rows: at - first, past_count }
    };
    (0..closed.len()).map(row).collect()
}

/// The aggregates of a list of records, in order; W15: a pane without any does not exist.
fn values<'a>(records: impl Iterator<Item = &'a Record>) -> Values {
    let values: Vec<i64> = records.map(|record| record.value).collect();
    let float_units: i128 = values.iter().map(|value| float_units(*value)).sum();
    Values {
        count: values.len() as u64,
        sum: values.iter().map(|value| i128::from(*value)).sum(),
        min: *values.iter().min().expect("a pane holds an event"),
        max: *values.iter().max().expect("a pane holds an event"),
        distinct: values.iter().collect::<BTreeSet<_>>().len() as u64,
        first: *values.first().expect("a pane holds an event"),
        last: *values.last().expect("a pane holds an event"),
        float_sum: Float(round(float_units)),
    }
}

/// `Record::float` in whole units of 2^-40.
fn float_units(value: i64) -> i128 {
    i128::from(value % 1_024) << [0, 40, 80][value.rem_euclid(3) as usize]
}

/// A sum of such units as the nearest `f64`, ties to even: the conversion rounds so, and the
/// division by a power of two does not round.
fn round(units: i128) -> f64 {
    units as f64 / (1u64 << 40) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(values: &[i64]) -> Vec<Record> {
        let record = |value: &i64| Record {
            time_us: Some(0),
            key: None,
            value: *value,
            id: None,
            record_time_us: None,
        };
        values.iter().map(record).collect()
    }

    #[test]
    fn every_aggregate_of_a_few_values() {
        let found = values(records(&[3, -3, 3, 9]).iter());
        let small = 12.0 / (1u64 << 40) as f64;
        let expected = Values {
            count: 4,
            sum: 12,
            min: -3,
            max: 9,
            distinct: 3,
            first: 3,
            last: 9,
            float_sum: Float(small),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_float_in_units_is_the_float_that_the_engine_adds() {
        for value in (-5_000..5_000).chain([i64::MIN, i64::MAX]) {
            let float = records(&[value])[0].float();
            assert_eq!(Float(round(float_units(value))), Float(float), "{value}");
        }
    }

    #[test]
    fn float_sums_keep_what_a_plain_sum_loses() {
        // 3 is 3 * 2^-40. 5 is 5 * 2^40, as 5 mod 3 is 2; so is -1,021 with -1,021 * 2^40, and
        // 1,016 with 1,016 * 2^40: the large ones cancel.
        let records = records(&[5, 3, 1_016, -1_021]);
        assert_eq!(values(records.iter()).float_sum, Float(3.0 / (1u64 << 40) as f64));
        let plain: f64 = records.iter().map(Record::float).sum();
        assert_eq!(plain, 0.0);
    }

    #[test]
    fn a_sum_is_rounded_once_to_the_nearest_even() {
        let unit = 1.0 / (1u64 << 40) as f64;
        let check = |units: i128, expect: f64| assert_eq!(round(units), expect * unit, "{units}");
        let limit = 1i128 << 53;
        check(0, 0.0);
        check(limit, 9_007_199_254_740_992.0);
        check(limit + 1, 9_007_199_254_740_992.0);
        check(limit + 2, 9_007_199_254_740_994.0);
        check(limit + 3, 9_007_199_254_740_996.0);
        check(-limit - 3, -9_007_199_254_740_996.0);
    }
}
