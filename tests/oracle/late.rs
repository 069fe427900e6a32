//! Rules W7 to W9 and W11 to W13 at their borders, worked out by hand: what is late, dead or a
//! duplicate, and who says so.

use super::boundaries::{MS, S, SESSION, SLIDING, TUMBLING, Table, case, log, rows};
use super::cases::Case;
use super::job::{Filter, Kind, Partition, Rule, View, Windowed};
use super::outcome::Reason;

/// Adds them.
pub(super) fn boundaries(table: &mut Table) {
    at_the_watermark(table);
    window_rule(table);
    two_views(table);
    raw_views(table);
    who_judges(table);
    undatable(table);
    future(table);
    duplicates(table);
}

/// Windows of ten seconds.
const LONG: Kind = Kind::Tumbling { size_us: 10 * S, offset_us: 0 };

/// W7: a time equal to the watermark is on time; so is what shares its millisecond.
fn at_the_watermark(table: &mut Table) {
    let strict = |times: &[i64]| {
        let mut case = case(LONG, vec![log(times)]);
        case.job.sources[0].rule = Rule::Strict;
        case
    };
    let late = rows(&[(0, 10 * S, 1)]).late(&[1]);
    let both = rows(&[(0, 10 * S, 3)]);
    let expected = || [late.clone(), late.clone(), both.clone(), both.clone(), both.clone()];
    table.nudged("W7 strict", |nudge| strict(&[S, S + nudge]), expected());
    table.nudged("W7 behind the maximum", |nudge| strict(&[S + 700, S + nudge]), expected());
    table.nudged(
        "W7 lateness of 300 ms",
        |nudge| {
            let mut case = strict(&[1_300 * MS, S + nudge]);
            case.job.sources[0].delay_us = 300 * MS;
            case
        },
        expected(),
    );
    let late = rows(&[(-10 * S, 0, 1)]).late(&[1]);
    let both = rows(&[(-10 * S, 0, 3)]);
    table.nudged(
        "W7 before 1970",
        |nudge| strict(&[-1, -MS + nudge]),
        [late.clone(), late, both.clone(), both, rows(&[(-10 * S, 0, 1), (0, 10 * S, 2)])],
    );
    table.nudged(
        "W7 sessions are strict under the window rule",
        |nudge| case(SESSION, vec![log(&[S, S + nudge])]),
        [
            rows(&[(S, 2 * S, 1)]).late(&[1]),
            rows(&[(S, 2 * S, 1)]).late(&[1]),
            rows(&[(S, 2 * S, 3)]),
            rows(&[(S, 2 * S + 1, 3)]),
            rows(&[(S, 2_001 * MS, 3)]),
        ],
    );
}

/// W8: a window takes an event while its end is ahead of the watermark. W12: pairs are counted.
fn window_rule(table: &mut Table) {
    let taken = rows(&[(0, S, 7)]);
    let late = rows(&[(0, S, 1), (S, 2 * S, 2)]).late(&[2]);
    table.nudged(
        "W8 tumbling",
        |nudge| case(TUMBLING, vec![log(&[100 * MS, S + nudge, 200 * MS])]),
        [taken.clone(), taken, late.clone(), late.clone(), late.clone()],
    );
    let taken = rows(&[(0, S, 5), (S, 2 * S, 2)]);
    table.nudged(
        "W8 lateness of 300 ms",
        |nudge| {
            let mut case = case(TUMBLING, vec![log(&[100 * MS, 1_300 * MS + nudge, 200 * MS])]);
            case.job.sources[0].delay_us = 300 * MS;
            case
        },
        [taken.clone(), taken, late.clone(), late.clone(), late],
    );
    let all = rows(&[(0, 10 * S, 3), (4 * S, 14 * S, 3), (8 * S, 18 * S, 3)]);
    let some = rows(&[(4 * S, 14 * S, 3), (8 * S, 18 * S, 3)]).refused(1, &[]);
    table.nudged(
        "W8 the first of three sliding windows",
        |nudge| case(SLIDING, vec![log(&[10 * S + nudge, 9 * S])]),
        [all.clone(), all, some.clone(), some.clone(), some],
    );
    let last =
        rows(&[(8 * S, 18 * S, 3), (12 * S, 22 * S, 1), (16 * S, 26 * S, 1)]).refused(2, &[]);
    let late = rows(&[(12 * S, 22 * S, 1), (16 * S, 26 * S, 1)]).late(&[1]);
    table.nudged(
        "W8 the last of three sliding windows",
        |nudge| case(SLIDING, vec![log(&[18 * S + nudge, 9 * S])]),
        [last.clone(), last, late.clone(), late.clone(), late],
    );
}

