//! The five systems, and the events that are generated for them: in disorder, late, repeated, cut
//! short and without a time.

use std::path::Path;
use std::time::Duration;

use super::{config, dataflows, jobs};
use crate::binary::highwater;
use crate::cluster::support::Running;

const LIMIT: Duration = Duration::from_secs(60);

/// A system, and what there is to read.
pub(crate) struct System {
    pub(crate) name: &'static str,
    /// Worker threads of each process.
    pub(crate) threads: &'static str,
    /// Data sets, in the order in which they are written, and their options.
    pub(crate) generated: &'static [(&'static str, &'static str)],
    /// The topic that is read to its end before the others are written.
    pub(crate) first: Option<&'static str>,
    /// A document that says nothing but when it happened.
    pub(crate) last: &'static str,
}

pub(crate) const SYSTEMS: [System; 5] = [
    System {
        name: "chat",
        threads: "2",
        generated: &[
            ("chat.chat", "--events 2500 --rate 5 --keys 8 --burst 2m --late-by 30s"),
            ("chat.viewer", "--events 500 --rate 1 --keys 8"),
        ],
        first: None,
        last: r#"{"timestamp":"2026-01-09T12:00:00Z"}"#,
    },
    System {
        name: "elearning",
        threads: "1",
        generated: &[("elearning", "--events 4000 --rate 2")],
        first: None,
        last: r#"{"timestamp":"2026-01-09 12:00:00"}"#,
    },
    System {
        name: "campus",
        threads: "2",
        generated: &[("campus", "--events 3000 --rate 1 --keys 30")],
        first: None,
        last: r#"{"timestamp":"2026-01-09 19:00:00"}"#,
    },
    System {
        name: "market",
        threads: "2",
        generated: &[
            ("market.polymarket_metadata", "--events 20 --rate 0.01"),
            ("market.binance", "--events 2000 --rate 2 --partitions 3 --profile full"),
            ("market.polymarket_trade", "--events 1000 --rate 1 --partitions 3 --profile full"),
        ],
        first: Some("polymarket_metadata"),
        last: r#"{"timestamp":"1767960000000","snapshot_time":1767960000000}"#,
    },
    System {
        name: "shop",
        threads: "1",
        generated: &[("shop", "--events 3000 --rate 1 --profile full --sessions real")],
        first: None,
        last: r#"{"timestamp":"2026-01-09T12:00:00Z"}"#,
    },
];

/// A port of a system, its topic, and the group that the topic is read as.
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) group: String,
}

/// What is wrong with the records on purpose.
const FAULTS: &str = "--disorder 90s --late 0.05 --duplicates 0.01 --bad-json 0.01 --no-time 0.01";

impl System {
    /// Runs `highwater generate` to its end.
    pub(crate) fn generate(&self, dir: &Path, data_set: &str, options: &str, target: &[&str]) {
        let mut command = highwater();
        command.args(["generate", data_set, "--seed", "11", "--start", "2026-01-01T00:00:00Z"]);
        command.args(FAULTS.split(' ')).args(options.split(' ')).arg("--unpaced").args(target);
        let ended = Running::start(command, dir, "generate").end(LIMIT);
        assert_eq!(ended.code, Some(0), "{data_set}: {}", ended.err);
    }

    /// The views, and whether they change without end.
    pub(crate) fn views(&self) -> Vec<(String, bool)> {
        let plans = jobs(self.name, &[]).into_iter().map(|job| job.plan().unwrap());
        let views = plans.flat_map(|plan| {
            let views = plan.sunk().map(|port| (port.view.to_string(), port.is_table()));
            views.collect::<Vec<_>>()
        });
        views.collect()
    }

    /// Writes the events of all data sets into files of a folder, one a partition.
    pub(crate) fn generate_files(&self, dir: &Path, topics: &Path) {
        for (data_set, options) in self.generated {
            self.generate(dir, data_set, options, &["--files", &topics.to_string_lossy()]);
        }
    }

    /// Settings that bind the sources to such files.
    pub(crate) fn bound_to_files(&self, topics: &Path) -> Vec<String> {
        let sources = self.ports().into_iter().map(|Port { name, topic, .. }| {
            let path = topics.join(format!("{topic}-*.jsonl"));
            format!("source.\"{name}\"={{file={{path={path:?}}}}}")
        });
        sources.collect()
    }

    /// The sources of all jobs.
    pub(crate) fn ports(&self) -> Vec<Port> {
        let mut ports = Vec::new();
        for (dataflow, job) in dataflows(self.name).zip(jobs(self.name, &[])) {
            let name = format!("{}.kafka.toml", self.name);
            let overlay = dataflow.overlays.iter().find(|(overlay, _)| *overlay == name).unwrap();
            let config = config(dataflow, &[*overlay]);
            ports.extend(job.sources.keys().map(|port| {
                let options = config.source(port).unwrap().options;
                let option = |name: &str| options[name].as_str().unwrap().to_owned();
                let (topic, group) = (option("topic"), option("group"));
                Port { name: port.to_string(), topic, group }
            }));
        }
        ports
    }
}
