//! Rules W1 to W6, W10, W14, W15 and W17 at their borders, worked out by hand; those of lateness
//! are in `late.rs`.
//!
//! The same five distances stand in every table: 1 ms and 1 us before a border, on it, 1 us and
//! 1 ms behind it. Values are 1, 2, 4, 8 in the order of the records, so the sum of a row tells
//! which records it holds.

use super::cases::{Case, NUDGES_US};
use super::job::{End, Job, Kind, Partition, Record, Rule, Source, View, Windowed};
use super::outcome::{Reason, Summary};

/// A case and its answer in few words: compare with `Outcome::summary`.
pub(crate) struct Boundary {
    pub(crate) name: String,
    pub(crate) case: Case,
    pub(crate) expected: Summary,
}

/// All of them.
pub(crate) fn boundaries() -> Vec<Boundary> {
    let mut table = Table::default();
    alignment(&mut table);
    sliding(&mut table);
    closing(&mut table);
    session_distance(&mut table);
    session_closing(&mut table);
    frontier(&mut table);
    ends(&mut table);
    joins(&mut table);
    trailing(&mut table);
    super::late::boundaries(&mut table);
    table.boundaries
}

/// A millisecond and a second.
pub(super) const MS: i64 = 1_000;
pub(super) const S: i64 = 1_000_000;

/// W1: toward minus infinity, on both sides of 1970.
fn alignment(table: &mut Table) {
    for (offset_us, border) in
        [(0, 0), (0, -3 * S), (300 * MS, -700 * MS), (300 * MS, 300 * MS), (0, 1_767_225_600 * S)]
    {
        let kind = Kind::Tumbling { size_us: S, offset_us };
        let before = rows(&[(border - S, border, 1)]);
        let behind = rows(&[(border, border + S, 1)]);
        table.nudged(
            &format!("W1 offset {offset_us} border {border}"),
            |nudge| case(kind, vec![log(&[border + nudge])]),
            [before.clone(), before, behind.clone(), behind.clone(), behind],
        );
    }
}

/// W2: every aligned window that contains the event, also when the slide does not divide the size.
fn sliding(table: &mut Table) {
    let mut check = |size, slide, offset, border, before: &[(i64, i64)], behind: &[(i64, i64)]| {
        let kind = Kind::Sliding { size_us: size * S, slide_us: slide * S, offset_us: offset * S };
        let all = |windows: &[(i64, i64)]| {
            let seconds = windows.iter().map(|(start, end)| (start * S, end * S, 1));
            rows(&seconds.collect::<Vec<_>>())
        };
        let (before, behind) = (all(before), all(behind));
        table.nudged(
            &format!("W2 size {size} slide {slide} offset {offset} border {border}"),
            |nudge| case(kind, vec![log(&[border * S + nudge])]),
            [before.clone(), before, behind.clone(), behind.clone(), behind],
        );
    };
    check(10, 4, 0, 10, &[(0, 10), (4, 14), (8, 18)], &[(4, 14), (8, 18)]);
    check(10, 4, 0, 8, &[(0, 10), (4, 14)], &[(0, 10), (4, 14), (8, 18)]);
    check(10, 4, 0, 0, &[(-8, 2), (-4, 6)], &[(-8, 2), (-4, 6), (0, 10)]);
    check(6, 3, 1, 1, &[(-5, 1), (-2, 4)], &[(-2, 4), (1, 7)]);
}

/// W3: a fixed window closes when the frontier reaches its end.
fn closing(table: &mut Table) {
    let mut check = |name: &str, delay_us, kind, first, border, closed: (i64, i64)| {
        let case = |nudge| {
            let mut case = stopped(case(kind, vec![log(&[first, border + nudge])]));
            case.job.sources[0].delay_us = delay_us;
            case
        };
        let closed = rows(&[(closed.0, closed.1, 1)]);
        table.nudged(
            &format!("W3 {name}"),
            case,
            [rows(&[]), rows(&[]), closed.clone(), closed.clone(), closed],
        );
    };
    check("without lateness", 0, TUMBLING, 500 * MS, S, (0, S));
    check("300 ms", 300 * MS, TUMBLING, 500 * MS, 1_300 * MS, (0, S));
    check("500 us", 500, TUMBLING, 500 * MS, S + 500, (0, S));
    check("before 1970", 0, TUMBLING, -500 * MS, 0, (-S, 0));
    check("sliding", 0, SLIDING, 9 * S, 10 * S, (0, 10 * S));
}

