//! The decision alone: what a job says of itself at some seconds, and which alerts come of it.

use super::*;
use crate::alert::Alert;
use crate::time::seconds;

/// A watch of one condition over a job that began at zero.
struct Script(Watch);

impl Script {
    fn new(measure: Measure, alert: Alert, over: u64) -> Script {
        Script::of(Condition::new(alert, measure, seconds(over)))
    }

    fn of(condition: Condition) -> Script {
        Script(Watch::new("shop".into(), vec![condition], Duration::ZERO))
    }

    /// What is raised when one process says something: view, key, value, severity.
    fn hears(&mut self, second: u64, facts: ProcessFacts) -> Vec<String> {
        self.hears_of(second, 0, facts)
    }

    fn hears_of(&mut self, second: u64, worker: usize, facts: ProcessFacts) -> Vec<String> {
        self.0.hear(seconds(second), Facts { worker, process: Some(facts), ..Facts::default() });
        self.judges(second)
    }

    /// The same when a worker has seen keys.
    fn sees(&mut self, second: u64, keys: &[&str]) -> Vec<String> {
        let seen = keys.iter().map(|key| (0, Text::from(*key))).collect();
        self.0.hear(seconds(second), Facts { seen, ..Facts::default() });
        self.judges(second)
    }

    fn judges(&mut self, second: u64) -> Vec<String> {
        let raised = self.0.judge(seconds(second)).into_iter();
        let line = |Raised { view, window, key, value, severity, .. }| {
            assert_eq!(window, None);
            format!("{view} {key} {value} {severity}")
        };
        raised.map(line).collect()
    }
}

const NOTHING: [&str; 0] = [];

fn above(threshold: f64) -> Alert {
    Alert::above("an_alert", Some(threshold))
}

fn failed(failed: u64) -> ProcessFacts {
    ProcessFacts { failed, ..ProcessFacts::default() }
}

#[test]
fn events_that_fail_are_told_once_until_there_were_none_for_so_long() {
    let mut script = Script::new(Measure::FailedEvents, above(0.0), 300);
    assert_eq!(script.hears(1, failed(0)), NOTHING);
    assert_eq!(script.hears(2, failed(2)), ["alerts {} 2 warning"]);
    assert_eq!(script.hears(3, failed(5)), NOTHING, "the episode goes on");
    assert_eq!(script.hears(302, failed(5)), NOTHING);
    assert_eq!(script.hears(310, failed(5)), NOTHING, "and is over");
    assert_eq!(script.hears(311, failed(6)), ["alerts {} 1 warning"]);
}

#[test]
fn failures_before_the_first_facts_count() {
    let mut script = Script::new(Measure::FailedEvents, above(0.0), 300);
    assert_eq!(script.hears(1, failed(1)), ["alerts {} 1 warning"]);
}

#[test]
fn an_episode_that_becomes_critical_is_raised_once_more() {
    let alert = above(0.0).critical(Some(10.0));
    let mut script = Script::new(Measure::FailedEvents, alert, 300);
    assert_eq!(script.hears(1, failed(1)), ["alerts {} 1 warning"]);
    assert_eq!(script.hears(2, failed(10)), NOTHING);
    assert_eq!(script.hears(3, failed(11)), ["alerts {} 11 critical"]);
    assert_eq!(script.hears(4, failed(20)), NOTHING);
}

#[test]
fn what_processes_count_is_added_up() {
    let mut script = Script::new(Measure::FailedEvents, above(5.0), 300);
    assert_eq!(script.hears_of(1, 0, failed(4)), NOTHING);
    assert_eq!(script.hears_of(1, 2, failed(2)), ["alerts {} 6 warning"]);
}

#[test]
fn a_trail_is_bounded_and_forgets_what_is_too_old() {
    let mut script = Script::new(Measure::FailedEvents, above(9.0), 60);
    // Never more than ten in a minute and its grain, but for the last ones.
    for second in 1..1_000 {
        assert_eq!(script.hears(second, failed(second / 10)), NOTHING, "at {second}");
    }
    assert_eq!(script.hears(1_000, failed(120)).len(), 1);
}

fn share(read: u64, used: u64, lag: u64) -> ProcessFacts {
    ProcessFacts { read, used, lag, ..ProcessFacts::default() }
}

#[test]
fn a_share_is_that_of_the_records_of_so_long_once_so_long_has_passed() {
    let alert = Alert::below("an_alert", Some(0.9));
    let mut script = Script::new(Measure::UsedShare, alert, 10);
    // What waited at the start was produced before.
    assert_eq!(script.hears(1, share(10, 0, 500)), NOTHING);
    assert_eq!(script.hears(5, share(50, 20, 460)), NOTHING);
    assert_eq!(script.hears(11, share(110, 50, 400)), NOTHING, "0 were produced meanwhile");
    assert_eq!(script.hears(12, share(120, 51, 490)), ["alerts {} 0.51 warning"]);
    assert_eq!(script.hears(13, share(130, 60, 490)), NOTHING);
    // All that was produced in the last ten seconds was used.
    assert_eq!(script.hears(23, share(140, 70, 490)), NOTHING);
    assert_eq!(script.hears(34, share(240, 170, 490)), NOTHING);
    assert_eq!(script.hears(35, share(340, 170, 490)).len(), 1, "and now half of it");
}

