//! The alert about logins, and what binds it.

use std::sync::Arc;

use highwater::config::{Config, Kinds};
use highwater::runtime::{Surroundings, bind_all, wall_time};
use highwater::sink::kinds::SINK_NAMES;
use highwater::source::kinds::SOURCE_NAMES;

use super::played_with;
use crate::DATAFLOWS;

#[test]
fn more_than_a_fifth_of_the_logins_of_a_minute_fail() {
    let logins = |minute: u32, failed: u32, all: u32| {
        (0..all).map(move |second| {
            let success = failed <= second;
            format!("12:{minute:02}:{second:02} login success={success} user_id=u{second}")
        })
    };
    // Exactly a fifth; just above it; just below it; what is no login; what does not say.
    let mut lines: Vec<String> =
        logins(0, 2, 10).chain(logins(1, 12, 59)).chain(logins(2, 11, 56)).collect();
    lines.extend(["12:03:00 search success=false".into(), "12:03:01 login success=true".into()]);
    lines.extend(["12:04:00 login".into(), "12:04:01 login success=false".into()]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let alerts = |arguments: &str| played_with(arguments, false, &lines).finals("alerts");
    let name = "shop.login_failures played alerts";
    assert_eq!(
        alerts(""),
        [
            format!("{name} 12:01 12:02 {{}} 0.2033898305084746 0.2 warning"),
            format!("{name} 12:04 12:05 {{}} 0.5 0.2 warning"),
        ],
    );
    assert_eq!(alerts("alerts.shop.login_failures = 0.49").len(), 1);
    assert_eq!(alerts("alerts.shop.login_failures = 0.5").len(), 0);
}

/// A job file of its own, laid over nothing.
fn bound(sinks: &str) -> (Vec<String>, usize) {
    let dataflow = DATAFLOWS.iter().find(|dataflow| dataflow.system == "shop").unwrap();
    let text =
        format!("dataflow = 'shop'\n[source.events]\nfile = {{ path = 'events.jsonl' }}\n{sinks}");
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    let config = Config::load(kinds, &[("own.toml", &text)], &[], &[], &|_| None).unwrap();
    let around = Surroundings {
        generators: &[],
        now: Arc::new(wall_time),
        dataflows: DATAFLOWS,
        threads: 1,
        latency: false,
        from: None,
    };
    let (job, mistakes) = bind_all(dataflow, &config, &around);
    assert_eq!(mistakes, []);
    let job = job.unwrap();
    let roots = job.plan().unwrap().roots.len();
    (job.sinks.keys().map(ToString::to_string).collect(), roots)
}

#[test]
fn alerts_are_bound_by_name_and_not_computed_otherwise() {
    let all = "[sink.'*']\nblackhole = {}\n";
    let (views, windows) = bound(all);
    assert!(!views.contains(&"alerts".into()), "{views:?}");
    let (more, also) = bound(&format!("{all}[sink.alerts]\nconsole = {{}}\n"));
    assert_eq!((more.len(), also), (views.len() + 1, windows + 1));
    assert!(more.contains(&"alerts".into()), "{more:?}");
}