/// W4: a distance equal to the gap is one session. W6: it ends at its last event plus the gap.
fn session_distance(table: &mut Table) {
    table.nudged(
        "W4 two events",
        |nudge| case(SESSION, vec![log(&[0, S + nudge])]),
        [
            rows(&[(0, 1_999 * MS, 3)]),
            rows(&[(0, 2 * S - 1, 3)]),
            rows(&[(0, 2 * S, 3)]),
            rows(&[(0, S, 1), (S + 1, 2 * S + 1, 2)]),
            rows(&[(0, S, 1), (1_001 * MS, 2_001 * MS, 2)]),
        ],
    );
    table.nudged(
        "W4 an event between two others",
        |nudge| {
            let mut case = case(SESSION, vec![log(&[0, 2 * S, S + nudge])]);
            case.job.sources[0].delay_us = 10 * S;
            case
        },
        [
            rows(&[(0, 1_999 * MS, 5), (2 * S, 3 * S, 2)]),
            rows(&[(0, 2 * S - 1, 5), (2 * S, 3 * S, 2)]),
            rows(&[(0, 3 * S, 7)]),
            rows(&[(0, S, 1), (S + 1, 3 * S, 6)]),
            rows(&[(0, S, 1), (1_001 * MS, 3 * S, 6)]),
        ],
    );
    table.nudged(
        "W4 a gap of 1,500 us",
        |nudge| case(Kind::Session { gap_us: 1_500 }, vec![log(&[0, 1_500 + nudge])]),
        [
            rows(&[(0, 2_000, 3)]),
            rows(&[(0, 2_999, 3)]),
            rows(&[(0, 3_000, 3)]),
            rows(&[(0, 1_500, 1), (1_501, 3_001, 2)]),
            rows(&[(0, 1_500, 1), (2_500, 4_000, 2)]),
        ],
    );
    let mut two_keys = case(SESSION, vec![log(&[0, 1, 2])]);
    two_keys.job.sources[0].partitions[0].records[1].key = Some(1);
    table.one("W4 keys are apart", two_keys, rows(&[(0, S + 2, 5), (1, S + 1, 2)]));
}

/// W5: a session closes when the frontier has passed its end.
fn session_closing(table: &mut Table) {
    // Another key moves the frontier.
    let with_mover = |first, border| {
        let mut case = stopped(case(SESSION, vec![log(&[first, border])]));
        case.job.sources[0].partitions[0].records[1].key = Some(1);
        case
    };
    let none = || rows(&[]);
    let closed = rows(&[(0, S, 1)]);
    table.nudged(
        "W5 end on a millisecond",
        |nudge| with_mover(0, S + nudge),
        [none(), none(), none(), none(), closed],
    );
    let closed = rows(&[(-1, S - 1, 1)]);
    table.nudged(
        "W5 end 1 us before a millisecond",
        |nudge| with_mover(-1, S + nudge),
        [none(), none(), closed.clone(), closed.clone(), closed],
    );
    let closed = rows(&[(1, S + 1, 1)]);
    table.nudged(
        "W5 end 1 us behind a millisecond",
        |nudge| with_mover(1, S + nudge),
        [none(), none(), none(), none(), closed],
    );
    table.nudged(
        "W5 an event at the end of a session that the frontier has reached",
        |nudge| {
            let mut case = case(SESSION, vec![log(&[0, S, S + nudge])]);
            case.job.sources[0].partitions[0].records[1].key = Some(1);
            case
        },
        [
            rows(&[(0, S, 1), (S, 2 * S, 2)]).late(&[2]),
            rows(&[(0, S, 1), (S, 2 * S, 2)]).late(&[2]),
            rows(&[(0, 2 * S, 5), (S, 2 * S, 2)]),
            rows(&[(0, S, 1), (S, 2 * S, 2), (S + 1, 2 * S + 1, 4)]),
            rows(&[(0, S, 1), (S, 2 * S, 2), (1_001 * MS, 2_001 * MS, 4)]),
        ],
    );
}

