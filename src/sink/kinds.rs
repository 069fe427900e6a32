//! The list of sink connectors: a visible slice, in the order of their names.

use super::{Accepts, Common, Guarantee, Sink, View, blackhole, console, file, memory};
use crate::config::{SinkBinding, options};
use crate::error::Result;

/// A registered sink connector.
pub struct SinkKind {
    /// Its name: the key of its table in a binding.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Which rows it takes.
    pub accepts: Accepts,
    /// What it promises.
    pub guarantee: Guarantee,
    /// Binds it to a view.
    pub bind: fn(&SinkBinding, &View, &Common) -> Result<Box<dyn Sink>>,
}

/// All sink connectors that this build has.
pub const SINKS: &[SinkKind] = &[
    SinkKind {
        name: "blackhole",
        about: "counts rows and drops them",
        accepts: Accepts::Updates,
        guarantee: Guarantee::AtLeastOnce,
        bind: |binding, view, common| {
            blackhole::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    SinkKind {
        name: "console",
        about: "shows rows on standard output",
        accepts: Accepts::Updates,
        guarantee: Guarantee::AtLeastOnce,
        bind: |binding, view, common| {
            console::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    SinkKind {
        name: "file",
        about: "appends final rows to one file: CSV or JSON lines",
        accepts: Accepts::Final,
        guarantee: Guarantee::AtLeastOnce,
        bind: |binding, view, common| {
            file::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    #[cfg(feature = "kafka")]
    SinkKind {
        name: "kafka",
        about: "writes rows to a topic as JSON, keyed by the view and its key columns",
        accepts: Accepts::Updates,
        guarantee: Guarantee::Idempotent,
        bind: |binding, view, common| {
            super::kafka::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    SinkKind {
        name: "memory",
        about: "keeps rows for tests",
        accepts: Accepts::Updates,
        guarantee: Guarantee::AtLeastOnce,
        bind: |binding, view, common| {
            memory::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    #[cfg(feature = "parquet")]
    SinkKind {
        name: "parquet",
        about: "writes final rows to a folder of Parquet files",
        accepts: Accepts::Final,
        guarantee: Guarantee::AtLeastOnce,
        bind: |binding, view, common| {
            super::parquet::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
    #[cfg(feature = "postgres")]
    SinkKind {
        name: "postgres",
        about: "upserts rows into a table of PostgreSQL by the key of the view",
        accepts: Accepts::Updates,
        guarantee: Guarantee::Idempotent,
        bind: |binding, view, common| {
            super::postgres::open(options(&binding.options, &binding.place)?, view, common)
        },
    },
];

/// Names of the sink connectors.
pub const SINK_NAMES: &[&str] = &{
    let mut names = [""; SINKS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = SINKS[index].name;
        index += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order() {
        assert!(SINK_NAMES.is_sorted(), "{SINK_NAMES:?}");
        assert!(SINK_NAMES.contains(&"console"));
    }
}
