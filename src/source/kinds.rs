//! The list of source connectors: a visible slice, in the order of their names.

use std::sync::Arc;
use std::time::Duration;

use super::generator::{Generated, Now};
use super::{Connector, Start};
use crate::config::SourceBinding;
use crate::dataset::GeneratorKind;
use crate::error::Result;

/// A registered source connector.
pub struct SourceKind {
    /// Its name: the key of its table in a binding.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Binds it.
    pub bind: fn(&Binding<'_>) -> Result<Bound>,
}

/// What a connector gets to know when it is bound.
pub struct Binding<'a> {
    /// The binding.
    pub config: &'a SourceBinding,
    /// Data sets that can be generated.
    pub generators: &'a [GeneratorKind],
    /// How far in the past a generator begins, so that every view has rows at once.
    pub back: Duration,
    /// The time of day.
    pub now: Now,
    /// Worker threads of this process, which share the limits of a client.
    pub threads: usize,
}

/// A connector that is bound.
pub struct Bound {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// Where the binding says that reading begins.
    pub start: Start,
}

/// All source connectors that this build has.
pub const SOURCES: &[SourceKind] = &[
    SourceKind {
        name: "file",
        about: "JSON lines of files, also of .gz; each is a partition, and the job ends with them",
        bind: |binding| {
            let options = crate::config::options(&binding.config.options, &binding.config.place)?;
            let bytes_max = binding.config.codec.message_bytes_max;
            let connector = super::file::connector(options, bytes_max);
            Ok(Bound { connector: Arc::new(connector), start: Start::Earliest })
        },
    },
    SourceKind {
        name: "generator",
        about: "records of a data set, made here and paced by the clock",
        bind: |binding| {
            let now = binding.now.clone();
            let made = Generated::bind(binding.config, binding.generators, binding.back, now)?;
            Ok(Bound { connector: Arc::new(made), start: Start::Earliest })
        },
    },
    #[cfg(feature = "kafka")]
    SourceKind {
        name: "kafka",
        about: "a topic of Kafka, all partitions of it",
        bind: |binding| {
            let SourceBinding { options, place, queue_bytes_max, data_loss, .. } = binding.config;
            let options: super::kafka::Options = crate::config::options(options, place)?;
            let start = options.start.clone();
            let threads = binding.threads;
            let connector =
                super::kafka::KafkaConnector::new(options, *queue_bytes_max, *data_loss, threads);
            Ok(Bound { connector: Arc::new(connector), start })
        },
    },
];

/// Names of the source connectors.
pub const SOURCE_NAMES: &[&str] =
    if cfg!(feature = "kafka") { &["file", "generator", "kafka"] } else { &["file", "generator"] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_list_in_order() {
        let names: Vec<&str> = SOURCES.iter().map(|kind| kind.name).collect();
        assert_eq!(names, SOURCE_NAMES);
        assert!(names.is_sorted());
    }
}
