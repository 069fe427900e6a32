//! Tests of alerts: against a recount, with any number of workers, and what a wrong description is
//! told. Two windows and a stream of events that fill one view are tested here, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aggregate::Count;
use crate::alert::Alert;
use crate::config::{Engine, Parameters};
use crate::error::Result;
use crate::row::{Cell, Change};
use crate::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use crate::sink::memory::Collector;
use crate::sink::{Accepts, View};
use crate::source::memory::Memory;
use crate::stream::{Flow, Operator, Settings, Stream};
use crate::testing::Example;
use crate::testing::example::Event;
use crate::time::{minutes, seconds};
use crate::window::{Sliding, Tumbling, Windows};

const MANY_OF_ONE: f64 = 3.0;
const MANY_OF_ALL: f64 = 12.0;

/// Counts by minute, of each key and of all, as updates; alerts on both, and one on neither.
fn describe(flow: &Flow) {
    let events: Stream<Event> = flow.source("events", seconds(10), Example::time);
    let (of_one, of_all) =
        (Alert::above("of_one", Some(MANY_OF_ONE)), Alert::above("of_all", Some(MANY_OF_ALL)));
    let counts = events
        .key_by(|event| event.key.clone())
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .alert(of_one, "counts", &["name"], |count| count.get() as f64)
        .alert(Alert::above("never", None), "counts", &["name"], |_| f64::MAX);
    counts.rows(Example::row).updates().sink("counts");
    let all = events.window(Tumbling::new(minutes(1))).accumulate(|_| Count::one());
    all.alert(of_all, "counts", &[], |count| count.get() as f64);
}

/// Three partitions whose events are up to half a minute behind the newest: some are late.
fn logs() -> Vec<Vec<Event>> {
    let mut state = 7_u64;
    let mut below = move |limit: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    (0..3)
        .map(|_| {
            (0..400)
                .map(|step| {
                    let second = (step as i64 - below(30) as i64).max(0);
                    let name = ["a", "b", "c", "d"][below(4) as usize];
                    Event::from((name, second, 1))
                })
                .collect()
        })
        .collect()
}

/// The alerts that a recount finds: name, key, start of the window in seconds, value.
fn expected(logs: &[Vec<Event>]) -> Vec<(String, String, i64, f64)> {
    let mut counts: BTreeMap<(Option<String>, i64), f64> = BTreeMap::new();
    for log in logs {
        let mut newest = i64::MIN / 2;
        for event in log {
            let second = event.time.unwrap().seconds();
            let start = second - second % 60;
            if newest - 10 < start + 60 {
                for key in [Some(event.key.to_string()), None] {
                    *counts.entry((key, start)).or_default() += 1.0;
                }
            }
            newest = newest.max(second);
        }
    }
    let alerts = counts.into_iter().filter_map(|((key, start), count)| match key {
        Some(key) if MANY_OF_ONE < count => {
            Some(("of_one".into(), format!("{{\"name\":\"{key}\"}}"), start, count))
        }
        None if MANY_OF_ALL < count => Some(("of_all".into(), "{}".into(), start, count)),
        _ => None,
    });
    let mut alerts: Vec<_> = alerts.collect();
    alerts.sort_by(|a, b| a.partial_cmp(b).unwrap());
    alerts
}

