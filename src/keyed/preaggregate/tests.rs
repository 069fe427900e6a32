//! What a batch adds up to, and that every part reaches the owner of its key.

use std::collections::BTreeMap;

use super::*;
use crate::aggregate::Count;
use crate::text::Text;
use crate::time::seconds;
use crate::window::{Session, Sliding, Tumbling};

type Counts = PreAggregate<Text, Count>;

fn tumbling() -> Counts {
    Counts::new(Tumbling::new(seconds(10)).into())
}

/// Adds an event.
fn on_time(parts: &mut Counts, time: Time, key: &str) {
    let micros = time.micros();
    assert_eq!(parts.turn_to(&[micros], &(micros..=micros)), 1);
    parts.on_time(micros, key.into(), Count::one());
}

/// Adds an event per key, all at second 1.
fn add(parts: &mut Counts, keys: impl IntoIterator<Item = usize>) {
    for key in keys {
        on_time(parts, Time::from_seconds(1), &format!("user_{key}"));
    }
}

fn drained(parts: &mut Counts, peers: usize) -> Vec<(usize, Part<Text, Count>)> {
    let mut all = Vec::new();
    parts.drain(peers, |to, share| {
        assert!(!share.is_empty(), "an empty share is not sent");
        all.extend(share.into_iter().map(|part| (to, part)));
    });
    all
}

#[test]
fn events_of_few_groups_become_a_part_per_group_and_slice() {
    let mut parts = tumbling();
    for event in 0..1_000i64 {
        let (key, second) = (format!("user_{}", event % 3), event % 20);
        on_time(&mut parts, Time::from_seconds(second), &key);
    }
    let all = drained(&mut parts, 1);
    assert_eq!(all.len(), 6);
    assert_eq!(all.iter().map(|(_, part)| part.measure.get()).sum::<i64>(), 1_000);
    let slices = [0, 10].map(|second| Place::At(Time::from_seconds(second)));
    assert!(all.iter().all(|(_, part)| slices.contains(&part.place)));
    assert!(all.iter().all(|(_, part)| part.hash == hash::of(&part.key)));
    assert!(drained(&mut parts, 1).is_empty(), "nothing stays between batches");
}

#[test]
fn groups_that_share_a_place_among_the_recent_ones_stay_apart() {
    let mut parts = tumbling();
    for round in 1..=3 {
        // In both directions, so that a group is met right after itself and after others.
        add(&mut parts, (0..2_000).chain((0..2_000).rev()));
        let all = drained(&mut parts, 1);
        assert_eq!(all.len(), 2_000, "round {round}");
        assert!(all.iter().all(|(_, part)| part.measure.get() == 2));
    }
}

/// Each event is its second; those of a batch are turned to run by run.
#[test]
fn events_in_any_order_and_slice_add_where_they_belong() {
    let check = |seconds: &[i64], runs: usize| {
        let mut parts = tumbling();
        let times: Vec<i64> = seconds.iter().map(|s| Time::from_seconds(*s).micros()).collect();
        let least = times.iter().copied().min().expect("there are events");
        let within = least..=times.iter().copied().max().expect("there are events");
        for bounds in [within, i64::MIN..=i64::MAX] {
            let (mut rest, mut turns) = (&times[..], 0);
            while !rest.is_empty() {
                let (run, after) = rest.split_at(parts.turn_to(rest, &bounds));
                run.iter().for_each(|time| parts.on_time(*time, "a".into(), Count::one()));
                (rest, turns) = (after, turns + 1);
            }
            assert_eq!(turns, runs, "{seconds:?}");
            let mut expect: BTreeMap<i64, i64> = BTreeMap::new();
            seconds.iter().for_each(|s| *expect.entry(s.div_euclid(10) * 10).or_default() += 1);
            let all = drained(&mut parts, 1);
            let found: BTreeMap<i64, i64> = all
                .iter()
                .map(|(_, part)| match part.place {
                    Place::At(start) => (start.seconds(), part.measure.get()),
                    Place::Patch(start) => panic!("a patch at {start}"),
                })
                .collect();
            assert_eq!((all.len(), found), (expect.len(), expect), "{seconds:?}");
            parts = tumbling();
        }
    };
    check(&[5], 1);
    check(&[15, 9, 11, 3, 19], 1);
    check(&[15, 9, 20, 12, 29, 11], 2);
    check(&[15, 25, 5, 35, 5, -5, -15, 15], 7);
}

