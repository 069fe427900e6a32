//! The job files: all five jobs can be bound with them.

use highwater::config::Config;
use highwater::runtime::{Dataflow, Job, notices};
use highwater::time::seconds;

use crate::{DATAFLOWS, files};

fn jobs() -> impl Iterator<Item = &'static Dataflow> {
    DATAFLOWS.iter().filter(|dataflow| dataflow.system == "elearning" && !dataflow.by_name)
}

fn config(
    dataflow: &Dataflow,
    overlays: &[&str],
    sets: &[&str],
    env: &dyn Fn(&str) -> Option<String>,
) -> Config {
    files::config(dataflow, overlays, sets, env).unwrap()
}

fn bound(dataflow: &'static Dataflow, config: &Config) -> Job {
    files::bound(dataflow, config).unwrap()
}

/// The views of a job without its alerts.
fn views(job: &Job) -> Vec<&str> {
    job.sinks.keys().map(|view| view.as_str()).filter(|view| *view != "alerts").collect()
}

#[test]
fn alerts_of_all_jobs_go_to_one_topic_whatever_stands_for_all_views() {
    let check = |overlays: &[&str], sets: &[&str]| {
        for dataflow in jobs() {
            let config = config(dataflow, overlays, sets, &|_| None);
            let job = bound(dataflow, &config);
            let raises = dataflow.name != "profile_notification";
            assert_eq!(job.sinks.contains_key("alerts"), raises, "{}", dataflow.name);
            let sinks = config.sinks("alerts").unwrap();
            assert_eq!((sinks.len(), sinks[0].kind.as_str()), (1, "kafka"));
            assert_eq!(sinks[0].options["topic"].as_str(), Some("elearning.alerts"));
            assert_eq!(sinks[0].stamp.as_deref(), Some("raised_at"));
            let key = ["alert", "view", "window_start", "key"];
            assert_eq!(config.view("alerts").unwrap().key, key);
        }
    };
    check(&["elearning.kafka.toml"], &[]);
    check(&["elearning.kafka.toml", "elearning.parquet.toml"], &[]);
    check(&["elearning.kafka.toml"], &["sink.\"*\".file={path=\"{view}.csv\"}"]);
}

#[test]
fn every_job_is_bound_to_kafka_and_tables() {
    for dataflow in jobs() {
        let config = config(dataflow, &["elearning.kafka.toml"], &[], &|_| None);
        let job = bound(dataflow, &config);
        assert_eq!(views(&job).len(), 5);
        for view in views(&job) {
            let sink = &config.sinks(view).unwrap()[0];
            assert_eq!(sink.options["table"].as_str(), Some(view));
            assert_eq!(sink.stamp.as_deref(), Some("processed_at"));
            assert_eq!(sink.trigger_interval, Some(seconds(30)));
            assert!(config.view(view).unwrap().key.ends_with(&["window_start".into()]));
        }
        for source in job.sources.keys() {
            let source = config.source(source).unwrap();
            assert_eq!(source.options["start"].as_str(), Some("latest"));
            assert_eq!(source.max_offsets_per_trigger, Some(10_000));
        }
    }
}