/// What a number of workers raises.
fn raised(logs: &[Vec<Event>], threads: usize, engine: Engine) -> Vec<(String, String, i64, f64)> {
    let memory = logs
        .iter()
        .fold(Memory::new(), |memory, log| memory.partition(Arc::new(log.clone()), &[1, 7, 3]));
    let mut job = Job::new("watch", |flow| {
        describe(flow);
        Ok(())
    });
    job.sources.insert("events".into(), BoundSource::new(Arc::new(memory)));
    if engine == Engine::Differential {
        job.settings.differential.extend(["alerts".into(), "counts".into()]);
    }
    let [counts, alerts] = ["counts", "alerts"].map(|name| {
        let view = View { name: name.into(), schema: Default::default(), key: vec![], stamp: None };
        let collector = Collector::default();
        let sink = BoundSink::new(name, collector.sink(&view));
        assert_eq!(sink.rows, Accepts::Updates);
        job.sinks.insert(name.into(), vec![sink]);
        collector
    });
    assert_eq!(job.schemas().unwrap().len(), 2);
    run(vec![Arc::new(job)], &Workers::threads(threads), &Stop::new()).unwrap();
    assert!(counts.log().iter().any(|(mark, _)| mark.change == Change::Upsert));
    let log = alerts.log();
    assert!(log.iter().all(|(mark, _)| mark.change == Change::Final));
    let mut found: Vec<_> = log.iter().map(|(_, cells)| alert(cells)).collect();
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    found
}