#[test]
fn an_event_of_a_session_keeps_its_own_time() {
    let mut parts = Counts::new(Session::new(seconds(10)).into());
    let time = Time::from_micros(1_234_567);
    on_time(&mut parts, time, "a");
    on_time(&mut parts, time, "a");
    let all = drained(&mut parts, 1);
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].1.place, all[0].1.measure.get()), (Place::At(time), 2));
}

#[test]
fn each_part_goes_to_the_owner_of_its_key() {
    for peers in [1, 2, 3, 8] {
        let mut parts = tumbling();
        add(&mut parts, 0..100);
        let all = drained(&mut parts, peers);
        assert_eq!(all.len(), 100);
        let mut shares: BTreeMap<usize, usize> = BTreeMap::new();
        for (to, part) in &all {
            assert_eq!(*to, hash::owner(hash::of(&part.key), peers), "{} of {peers}", part.key);
            *shares.entry(*to).or_default() += 1;
        }
        assert_eq!(shares.len(), peers, "{shares:?}");
    }
}

#[test]
fn nearly_unique_groups_go_round_the_table_for_a_while() {
    let mut parts = tumbling();
    add(&mut parts, 0..JUDGED_EVENTS_MIN);
    assert_eq!(drained(&mut parts, 1).len(), JUDGED_EVENTS_MIN);
    for batch in 0..BYPASS_BATCHES {
        add(&mut parts, [7; 5]);
        assert_eq!(drained(&mut parts, 1).len(), 5, "batch {batch} is not joined");
    }
    add(&mut parts, [7; 5]);
    assert_eq!(drained(&mut parts, 1).len(), 1, "the table is tried again");
}

#[test]
fn a_small_batch_or_one_that_joins_half_does_not_switch_the_table_off() {
    let check = |events: usize, groups: usize| {
        let mut parts = tumbling();
        add(&mut parts, (0..events).map(|event| event % groups));
        drained(&mut parts, 1);
        add(&mut parts, [7; 5]);
        assert_eq!(drained(&mut parts, 1).len(), 1, "{events} events of {groups} groups");
    };
    check(JUDGED_EVENTS_MIN - 1, JUDGED_EVENTS_MIN - 1);
    check(JUDGED_EVENTS_MIN, JUDGED_EVENTS_MIN / 2);
}

#[test]
fn an_aborted_batch_leaves_nothing() {
    let mut parts = tumbling();
    add(&mut parts, 0..JUDGED_EVENTS_MIN);
    parts.abort();
    assert!(drained(&mut parts, 2).is_empty());
    add(&mut parts, [1, 1, 2]);
    assert_eq!(drained(&mut parts, 1).len(), 2, "and nothing of it was judged");
}

#[test]
fn an_event_behind_goes_to_the_windows_that_are_open() {
    let check = |windows: Windows, strict, watermark, windows_refused, starts: &[i64]| {
        let mut parts = Counts::new(windows);
        let behind = Behind { watermark: Millis(watermark), strict };
        let time = Time::from_seconds(5);
        let refused = parts.behind(time, behind, &"a".into(), &Count::one());
        let places: Vec<Place> = drained(&mut parts, 1).iter().map(|(_, p)| p.place).collect();
        let expect = starts.iter().map(|second| Place::Patch(Time::from_seconds(*second)));
        assert_eq!(places, expect.collect::<Vec<_>>(), "at {watermark} ms");
        assert_eq!(refused, Refused { windows: windows_refused, taken: starts.len() as u64 });
    };
    let sliding = Sliding::new(seconds(30), seconds(10));
    check(sliding.into(), false, 9_999, 0, &[-20, -10, 0]);
    check(sliding.into(), false, 10_000, 1, &[-10, 0]);
    check(sliding.into(), false, 29_999, 2, &[0]);
    check(sliding.into(), false, 30_000, 3, &[]);
    check(sliding.into(), true, 9_999, 3, &[]);
    check(Session::new(seconds(30)).into(), false, 9_999, 1, &[]);
}