#[test]
fn the_environment_reaches_sources_sinks_and_windows() {
    let env = |name: &str| {
        let value = match name {
            "KAFKA_BOOTSTRAP_SERVERS" => "broker:1",
            "WATERMARK_DELAY" => "7 seconds",
            "TRIGGER_INTERVAL" => "3 seconds",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let dataflow = jobs().next().unwrap();
    let config = config(dataflow, &["elearning.kafka.toml"], &[], &env);
    let job = bound(dataflow, &config);
    assert_eq!(job.plan().unwrap().sources[0].lateness.delay(), seconds(7));
    assert_eq!(config.source("assessment").unwrap().options["brokers"].as_str(), Some("broker:1"));
    let view = views(&job)[0];
    assert_eq!(config.sinks(view).unwrap()[0].trigger_interval, Some(seconds(3)));
}

#[test]
fn files_for_throughput_and_latency_lie_over_that_for_kafka() {
    let check = |overlay: &str, trigger, size| {
        let dataflow = jobs().find(|dataflow| dataflow.name == "auth").unwrap();
        let config = config(dataflow, &["elearning.kafka.toml", overlay], &[], &|_| None);
        let job = bound(dataflow, &config);
        let sink = &config.sinks("auth_realtime_login_rate").unwrap()[0];
        assert_eq!((sink.kind.as_str(), sink.trigger_interval), ("postgres", Some(trigger)));
        let micro = Some(highwater::window::Tumbling::new(size).into());
        assert!(job.plan().unwrap().roots.iter().any(|root| root.windows == micro));
    };
    check("elearning.throughput.toml", seconds(10), seconds(60));
    check("elearning.latency.toml", seconds(5), seconds(30));
}

#[cfg(feature = "parquet")]
#[test]
fn rows_go_to_a_folder_of_parquet_files_for_each_view() {
    let overlays = ["elearning.kafka.toml", "elearning.parquet.toml"];
    for dataflow in jobs() {
        let config = config(dataflow, &overlays, &[], &|_| None);
        for view in views(&bound(dataflow, &config)) {
            let sink = &config.sinks(view).unwrap()[0];
            assert_eq!(sink.kind, "parquet");
            let folder = format!("realtime_views/{view}");
            assert_eq!(sink.options["path"].as_str(), Some(folder.as_str()));
        }
    }
}

#[cfg(feature = "s3")]
#[test]
fn rows_go_to_the_bucket_that_the_environment_names() {
    let overlays = ["elearning.kafka.toml", "elearning.s3.toml"];
    let check = |env: &dyn Fn(&str) -> Option<String>, path: &str, s3: [&str; 3]| {
        for dataflow in jobs() {
            let config = config(dataflow, &overlays, &[], env);
            for view in views(&bound(dataflow, &config)) {
                let options = &config.sinks(view).unwrap()[0].options;
                assert_eq!(options["path"].as_str(), Some(&*format!("{path}/{view}")));
                let keys = ["endpoint", "access_key", "secret_key"];
                assert_eq!(keys.map(|key| options["s3"][key].as_str().unwrap()), s3);
            }
        }
    };
    let upstream = ["http://minio:9000", "minioadmin", "minioadmin"];
    check(&|_| None, "s3a://bucket-0/realtime_views", upstream);
    let env = |name: &str| {
        let value = match name {
            "OUTPUT_PATH" => "s3://other",
            "MINIO_ENDPOINT" => "https://s3.example",
            "MINIO_ACCESS_KEY" => "writer",
            "MINIO_SECRET_KEY" => "secret",
            _ => return None,
        };
        Some(value.to_owned())
    };
    check(&env, "s3://other", ["https://s3.example", "writer", "secret"]);
}

#[test]
fn the_backlog_is_there_if_it_is_listed() {
    let dataflow = jobs().find(|dataflow| dataflow.name == "assessment").unwrap();
    let sets = [
        "parameters.realtime_views.assessment=['assessment_realtime_grading_backlog']",
        "view.assessment_realtime_grading_backlog.key=['assignment_id']",
        "sink.assessment_realtime_grading_backlog.rows='updates'",
    ];
    let config = config(dataflow, &["elearning.kafka.toml"], &sets, &|_| None);
    let job = bound(dataflow, &config);
    assert_eq!(job.sinks.keys().collect::<Vec<_>>(), ["assessment_realtime_grading_backlog"]);
}

#[test]
fn a_view_that_is_turned_off_may_stay_in_the_files() {
    let sets = ["parameters.realtime_views.profile_notification=\
                 ['notification_realtime_sent_1min']"];
    for dataflow in jobs() {
        let config = config(dataflow, &["elearning.kafka.toml"], &sets, &|_| None);
        let views = views(&bound(dataflow, &config)).len();
        assert_eq!(views, if dataflow.name == "profile_notification" { 1 } else { 5 });
    }
}

#[test]
fn a_setting_without_effect_is_named_by_every_job_in_the_same_words() {
    let sets = ["parameters.spark.shuffle_partitions=100"];
    for dataflow in jobs() {
        let config = config(dataflow, &["elearning.kafka.toml"], &sets, &|_| None);
        assert_eq!(
            notices(dataflow, &config),
            ["the parameter `spark.shuffle_partitions` has no effect: work is sharded by worker"],
        );
        bound(dataflow, &config);
    }
}

#[test]
fn compat_keeps_the_windows_of_the_replaced_system() {
    let dataflow = jobs().find(|dataflow| dataflow.name == "auth").unwrap();
    let sets = ["parameters.windows.micro='30s'"];
    let config = config(dataflow, &["--compat"], &sets, &|_| None);
    let flow = highwater::stream::Flow::new(Default::default());
    (dataflow.entry)(&flow, &mut config.parameters()).unwrap();
    let micro = Some(highwater::window::Tumbling::new(seconds(60)).into());
    assert!(flow.take().roots.iter().any(|root| root.windows == micro));
}