fn alert(cells: &[Cell]) -> (String, String, i64, f64) {
    match cells {
        [
            Cell::Text(alert),
            Cell::Text(system),
            Cell::Text(view),
            Cell::Time(start),
            Cell::Time(end),
            Cell::Text(key),
            Cell::F64(value),
            Cell::F64(threshold),
            Cell::Text(severity),
        ] => {
            assert_eq!(
                (system.as_str(), view.as_str(), severity.as_str()),
                ("watch", "counts", "warning")
            );
            assert_eq!(end.seconds() - start.seconds(), 60);
            assert_eq!(*threshold, if alert == "of_one" { MANY_OF_ONE } else { MANY_OF_ALL });
            (alert.to_string(), key.to_string(), start.seconds(), *value)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn alerts_of_several_windows_are_one_view_and_the_same_with_any_number_of_workers() {
    let logs = logs();
    let expect = expected(&logs);
    let both = ["of_one", "of_all"].map(|name| expect.iter().filter(|row| row.0 == name).count());
    assert!(both.iter().all(|count| 4 < *count), "{both:?}");
    for threads in [1, 2, 4] {
        for engine in [Engine::Hash, Engine::Differential] {
            let found = raised(&logs, threads, engine);
            assert_eq!(found, expect, "{threads} workers, {engine:?}");
        }
    }
}

#[test]
fn windows_of_different_kinds_and_events_without_any_fill_one_view() {
    let rows = Example::flow([("a", 0, 5), ("a", 61, 7)], |flow| {
        let events = flow.source("events", seconds(10), Example::time);
        let sizes: [Windows; 2] =
            [Tumbling::new(minutes(1)).into(), Sliding::new(minutes(2), minutes(1)).into()];
        for windows in sizes {
            let counts = events.window(windows).accumulate(|_| Count::one());
            counts
                .rows(|(), window, count| Event {
                    key: "w".into(),
                    time: Some(window.start),
                    value: count.get(),
                })
                .filter(|row| row.time.is_some_and(|time| 0 <= time.seconds()))
                .sink("all");
        }
        events.sink("all");
    });
    assert_eq!(
        rows,
        [
            "all a 00:00 5",
            "all a 01:01 7",
            "all w 00:00 1",
            "all w 00:00 2",
            "all w 01:00 1",
            "all w 01:00 1",
        ],
    );
}

#[test]
fn operators_that_fill_one_view_have_names_of_their_own() {
    let flow = Flow::new(Settings::default());
    describe(&flow);
    let events: Stream<Event> = flow.source("events", seconds(10), Example::time);
    let all = events.window(Tumbling::new(minutes(2))).accumulate(|_| Count::one());
    all.alert(Alert::above("of_two", Some(1.0)), "counts", &[], |count| count.get() as f64);
    let mut plan = flow.take();
    let names: Vec<String> = Operator::all(&mut plan, &Default::default())
        .iter()
        .map(|operator| operator.place.to_string())
        .collect();
    assert_eq!(names, ["counts", "alerts", "alerts (2)"]);
    assert_eq!(plan.view_names(), ["alerts", "counts"]);
    assert_eq!(plan.parts("alerts").count(), 3);
}

#[test]
fn nothing_is_raised_where_nobody_takes_it() {
    let read = |settings: Settings, text: &str| -> Result<Alert> {
        let flow = Flow::new(settings);
        let mut parameters = Parameters::new(&text.parse().unwrap());
        let mut alerts = flow.alerts(&mut parameters)?;
        let alert = alerts.below("low", 5.0)?;
        parameters.finish()?;
        Ok(alert)
    };
    let bound = |text: &str| read(Settings::default(), text);
    assert_eq!(bound("").unwrap(), Alert::below("low", Some(5.0)));
    assert_eq!(bound("alerts.low = 0").unwrap(), Alert::below("low", Some(0.0)));
    assert!(!bound("alerts.low = 'off'").unwrap().is_on());
    assert!(!bound("alerts.enabled = false").unwrap().is_on());
    let unbound = Settings { alerts: false, ..Settings::default() };
    assert!(!read(unbound.clone(), "alerts.low = 1").unwrap().is_on());
    // A mistake is one, also where nobody would see it.
    for settings in [Settings::default(), unbound] {
        let error = read(settings, "alerts.low.critical = -1").unwrap_err().to_string();
        assert!(error.contains("`alerts.low.critical` must be a number"), "{error}");
        assert!(error.contains("hint: leave it out for off"), "{error}");
    }
    assert!(bound("alerts.enabled = 'maybe'").is_err());
}

#[test]
fn a_view_of_two_kinds_of_rows_is_refused_with_the_way_out() {
    let check = |describe: &dyn Fn(&Stream<Event>), part: &str| {
        let flow = Flow::new(Settings::default());
        describe(&flow.source("events", seconds(0), Example::time));
        let errors: Vec<String> = flow.take().errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(part) && errors[0].contains("hint: "), "{errors:?}");
    };
    let counts = |events: &Stream<Event>| {
        events.window(Tumbling::new(seconds(1))).accumulate(|_| Count::one()).rows(Example::row)
    };
    check(
        &|events| {
            events.sink("v");
            counts(events).sink("v");
        },
        "two views are called `v`, of different columns: key text, time ts, value i64; ",
    );
    check(
        &|events| {
            counts(events).sink("v");
            counts(events).updates().sink("v");
        },
        "two views are called `v`, of which one shows updates",
    );
    check(
        &|events| {
            let view = events.window(Tumbling::new(seconds(1))).accumulate(|_| Count::one());
            let view = view.rows(|(), _, _| Event::default()).updates().view();
            view.sink("v");
            view.sink("v");
        },
        "two views are called `v`, of which one is a table",
    );
    check(&|events| events.sink("alerts"), "a view is called `alerts` and holds other rows");
    check(
        &|events| {
            let alert = Alert::above("a", None);
            drop(counts(events).alert(alert, "v", &["name"], |_| 0.0));
        },
        "the key of view `v` has 0 columns, and alert `a` names 1",
    );
}

#[test]
fn a_key_is_an_object_of_its_columns() {
    use crate::row::Field;
    use crate::sink::text::JsonNames;
    fn check<K: Field>(key: K, names: &[&str], expect: &str) {
        assert_eq!(super::object(&JsonNames::new(names.iter().copied()), &key), expect);
    }
    check((), &[], "{}");
    check(Some(crate::text::Text::from("a\"b")), &["user"], r#"{"user":"a\"b"}"#);
    check(None::<crate::text::Text>, &["user"], r#"{"user":null}"#);
    check((7_i64, Some(true)), &["n", "is_on"], r#"{"n":7,"is_on":true}"#);
    let time = crate::time::Time::from_seconds(0);
    let window = crate::window::Window { start: time, end: time };
    check(
        (window, "x".to_owned()),
        &["from", "to", "name"],
        r#"{"from":"1970-01-01T00:00:00.000000Z","to":"1970-01-01T00:00:00.000000Z","name":"x"}"#,
    );
}
