//! The job files: the job can be bound with them.

use highwater::config::Config;
use highwater::time::{minutes, seconds};

use crate::files::{self, bound, job_of};

/// The configuration with some overlays; the variable `OUTPUT_PATH` is `/out`.
fn config(overlays: &[&str], sets: &[&str]) -> Config {
    let env = |name: &str| (name == "OUTPUT_PATH").then(|| "/out".into());
    files::config(job_of("shop"), overlays, sets, &env).unwrap()
}

#[test]
fn the_job_is_bound_to_kafka_and_files() {
    // Whether rows can be written to Kafka, that connector's own tests tell.
    let config = config(&["shop.kafka.toml"], &["sink.alerts.blackhole={}"]);
    let job = bound(job_of("shop"), &config).unwrap();
    assert_eq!(job.plan().unwrap().sources[0].lateness.delay(), minutes(5));
    assert_eq!(job.sinks.len(), 8);
    for view in job.sinks.keys().filter(|view| *view != "alerts") {
        let sink = &config.sinks(view).unwrap()[0];
        assert_eq!(sink.options["path"].as_str(), Some(&*format!("/out/{view}.jsonl")));
        assert_eq!(sink.trigger_interval, Some(seconds(30)), "{view}");
        let stamp = (view == "raw_events").then_some("processing_time");
        assert_eq!(sink.stamp.as_deref(), stamp, "{view}");
    }
    let source = config.source("events").unwrap();
    assert_eq!(source.options["topic"].as_str(), Some("streaming-events"));
    assert_eq!(source.max_offsets_per_trigger, Some(10_000));
}

#[test]
fn files_of_parquet_lie_over_those_of_json() {
    let config = config(&["shop.kafka.toml", "shop.parquet.toml"], &[]);
    for view in ["raw_events", "device_stats"] {
        let sink = &config.sinks(view).unwrap()[0];
        assert_eq!(sink.kind, "parquet");
        assert_eq!(sink.options["path"].as_str(), Some(&*format!("/out/{view}")));
    }
    assert_eq!(config.sinks("raw_events").unwrap()[0].stamp.as_deref(), Some("processing_time"));
}
