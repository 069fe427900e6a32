//! The job files of all systems: each overlay can be bound. Helpers for those of one system.

use std::sync::Arc;

use highwater::config::{Config, Kinds};
use highwater::error::{Error, Result};
use highwater::runtime::{Dataflow, Job, Surroundings, bind_all, wall_time};
use highwater::sink::kinds::SINK_NAMES;
use highwater::source::kinds::SOURCE_NAMES;

use crate::DATAFLOWS;

/// The first job of a system.
pub(crate) fn job_of(system: &str) -> &'static Dataflow {
    DATAFLOWS.iter().find(|dataflow| dataflow.system == system).unwrap()
}

/// The configuration of a job with some of its overlays, of which `--compat` is one.
///
/// What overlays say can be read without the features that their sinks need.
pub(crate) fn config(
    dataflow: &Dataflow,
    overlays: &[&str],
    sets: &[&str],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config> {
    let mut files = vec![dataflow.file];
    let compat = ("--compat", dataflow.compat);
    for name in overlays {
        let mut known = dataflow.overlays.iter().chain([&compat]);
        files.push(*known.find(|(overlay, _)| overlay == name).unwrap());
    }
    let mut sinks = SINK_NAMES.to_vec();
    let optional = ["kafka", "parquet"].into_iter().filter(|name| !SINK_NAMES.contains(name));
    sinks.extend(optional);
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: sinks.leak() };
    let sets: Vec<String> = sets.iter().map(|set| (*set).into()).collect();
    Config::load(kinds, &files, &[], &sets, env)
}

/// The job, or what is wrong with its binding.
pub(crate) fn bound(
    dataflow: &'static Dataflow,
    config: &Config,
) -> std::result::Result<Job, Vec<Error>> {
    let around = Surroundings {
        generators: highwater_datasets::GENERATORS,
        now: Arc::new(wall_time),
        dataflows: DATAFLOWS,
        threads: 2,
        latency: false,
        from: None,
    };
    let (job, mistakes) = bind_all(dataflow, config, &around);
    job.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

#[test]
fn every_overlay_can_be_laid_over_the_file_of_its_job() {
    for dataflow in DATAFLOWS {
        check(dataflow, &[]);
        check(dataflow, &["--compat"]);
        let kafka = format!("{}.kafka.toml", dataflow.system);
        for (overlay, _) in dataflow.overlays {
            let needs_parquet = overlay.contains("archive") || overlay.contains("parquet");
            let needs_s3 = overlay.contains("s3");
            if needs_parquet && !cfg!(feature = "parquet") || needs_s3 && !cfg!(feature = "s3") {
                continue;
            }
            let tunes = ["latency", "throughput"].iter().any(|word| overlay.contains(word));
            let below = tunes.then_some(kafka.as_str());
            check(dataflow, &below.into_iter().chain([*overlay]).collect::<Vec<_>>());
        }
    }
}

fn check(dataflow: &'static Dataflow, overlays: &[&str]) {
    let config = config(dataflow, overlays, &[], &|_| None);
    let mistakes = config.map(|config| bound(dataflow, &config).err().unwrap_or_default());
    assert_eq!(mistakes, Ok(vec![]), "{} with {overlays:?}", dataflow.name);
}
