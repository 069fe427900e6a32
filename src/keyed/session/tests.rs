//! Sessions: when they merge, when they close, and that no timer is lost.

use super::super::tests::{at, close, flush, part, restore, saved, survives};
use super::*;
use crate::aggregate::Sum;
use crate::aggregate::laws::Random;
use crate::text::Text;
use crate::time::seconds;

type Sums = Sessions<Text, Sum<i64>>;

/// Sessions with a gap of ten seconds.
fn sessions() -> Sums {
    Sums::new(Session::new(seconds(10)), false)
}

fn with_updates() -> Sums {
    Sums::new(Session::new(seconds(10)), true)
}

fn micros_part(key: &str, micros: i64, value: i64) -> Part<Text, Sum<i64>> {
    at(key, Place::At(Time::from_micros(micros)), value)
}

#[test]
fn events_at_a_distance_of_one_gap_are_one_session() {
    let check = |distance, expect: usize| {
        for order in [[0, distance], [distance, 0]] {
            let mut state = sessions();
            order.iter().for_each(|micros| state.apply(micros_part("a", *micros, 1)));
            assert_eq!(close(&mut state, Millis::MAX).len(), expect, "{order:?}");
        }
    };
    check(0, 1);
    check(9_999_999, 1);
    check(10_000_000, 1);
    check(10_000_001, 2);
}

#[test]
fn a_session_closes_when_the_watermark_has_passed_its_end() {
    let check = |event, watermark, expect| {
        let mut state = sessions();
        state.apply(micros_part("a", event, 1));
        let found = close(&mut state, Millis(watermark)).len();
        assert_eq!(found, expect, "event at {event} us, watermark {watermark} ms");
    };
    check(0, 9_999, 0);
    check(0, 10_000, 0);
    check(0, 10_001, 1);
    check(999, 10_000, 0);
    check(999, 10_001, 1);
    check(-1, 9_999, 0);
    check(-1, 10_000, 1);
}

#[test]
fn an_event_between_two_sessions_makes_them_one() {
    let mut state = sessions();
    state.apply(part("a", 0, 1));
    state.apply(part("a", 20, 2));
    state.apply(part("b", 10, 4));
    assert_eq!(state.open().windows, 3);
    state.apply(part("a", 10, 8));
    assert_eq!(state.open().windows, 2);
    assert_eq!(close(&mut state, Millis::MAX), ["b 10..20 4", "a 0..30 11"]);
    assert_eq!(state.open(), Open::default());
}

#[test]
fn a_session_that_grows_closes_once() {
    let mut state = sessions();
    let mut closed = Vec::new();
    for second in 0..100 {
        state.apply(part("a", second, 1));
        closed.extend(close(&mut state, Millis(second * 1_000)));
    }
    assert!(closed.is_empty(), "{closed:?}");
    assert!(close(&mut state, Millis(109_000)).is_empty());
    assert_eq!(close(&mut state, Millis(109_001)), ["a 0..109 100"]);
}

#[test]
fn an_earlier_session_of_a_key_closes_before_the_one_that_was_there_first() {
    let mut state = sessions();
    state.apply(part("a", 100, 1));
    state.apply(part("a", 0, 2));
    assert_eq!(state.open().first_end, Some(Time::from_seconds(10)));
    assert_eq!(close(&mut state, Millis(10_001)), ["a 0..10 2"]);
    assert_eq!(close(&mut state, Millis(110_001)), ["a 100..110 1"]);
    assert!(close(&mut state, Millis::MAX).is_empty());
}

#[test]
fn a_new_session_of_a_key_is_another_session() {
    let mut state = sessions();
    state.apply(part("a", 0, 1));
    assert_eq!(close(&mut state, Millis(10_001)), ["a 0..10 1"]);
    state.apply(part("a", 11, 2));
    assert_eq!(close(&mut state, Millis::MAX), ["a 11..21 2"]);
}

#[test]
fn the_sessions_of_many_keys_close_each_at_its_time() {
    let mut random = Random::new(5);
    let mut state = sessions();
    let mut ends = Vec::new();
    for key in 0..2_000 {
        // Three events less than a gap apart, in any order.
        let first = random.below(100_000_000) as i64;
        let steps = [0, 4_000_000, 9_000_000];
        let turn = random.below(3) as usize;
        for step in 0..3 {
            let micros = first + steps[(turn + step) % 3];
            state.apply(micros_part(&format!("user_{key}"), micros, 1));
        }
        ends.push(Time::from_micros(first + 19_000_000).floor_ms());
    }
    let mut watermark = 0;
    while 0 < state.open().windows {
        watermark += random.below(700) as i64;
        let mut finals = Vec::new();
        state.advance(Millis(watermark), &mut finals);
        assert!(finals.is_sorted_by_key(|pane| pane.window));
        assert!(finals.iter().all(|pane| pane.value.get() == Some(3)));
        let open = ends.iter().filter(|end| Millis(watermark) <= **end).count();
        assert_eq!(state.open().windows, open as u64, "at {watermark} ms");
    }
}

#[test]
fn a_session_that_grew_after_it_was_shown_takes_the_old_row_with_it() {
    let mut state = with_updates();
    state.apply(part("a", 0, 1));
    assert_eq!(flush(&mut state), ["a 0..10 1"]);
    assert!(flush(&mut state).is_empty());
    state.apply(part("a", 5, 2));
    assert_eq!(flush(&mut state), ["-a 0..10", "a 0..15 3"]);
    state.apply(part("a", 3, 4));
    assert_eq!(flush(&mut state), ["a 0..15 7"], "its window is the same");
}

#[test]
fn a_session_that_nobody_saw_is_not_taken_back() {
    let mut state = with_updates();
    state.apply(part("a", 0, 1));
    state.apply(part("a", 5, 2));
    assert_eq!(flush(&mut state), ["a 0..15 3"]);
}

#[test]
fn the_rows_of_two_sessions_that_merge_both_go() {
    let mut state = with_updates();
    state.apply(part("a", 0, 1));
    state.apply(part("a", 20, 2));
    assert_eq!(flush(&mut state), ["a 0..10 1", "a 20..30 2"]);
    state.apply(part("a", 10, 4));
    assert_eq!(flush(&mut state), ["-a 0..10", "-a 20..30", "a 0..30 7"]);
    assert_eq!(close(&mut state, Millis::MAX), ["a 0..30 7"]);
    assert!(flush(&mut state).is_empty());
}

#[test]
fn a_snapshot_holds_the_sessions_by_key_group() {
    let mut state = sessions();
    for key in 0..50 {
        let name = format!("user_{key}");
        for second in [100, 0, 5, 200 + key] {
            state.apply(part(&name, second, key));
        }
    }
    assert_eq!(close(&mut state, Millis(15_001)).len(), 50);
    survives(state, sessions);
}

#[test]
fn a_restored_session_goes_on_growing() {
    let mut state = sessions();
    state.apply(part("a", 0, 1));
    let mut restored = sessions();
    restore(&mut restored, &[saved(&mut state, true)], |_| true);
    restored.apply(part("a", 10, 2));
    assert!(close(&mut restored, Millis(20_000)).is_empty());
    assert_eq!(close(&mut restored, Millis(20_001)), ["a 0..20 3"]);
}

#[test]
#[should_panic(expected = "a session got a patch")]
fn a_patch_is_a_bug() {
    sessions().apply(at("a", Place::Patch(Time::from_seconds(0)), 1));
}