/// A second view over the source.
fn and_windows(mut case: Case, kind: Kind) -> Case {
    case.job.windows.push(Windowed { sources: vec![0], filter: None, kind });
    case.job.views.push(View::Rows { of: 1 });
    case
}

/// W8, W12, W13: a record is late when no view can take it; else each view speaks for itself.
fn two_views(table: &mut Table) {
    let odd = Some(Filter { modulus: 2, remainder: 1 });
    let views = |nudge| and_windows(case(TUMBLING, vec![log(&[S + nudge, 200 * MS])]), LONG);
    let taken = rows(&[(0, S, 3)]).and(&[(0, 10 * S, 3)]);
    let refused = rows(&[(S, 2 * S, 1)]).and(&[(0, 10 * S, 3)]).refused(1, &[1]);
    table.nudged(
        "W8 another view takes it",
        views,
        [taken.clone(), taken, refused.clone(), refused.clone(), refused],
    );
    let taken = rows(&[(0, S, 3)]).and(&[(0, 10 * S, 1)]);
    let refused = rows(&[(S, 2 * S, 1)]).and(&[(0, 10 * S, 1)]).refused(1, &[1]);
    table.nudged(
        "W8 another view could take it, and its filter drops it",
        |nudge| {
            let mut case = views(nudge);
            case.job.windows[1].filter = odd;
            case
        },
        [taken.clone(), taken, refused.clone(), refused.clone(), refused],
    );
    let before = rows(&[(0, S, 1)]).and(&[(0, 10 * S, 3)]);
    let behind = rows(&[(S, 2 * S, 1)]).and(&[(0, 10 * S, 3)]);
    table.nudged(
        "W12 what a filter drops is not refused",
        |nudge| {
            let mut case = views(nudge);
            case.job.windows[0].filter = odd;
            case
        },
        [before.clone(), before, behind.clone(), behind.clone(), behind],
    );
    table.nudged(
        "W12 a session refuses one pair",
        |nudge| and_windows(case(SESSION, vec![log(&[S, S + nudge])]), LONG),
        [
            rows(&[(S, 2 * S, 1)]).and(&[(0, 10 * S, 3)]).refused(1, &[1]),
            rows(&[(S, 2 * S, 1)]).and(&[(0, 10 * S, 3)]).refused(1, &[1]),
            rows(&[(S, 2 * S, 3)]).and(&[(0, 10 * S, 3)]),
            rows(&[(S, 2 * S + 1, 3)]).and(&[(0, 10 * S, 3)]),
            rows(&[(S, 2_001 * MS, 3)]).and(&[(0, 10 * S, 3)]),
        ],
    );
    let taken = rows(&[(9 * S, 10 * S, 1)]).and(&[(0, 10 * S, 3)]).refused(1, &[1]);
    let late = rows(&[(10 * S, 11 * S, 1)]).and(&[(10 * S, 20 * S, 1)]).late(&[1]);
    table.nudged(
        "W13 one letter of the source when no view takes it",
        |nudge| and_windows(case(TUMBLING, vec![log(&[10 * S + nudge, 200 * MS])]), LONG),
        [taken.clone(), taken, late.clone(), late.clone(), late],
    );
}