/// W10: the least watermark of all partitions and of all inputs.
fn frontier(table: &mut Table) {
    let open = || rows(&[]);
    let closed = rows(&[(0, S, 1)]);
    let expected = || [open(), open(), closed.clone(), closed.clone(), closed.clone()];
    table.nudged(
        "W10 two partitions",
        |nudge| stopped(case(TUMBLING, vec![log(&[500 * MS, 5 * S]), log(&[S + nudge])])),
        expected(),
    );
    let two_sources = |second| {
        let mut case = stopped(case(TUMBLING, vec![log(&[500 * MS, 5 * S])]));
        case.job.sources.push(source(vec![log(&[second])]));
        case.job.windows[0].sources = vec![0, 1];
        case
    };
    table.nudged("W10 two sources", |nudge| two_sources(S + nudge), expected());
    table.nudged(
        "W10 the lateness of each source",
        |nudge| {
            let mut case = two_sources(1_300 * MS + nudge);
            case.job.sources[1].delay_us = 300 * MS;
            case
        },
        expected(),
    );
    let left_join = |nudge| {
        let mut case = two_sources(S + nudge);
        case.job.windows[0].sources = vec![0];
        case.job.windows.push(Windowed { sources: vec![1], filter: None, kind: TUMBLING });
        case.job.views[0] = View::LeftJoin { left: 0, right: 1 };
        case
    };
    table.nudged("W10 two sides of a join", left_join, expected());
    table.one(
        "W10 an empty partition holds the frontier",
        stopped(case(TUMBLING, vec![log(&[500 * MS, 5 * S]), log(&[])])),
        rows(&[]),
    );
}

/// W14: an end closes everything, a stop does not. W15: no row without an event. W17: a jump loses
/// nothing that has closed.
fn ends(table: &mut Table) {
    let two = || case(TUMBLING, vec![log(&[500 * MS, 1_500 * MS])]);
    table.one("W14 an end", two(), rows(&[(0, S, 1), (S, 2 * S, 2)]));
    table.one("W14 a stop", stopped(two()), rows(&[(0, S, 1)]));
    let sessions = case(SESSION, vec![log(&[0, 2 * S])]);
    table.one("W14 an end, sessions", sessions.clone(), rows(&[(0, S, 1), (2 * S, 3 * S, 2)]));
    table.one("W14 a stop, sessions", stopped(sessions), rows(&[(0, S, 1)]));
    let empty = case(TUMBLING, vec![log(&[]), log(&[])]);
    table.one("W14 nothing was read", empty, rows(&[]));
    let before = rows(&[(0, S, 1), (4 * S, 5 * S, 2)]);
    let behind = rows(&[(0, S, 1), (5 * S, 6 * S, 2)]);
    table.nudged(
        "W15 windows without events",
        |nudge| case(TUMBLING, vec![log(&[0, 5 * S + nudge])]),
        [before.clone(), before, behind.clone(), behind.clone(), behind],
    );
    let far = 1_767_225_600 * S;
    table.one(
        "W17 a jump of 56 years",
        stopped(case(TUMBLING, vec![log(&[0, far, far + S])])),
        rows(&[(0, S, 1), (far, far + S, 2)]),
    );
}

/// Equal windows of two sources.
fn joins(table: &mut Table) {
    let joined = |view, key, second| {
        let mut case = case(TUMBLING, vec![log(&[500 * MS])]);
        case.job.sources.push(source(vec![log(&[second])]));
        case.job.windows.push(Windowed { sources: vec![1], filter: None, kind: TUMBLING });
        case.job.views[0] = view;
        for source in &mut case.job.sources {
            source.partitions[0].records[0].key = key;
        }
        case.job.sources[1].partitions[0].records[0].value = 2;
        case
    };
    let (join, left_join) =
        (View::Join { left: 0, right: 1 }, View::LeftJoin { left: 0, right: 1 });
    let both = || rows(&[(0, S, 3)]);
    let left = || rows(&[(0, S, 1)]);
    let none = || rows(&[]);
    table.nudged(
        "left join",
        |nudge| joined(left_join, Some(0), S + nudge),
        [both(), both(), left(), left(), left()],
    );
    table.nudged(
        "join",
        |nudge| joined(join, Some(0), S + nudge),
        [both(), both(), none(), none(), none()],
    );
    table.one("left join by a key that is none", joined(left_join, None, 0), left());
    table.one("join by a key that is none", joined(join, None, 0), none());
}

