//! The words, case by case.

use super::*;
use crate::time::{millis, minutes, seconds};

/// 2026-01-01T00:00:00Z.
const BEGIN: Time = Time::from_seconds(1_767_225_600);

/// A time of the first hour, in seconds.
fn at(second: u64) -> Time {
    BEGIN.plus(seconds(second))
}

/// A partition whose greatest event time is `greatest`, of a source with 10 s of lateness, and
/// whose last record came at `last`.
fn partition(id: u32, greatest: u64, last: u64) -> PartitionFacts {
    PartitionFacts {
        id,
        reader: (3, 1),
        watermark: at(greatest).minus(seconds(10)).floor_ms(),
        greatest: Some(at(greatest)),
        last: at(last),
        lag: Some(0),
        is_finished: false,
    }
}

/// The window from 0:00 to 1:00, seen at 5:00.
fn facts(partitions: Vec<PartitionFacts>) -> Facts {
    let watermark = partitions.iter().map(|partition| partition.watermark).min();
    Facts {
        end: at(60),
        watermark: watermark.unwrap_or(Millis::MIN),
        sources: vec![SourceFacts {
            name: "chat".into(),
            lateness: seconds(10),
            idle_timeout: None,
            partitions,
        }],
        full: vec![],
        is_held: false,
        unknown: vec![],
        now: at(300),
    }
}

#[test]
fn a_quiet_partition_is_named_with_what_moves_it() {
    let quiet = || facts(vec![partition(0, 300, 300), partition(1, 30, 50)]);
    assert_eq!(
        why(&quiet()),
        "Partition 1 of source chat (worker 3 of process 1) is at 2026-01-01T00:00:20Z \
         (2026-01-01T00:00:30Z, less 10 s of lateness). It has been quiet since \
         2026-01-01T00:00:50Z (4 min 10 s). A record of 2026-01-01T00:01:10Z or later moves it; so \
         would `source.chat.idle_timeout`, which is off."
    );
    let mut soon = quiet();
    soon.sources[0].idle_timeout = Some(minutes(5));
    assert!(why(&soon).ends_with("moves it; so does `idle_timeout` (5 min) in 50 s."));
    let mut idle = quiet();
    idle.sources[0].idle_timeout = Some(minutes(1));
    assert!(why(&idle).ends_with(
        "moves it; as it is idle (`idle_timeout` is 1 min), so do the other partitions of chat at \
         the end of an epoch."
    ));
}

#[test]
fn a_partition_that_has_shown_nothing_says_so() {
    let mut facts = facts(vec![partition(0, 300, 300), partition(1, 30, 0)]);
    let empty = &mut facts.sources[0].partitions[1];
    (empty.watermark, empty.greatest, empty.lag) = (Millis::MIN, None, None);
    facts.watermark = Millis::MIN;
    assert_eq!(
        why(&facts),
        "Partition 1 of source chat (worker 3 of process 1) has promised nothing yet. No record \
         has come since it was opened at 2026-01-01T00:00:00Z (5 min). A record of \
         2026-01-01T00:01:10Z or later moves it; so would `source.chat.idle_timeout`, which is off."
    );
}

#[test]
fn a_partition_that_is_read_closes_the_window_by_itself() {
    let busy = facts(vec![partition(2, 45, 299)]);
    assert_eq!(
        why(&busy),
        "Partition 2 of source chat (worker 3 of process 1) is at 2026-01-01T00:00:35Z \
         (2026-01-01T00:00:45Z, less 10 s of lateness). Its records still come: the first one of \
         2026-01-01T00:01:10Z or later closes it, 25 s of event time from here."
    );
    let mut behind = busy;
    behind.sources[0].partitions[0].lag = Some(1);
    assert!(
        why(&behind).ends_with(
            "It is 1 record behind its end and goes on reading, to 2026-01-01T00:01:10Z."
        )
    );
}

#[test]
fn a_floor_is_no_event_time_and_the_others_are_named() {
    let mut facts = facts((0..6).map(|id| partition(id, 40 + u64::from(id), 0)).collect());
    facts.sources[0].partitions[0].watermark = Millis(at(5).floor_ms().0 + 250);
    let words = why(&facts);
    assert!(words.contains("process 1) is at 2026-01-01T00:00:05.250Z. It has been"), "{words}");
    assert!(words.ends_with(" Behind its end as well: chat 1, chat 2, chat 3 and 2 more."));
}

#[test]
fn partitions_that_are_past_its_end_or_finished_hold_nothing() {
    let mut facts = facts(vec![partition(0, 300, 300), partition(1, 30, 0)]);
    facts.sources[0].partitions[1].is_finished = true;
    facts.watermark = Millis(0);
    assert_eq!(
        why(&facts),
        "All partitions are past its end: it closes once the ticks under way are complete."
    );
    facts.unknown = vec![2];
    assert_eq!(why(&facts), "What holds it is read by process 2, which was not asked.");
    facts.unknown = vec![0, 2];
    assert_eq!(
        why(&facts),
        "What holds it is read by one of processes 0, 2, which were not asked."
    );
    facts.watermark = Millis::MAX;
    assert_eq!(why(&facts), "Its end is passed: it closes at the next tick.");
}

#[test]
fn a_job_that_does_not_read_says_for_whom_it_waits() {
    let mut facts = facts(vec![partition(0, 30, 0)]);
    facts.is_held = true;
    assert_eq!(
        why(&facts),
        "The job does not read: what it has read is not yet processed on all workers."
    );
    let sink = SinkFacts {
        view: "moments".into(),
        kind: "postgres".into(),
        pending: 100_000,
        failing: Some(millis(31_500)),
    };
    facts.full = vec![sink.clone(), SinkFacts { pending: 1, failing: None, ..sink }];
    assert_eq!(
        why(&facts),
        "The job does not read: 100000 rows wait for postgres of view moments, which has failed \
         for 31 s; 1 row waits for postgres of view moments. It goes on once they are written."
    );
}

#[test]
fn spans_have_two_units_at_most() {
    let check = |duration, expect: &str| assert_eq!(span(duration), expect);
    check(Duration::ZERO, "0 s");
    check(millis(9_940), "9.9 s");
    check(millis(12_345), "12 s");
    check(seconds(90_061), "1 d 1 h");
    check(seconds(86_460), "1 d");
    check(seconds(3_600), "1 h");
}
