//! What a dataflow may declare, and with which parameters.

use crate::prelude::*;
use crate::stream::{Plan, Settings};
use crate::testing::Example;

/// A flow with a view `all`, and what it says of its alerts.
fn plan(
    parameters: toml::Table,
    settings: Settings,
    declare: impl Fn(&mut crate::stream::Alerts<'_>) -> Result<()>,
) -> Plan {
    let flow = Flow::new(settings);
    flow.source("events", seconds(10), Example::time).sink("all");
    let mut parameters = Parameters::new(&parameters);
    declare(&mut flow.alerts(&mut parameters).unwrap()).unwrap();
    parameters.finish().unwrap();
    flow.take()
}

/// Each condition, its threshold and the time it measures over.
fn conditions(plan: &Plan) -> Vec<String> {
    let conditions = plan.watches.conditions.iter();
    let line = |condition: &crate::alert::watch::Condition| {
        let threshold = condition.alert.judge(1e300).map(|(threshold, _)| threshold);
        format!("{} {threshold:?} {:?}", condition.alert.name(), condition.over)
    };
    conditions.map(line).collect()
}

fn failed(alerts: &mut crate::stream::Alerts<'_>) -> Result<()> {
    alerts.operational("failed", Measure::FailedEvents, 0.0)
}

#[test]
fn thresholds_and_times_are_parameters() {
    let check = |parameters: toml::Table, expect: &[&str]| {
        let plan = plan(parameters, Settings::default(), failed);
        assert!(plan.errors.is_empty());
        assert_eq!(conditions(&plan), expect);
        assert_eq!(plan.view_names().contains(&"alerts"), !expect.is_empty());
    };
    check(toml::Table::new(), &["failed Some(0.0) 300s"]);
    check(toml::toml! { alerts.failed = 7 }, &["failed Some(7.0) 300s"]);
    let both = toml::toml! { alerts.failed = { warning = 7, over = "2s" } };
    check(both, &["failed Some(7.0) 2s"]);
    check(toml::toml! { alerts.failed = "off" }, &[]);
    check(toml::toml! { alerts.operational = "off" }, &[]);
    check(toml::toml! { alerts.enabled = false }, &[]);
}

#[test]
fn without_a_binding_nothing_is_watched() {
    let settings = Settings { alerts: false, ..Settings::default() };
    assert_eq!(conditions(&plan(toml::Table::new(), settings, failed)), [""; 0]);
}

#[test]
fn an_alert_about_a_view_that_there_is_not_is_a_mistake() {
    let missing = |alerts: &mut crate::stream::Alerts<'_>| {
        alerts.operational("quiet", Measure::NoRows { view: "moments" }, 60.0)
    };
    let plan = plan(toml::Table::new(), Settings::default(), missing);
    let errors: Vec<String> = plan.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("alert `quiet` watches a view `moments`"), "{errors:?}");
}

#[test]
fn the_key_of_a_silence_has_as_many_names_as_columns() {
    let flow = Flow::new(Settings::default());
    let events = flow.source("events", seconds(10), Example::time);
    let mut parameters = Parameters::new(&toml::Table::new());
    let silence = flow.alerts(&mut parameters).unwrap().silence("quiet", 60.0).unwrap();
    events.key_by(|event| event.key.clone()).silence(silence, "all", &["a", "b"], []);
    assert_eq!(flow.take().errors.len(), 1);
}