/// Nothing is late for a view without windows.
fn raw_views(table: &mut Table) {
    let and_raw = |mut case: Case| {
        case.job.views.push(View::Raw { source: 0, filter: None });
        case
    };
    let (late, t) = ((200 * MS, 200 * MS, 2), S);
    let raw = |nudge| [late, (t + nudge, t + nudge, 1)];
    let taken = |nudge| rows(&[(0, S, 3)]).and(&raw(nudge));
    let refused = |nudge| rows(&[(S, 2 * S, 1)]).and(&raw(nudge)).refused(1, &[1]);
    table.nudged(
        "W8 a raw view takes all",
        |nudge| and_raw(case(TUMBLING, vec![log(&[t + nudge, 200 * MS])])),
        [taken(-1_000), taken(-1), refused(0), refused(1), refused(1_000)],
    );
    let windows = |sum| [(0, 10 * S, sum), (4 * S, 14 * S, sum), (8 * S, 18 * S, sum)];
    let raw = |nudge| {
        let mut raw = [(9 * S, 9 * S, 1), (9 * S + nudge, 9 * S + nudge, 2)];
        raw.sort();
        raw
    };
    let refused = |nudge| rows(&windows(1)).and(&raw(nudge)).refused(3, &[1]);
    let taken = |nudge| rows(&windows(3)).and(&raw(nudge));
    table.nudged(
        "W12 the strict rule refuses all windows of an event",
        |nudge| {
            let mut case = and_raw(case(SLIDING, vec![log(&[9 * S, 9 * S + nudge])]));
            case.job.sources[0].rule = Rule::Strict;
            case
        },
        [refused(-1_000), refused(-1), taken(0), taken(1), taken(1_000)],
    );
}

/// W9: the watermark of the record's own partition, before the record.
fn who_judges(table: &mut Table) {
    let mut other = log(&[5 * S]);
    other.records[0].value = 4;
    table.one(
        "W9 another partition judges nothing",
        case(TUMBLING, vec![log(&[100 * MS, 200 * MS]), other]),
        rows(&[(0, S, 3), (5 * S, 6 * S, 4)]),
    );
    let mut one_poll = case(TUMBLING, vec![log(&[5 * S, 100 * MS])]);
    for batches in [vec![2], vec![1, 1], vec![0, 1, 0, 1]] {
        one_poll.job.sources[0].partitions[0].batches = batches.clone();
        table.one(
            &format!("W9 polls of {batches:?}"),
            one_poll.clone(),
            rows(&[(5 * S, 6 * S, 1)]).late(&[1]),
        );
    }
    table.one(
        "W9 what is late moves nothing back",
        case(TUMBLING, vec![log(&[5 * S, 100 * MS, 200 * MS])]),
        rows(&[(5 * S, 6 * S, 1)]).late(&[1, 2]),
    );
}

/// W11: no time, or one outside the years 1 to 9999; it moves nothing.
fn undatable(table: &mut Table) {
    let mut timeless = case(TUMBLING, vec![log(&[500 * MS, 0, 600 * MS])]);
    timeless.job.sources[0].partitions[0].records[1].time_us = None;
    let dead = rows(&[(0, S, 5)]).letters(Reason::NoEventTime, &[1]);
    table.one("W11 no time", timeless, dead.clone());
    let border = 253_402_300_800 * S;
    let used = rows(&[(0, S, 1), (border - S, border, 2)]).late(&[2]);
    table.nudged(
        "W11 the end of the year 9999",
        |nudge| case(TUMBLING, vec![log(&[500 * MS, border + nudge, 600 * MS])]),
        [used.clone(), used, dead.clone(), dead.clone(), dead],
    );
    let border = -62_135_596_800 * S;
    let dead = rows(&[(0, S, 1)]).letters(Reason::NoEventTime, &[1]);
    let late = rows(&[(0, S, 1)]).late(&[1]);
    table.nudged(
        "W11 the beginning of the year 1",
        |nudge| case(TUMBLING, vec![log(&[500 * MS, border + nudge])]),
        [dead.clone(), dead, late.clone(), late.clone(), late],
    );
}

/// Further ahead of its record's time than the skew: dead, and it moves nothing.
fn future(table: &mut Table) {
    let skewed = |nudge| {
        let mut case = case(TUMBLING, vec![log(&[S + nudge, 200 * MS])]);
        case.job.sources[0].future_skew_us = Some(S);
        case.job.sources[0].partitions[0].records[0].record_time_us = Some(0);
        case
    };
    let dead = rows(&[(0, S, 2)]).letters(Reason::Future, &[0]);
    table.nudged(
        "future",
        skewed,
        [
            rows(&[(0, S, 3)]),
            rows(&[(0, S, 3)]),
            rows(&[(S, 2 * S, 1)]).late(&[1]),
            dead.clone(),
            dead,
        ],
    );
    let mut unknown = skewed(10 * S);
    unknown.job.sources[0].partitions[0].records[0].record_time_us = None;
    table.one("future without a record time", unknown, rows(&[(11 * S, 12 * S, 1)]).late(&[1]));
}