#[test]
fn with_another_process_a_share_begins_anew() {
    let alert = Alert::below("an_alert", Some(0.9));
    let mut script = Script::new(Measure::UsedShare, alert, 10);
    assert_eq!(script.hears_of(1, 0, share(0, 0, 0)), NOTHING);
    assert_eq!(script.hears_of(2, 4, share(0, 0, 10_000)), NOTHING);
    assert_eq!(script.hears_of(11, 4, share(100, 100, 9_900)), NOTHING);
    let last = script.hears_of(12, 4, share(200, 150, 10_000));
    assert_eq!(last, ["alerts {} 0.75 warning"], "200 were produced since the other one came");
}

fn behind(by: u64, arriving: bool) -> ProcessFacts {
    ProcessFacts { behind: Some(seconds(by)), arriving, ..ProcessFacts::default() }
}

#[test]
fn a_frontier_that_stays_behind_is_told_and_a_silent_source_is_not() {
    let mut script = Script::new(Measure::FrontierDelay, above(30.0), 30);
    for second in 1..31 {
        assert_eq!(script.hears(second, behind(40 + second, true)), NOTHING, "at {second}");
    }
    assert_eq!(script.hears(31, behind(71, true)), ["alerts {} 71 warning"]);
    assert_eq!(script.hears(32, behind(72, true)), NOTHING);
    // It catches up, and falls behind again: as long as before.
    assert_eq!(script.hears(33, behind(1, true)), NOTHING);
    assert_eq!(script.hears(34, behind(31, true)), NOTHING);
    assert_eq!(script.hears(63, behind(60, true)), NOTHING);
    assert_eq!(script.hears(64, behind(61, true)).len(), 1);
    // Nothing comes any more: it is no delay that nothing closes.
    let mut silent = Script::new(Measure::FrontierDelay, above(30.0), 30);
    assert_eq!(silent.hears(1, behind(0, true)), NOTHING);
    for second in 2..200 {
        assert_eq!(silent.hears(second, behind(second, false)), NOTHING, "at {second}");
    }
    // Without windows there is no frontier.
    let none = ProcessFacts { arriving: true, ..ProcessFacts::default() };
    let mut without = Script::new(Measure::FrontierDelay, above(0.0), 0);
    assert_eq!(without.hears(1, none), NOTHING);
}

fn delayed(by: &[(&str, u64)]) -> ProcessFacts {
    let delays = by.iter().map(|(view, by)| (Text::from(*view), seconds(*by))).collect();
    ProcessFacts { delays, ..ProcessFacts::default() }
}

#[test]
fn the_delay_of_a_view_is_the_median_of_so_long_and_the_start_does_not_count() {
    let measure = Measure::EventDelay { view: "raw" };
    let mut script = Script::new(measure, above(5.0), 10);
    // A job that catches up with what was there.
    for second in 1..10 {
        let by = if second < 5 { 600 } else { 1 };
        assert_eq!(script.hears(second, delayed(&[("raw", by), ("other", 60)])), NOTHING);
    }
    assert_eq!(script.hears(10, delayed(&[("raw", 1)])), NOTHING);
    // One slow second is none; when half of them are slow, that is told.
    for second in 11..16 {
        assert_eq!(script.hears(second, delayed(&[("raw", 7)])), NOTHING, "at {second}");
    }
    assert_eq!(script.hears(16, delayed(&[("raw", 7)])), ["raw {} 7 warning"]);
    // Without rows there is no delay, and the next one is another episode.
    assert_eq!(script.hears(60, delayed(&[])), NOTHING);
    assert_eq!(script.hears(61, delayed(&[("raw", 8)])), ["raw {} 8 warning"]);
}

fn sinks(sinks: &[(&str, &str, u64, Option<u64>)]) -> ProcessFacts {
    let sinks = sinks.iter().map(|(view, kind, failed, away)| SinkFacts {
        view: (*view).into(),
        kind: (*kind).into(),
        failed: *failed,
        away: away.map(seconds),
    });
    ProcessFacts { sinks: sinks.collect(), ..ProcessFacts::default() }
}