/// The rows before, at most so many, of a history that ends.
fn trailing(table: &mut Table) {
    let past =
        |last: (i64, i64, i128)| rows(&[(0, MS, 0), (MS, 2 * MS, 1), (2 * MS, 3 * MS, 2), last]);
    table.nudged(
        "trailing 2 forgets after 3 ms",
        |nudge| {
            let kind = Kind::Tumbling { size_us: MS, offset_us: 0 };
            let mut case = case(kind, vec![log(&[0, MS, 2 * MS, 5 * MS + nudge])]);
            case.job.views[0] = View::Trailing { of: 0, rows: 2 };
            case.job.forget_after_us = 3 * MS;
            case
        },
        [
            past((4 * MS, 5 * MS, 2)),
            past((4 * MS, 5 * MS, 2)),
            past((5 * MS, 6 * MS, 2)),
            past((5 * MS, 6 * MS, 2)),
            past((6 * MS, 7 * MS, 0)),
        ],
    );
}

/// Windows of one second; of ten seconds every four; sessions with a gap of one second.
pub(super) const TUMBLING: Kind = Kind::Tumbling { size_us: S, offset_us: 0 };
pub(super) const SLIDING: Kind = Kind::Sliding { size_us: 10 * S, slide_us: 4 * S, offset_us: 0 };
pub(super) const SESSION: Kind = Kind::Session { gap_us: S };

/// Where boundaries are collected.
#[derive(Default)]
pub(super) struct Table {
    boundaries: Vec<Boundary>,
}

impl Table {
    /// One case at the five distances from a border.
    pub(super) fn nudged(
        &mut self,
        name: &str,
        case: impl Fn(i64) -> Case,
        expected: [Summary; 5],
    ) {
        for (nudge, expected) in NUDGES_US.into_iter().zip(expected) {
            self.one(&format!("{name}, {nudge:+} us"), case(nudge), expected);
        }
    }

    /// One case.
    pub(super) fn one(&mut self, name: &str, case: Case, expected: Summary) {
        self.boundaries.push(Boundary { name: name.into(), case, expected });
    }
}

/// The log of a partition: records of key 0 at these times, with the values 1, 2, 4, 8.
pub(super) fn log(times_us: &[i64]) -> Partition {
    let record = |(offset, time): (usize, &i64)| Record {
        time_us: Some(*time),
        key: Some(0),
        value: 1 << offset,
        id: None,
        record_time_us: None,
    };
    let records = times_us.iter().enumerate().map(record).collect();
    Partition { records, batches: Vec::new() }
}

/// A source without lateness.
fn source(partitions: Vec<Partition>) -> Source {
    Source { delay_us: 0, rule: Rule::Window, dedup_us: None, future_skew_us: None, partitions }
}

/// One view of one source without lateness, to its end.
pub(super) fn case(kind: Kind, partitions: Vec<Partition>) -> Case {
    let windows = vec![Windowed { sources: vec![0], filter: None, kind }];
    let job = Job {
        sources: vec![source(partitions)],
        windows,
        views: vec![View::Rows { of: 0 }],
        forget_after_us: 86_400 * S,
    };
    Case { seed: 0, interleaving: 0, end: End::Finished, job }
}

/// The same, stopped.
fn stopped(mut case: Case) -> Case {
    case.end = End::Stopped;
    case
}

/// Rows (start, end, sum) of one view, and nothing else.
pub(super) fn rows(rows: &[(i64, i64, i128)]) -> Summary {
    Summary { rows: vec![rows.to_vec()], ..Summary::default() }
}

impl Summary {
    /// And the rows of another view.
    pub(super) fn and(mut self, rows: &[(i64, i64, i128)]) -> Summary {
        self.rows.push(rows.to_vec());
        self
    }

    /// And late records at these offsets.
    pub(super) fn late(self, offsets: &[usize]) -> Summary {
        self.letters(Reason::Late, offsets)
    }

    /// And dead letters at these offsets.
    pub(super) fn letters(mut self, reason: Reason, offsets: &[usize]) -> Summary {
        self.letters.insert(reason, offsets.to_vec());
        self
    }

    /// And so many refused pairs, and these letters of views.
    pub(super) fn refused(mut self, pairs: u64, letters: &[usize]) -> Summary {
        self.refused = pairs;
        self.view_letters = letters.to_vec();
        self
    }

    /// And so many duplicates.
    pub(super) fn duplicates(mut self, duplicates: u64) -> Summary {
        self.duplicates = duplicates;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;

    #[test]
    fn the_reference_agrees_with_every_boundary() {
        let boundaries = super::boundaries();
        assert!(200 < boundaries.len(), "{}", boundaries.len());
        for boundary in boundaries {
            let outcome = reference::run(&boundary.case.job, boundary.case.end);
            let summary = outcome.summary();
            assert_eq!(summary, boundary.expected, "{}\n{:?}", boundary.name, boundary.case);
        }
    }
}