/// `dedup` of one second: dead, late, duplicate, used, in this order.
fn duplicates(table: &mut Table) {
    let dedup = |records: &[(i64, u64)]| {
        let times: Vec<i64> = records.iter().map(|(time, _)| *time).collect();
        let mut partition = log(&times);
        for (record, (_, id)) in partition.records.iter_mut().zip(records) {
            record.id = Some(*id);
        }
        with_dedup(vec![partition])
    };
    // The third record would forget the id if it were judged by the watermark that it makes: W9.
    let one = rows(&[(0, S, 3)]).duplicates(1);
    let two = rows(&[(0, S, 1), (S, 2 * S, 2)]).duplicates(1);
    table.nudged(
        "W9 an id is forgotten when its time plus 1 s lies behind the watermark",
        |nudge| dedup(&[(0, 1), (S + nudge, 2), (5 * S, 1)]),
        [one.clone(), one, two.clone(), two, rows(&[(0, S, 1), (S, 2 * S, 2), (5 * S, 6 * S, 4)])],
    );
    let known = rows(&[(-S, 0, 1), (0, S, 2)]).duplicates(1);
    let forgotten = rows(&[(-S, 0, 1), (S, 2 * S, 2), (5 * S, 6 * S, 4)]);
    table.nudged(
        "an id is forgotten by the millisecond",
        |nudge| dedup(&[(-1, 1), (S + nudge, 2), (5 * S, 1)]),
        [known.clone(), known, forgotten.clone(), forgotten.clone(), forgotten],
    );
    table.one(
        "a late record is not first",
        dedup(&[(5 * S, 1), (0, 2), (5 * S + 1, 2)]),
        rows(&[(5 * S, 6 * S, 5)]).late(&[1]),
    );
    table.one(
        "what is late is no duplicate",
        dedup(&[(5 * S, 1), (0, 1)]),
        rows(&[(5 * S, 6 * S, 1)]).late(&[1]),
    );
    table.one(
        "a duplicate moves the watermark and renews nothing",
        dedup(&[(0, 1), (900 * MS, 1), (1_500 * MS, 2), (1_600 * MS, 1), (200 * MS, 3)]),
        rows(&[(0, S, 1), (S, 2 * S, 12)]).duplicates(1).late(&[4]),
    );
    table.one(
        "a duplicate alone moves the watermark",
        dedup(&[(0, 1), (5 * S, 1), (200 * MS, 2)]),
        rows(&[(0, S, 1)]).duplicates(1).late(&[2]),
    );
    table.one(
        "an id that was forgotten and used again is remembered again",
        dedup(&[(0, 1), (2 * S, 2), (2_500 * MS, 1), (2_600 * MS, 1)]),
        rows(&[(0, S, 1), (2 * S, 3 * S, 6)]).duplicates(1),
    );
    let mut behind = dedup(&[(5 * S, 1), (S, 2), (S, 2)]);
    behind.job.windows[0].kind = LONG;
    table.one("an id of an old event is forgotten at once", behind, rows(&[(0, 10 * S, 7)]));
    let mut apart = dedup(&[(0, 1)]);
    let same = apart.job.sources[0].partitions[0].clone();
    apart.job.sources[0].partitions.push(same);
    table.one("an id counts within its partition", apart, rows(&[(0, S, 2)]));
    let nameless = with_dedup(vec![log(&[0, 1])]);
    table.one("what has no id is no duplicate", nameless, rows(&[(0, S, 3)]));
}

/// Remembers ids for one second.
fn with_dedup(partitions: Vec<Partition>) -> Case {
    let mut case = case(TUMBLING, partitions);
    case.job.sources[0].dedup_us = Some(S);
    case
}