#[test]
fn failed_writes_are_counted_by_sink_over_all_processes() {
    let mut script = Script::new(Measure::FailedWrites, above(3.0), 300);
    let three = sinks(&[("a", "postgres", 3, None), ("a", "file", 0, None)]);
    assert_eq!(script.hears_of(1, 0, three), NOTHING);
    assert_eq!(script.hears_of(1, 2, sinks(&[("b", "postgres", 3, None)])), NOTHING);
    let fourth = script.hears_of(2, 2, sinks(&[("a", "postgres", 1, None)]));
    assert_eq!(fourth, ["a {\"sink\":\"postgres\"} 4 warning"]);
    // Five minutes later they are of no interest any more.
    let quiet = || sinks(&[("a", "postgres", 1, None)]);
    assert_eq!(script.hears_of(5, 2, quiet()), NOTHING);
    assert_eq!(script.hears_of(310, 2, quiet()), NOTHING);
    let again = sinks(&[("a", "postgres", 7, None)]);
    assert_eq!(script.hears_of(311, 0, again), ["a {\"sink\":\"postgres\"} 4 warning"]);
}

#[test]
fn a_sink_of_a_kind_that_is_away_is_told_by_view() {
    let mut script = Script::new(Measure::SinkAway { kind: "postgres" }, above(1.0), 0);
    let away = |by| sinks(&[("a", "postgres", 0, by), ("b", "kafka", 0, by)]);
    assert_eq!(script.hears(1, away(None)), NOTHING);
    assert_eq!(script.hears(2, away(Some(1))), NOTHING);
    assert_eq!(script.hears(3, away(Some(2))), ["a {\"sink\":\"postgres\"} 2 warning"]);
    assert_eq!(script.hears(4, away(Some(3))), NOTHING);
    assert_eq!(script.hears(5, away(None)), NOTHING);
    assert_eq!(script.hears(9, away(Some(2))), ["a {\"sink\":\"postgres\"} 2 warning"]);
}

#[test]
fn a_view_without_rows_is_told_once_until_it_has_one() {
    let mut script = Script::new(Measure::NoRows { view: "moments" }, above(60.0), 0);
    let rows = |rows| ProcessFacts {
        rows: vec![("moments".into(), rows), ("other".into(), 9)],
        ..ProcessFacts::default()
    };
    assert_eq!(script.hears(60, rows(0)), NOTHING);
    assert_eq!(script.hears(61, rows(0)), ["moments {} 61 warning"]);
    assert_eq!(script.hears(90, rows(0)), NOTHING);
    assert_eq!(script.hears(91, rows(1)), NOTHING);
    assert_eq!(script.hears(152, rows(1)), ["moments {} 61 warning"]);
}

/// Some keys are known; up to three are remembered.
fn silence(known: &[&str]) -> Script {
    let condition = Condition::new(above(60.0), Measure::Silence, Duration::ZERO);
    let known = known.iter().map(|key| Text::from(*key)).collect();
    Script::of(Condition { view: "prices".into(), known, keys_max: 3, ..condition })
}

#[test]
fn a_key_that_falls_silent_is_told_once_until_it_comes_again() {
    let mut script = silence(&[]);
    assert_eq!(script.sees(1, &["a", "b"]), NOTHING);
    assert_eq!(script.sees(40, &["b"]), NOTHING);
    assert_eq!(script.sees(61, &[]), NOTHING);
    assert_eq!(script.sees(62, &["b"]), ["prices a 61 warning"]);
    assert_eq!(script.sees(100, &["b"]), NOTHING);
    assert_eq!(script.sees(101, &["a", "b"]), NOTHING);
    assert_eq!(script.sees(162, &[]), ["prices a 61 warning", "prices b 61 warning"]);
}

#[test]
fn a_key_that_was_never_seen_is_missed_only_if_it_is_known() {
    let mut script = silence(&["a"]);
    assert_eq!(script.sees(61, &[]), ["prices a 61 warning"]);
}

#[test]
fn a_key_is_forgotten_after_a_day_unless_it_is_known_and_too_many_are_not_watched() {
    let mut script = silence(&["a"]);
    script.sees(1, &["a", "b", "c"]);
    assert_eq!(script.0.full(), NOTHING);
    script.sees(2, &["d"]);
    assert_eq!(script.0.full(), ["an_alert"]);
    script.sees(3, &["d"]);
    assert_eq!(script.0.full(), NOTHING, "it is told once");
    let day = 24 * 60 * 60;
    assert_eq!(script.judges(day).len(), 3);
    assert_eq!(script.judges(day + 1), NOTHING);
    // Now there is room.
    assert_eq!(script.sees(day + 2, &["d"]), NOTHING);
    let later = script.judges(day + 70);
    assert_eq!(later, ["prices d 68 warning"], "`a` is silent all the time");
}

#[test]
fn while_a_job_does_not_read_no_key_is_silent() {
    let mut script = silence(&[]);
    script.sees(1, &["a"]);
    let held = |held: Option<u64>| ProcessFacts { held: held.map(seconds), ..failed(0) };
    script.hears(11, held(Some(1)));
    assert_eq!(script.hears(500, held(Some(489))), NOTHING);
    assert_eq!(script.hears(501, held(None)), NOTHING);
    assert_eq!(script.judges(551), NOTHING);
    assert_eq!(script.judges(552).len(), 1, "ten seconds before, and fifty-one after");
}
