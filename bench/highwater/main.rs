//! The binary `bench-highwater`: the command line of Highwater with dataflows that are measured.
//!
//! ```text
//! bench-highwater run count -c job.toml
//! ```

mod nexmark;
mod plays;
#[cfg(test)]
mod tests;
mod transfers;
mod windows;
mod ysb;

use std::process::ExitCode;
use std::sync::LazyLock;

use highwater::prelude::*;
use highwater::runtime::Dataflow;
use highwater_datasets::GENERATORS;

/// As the product.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where a window begins, in milliseconds since 1970, as all engines write it.
fn start_ms(window: Window) -> i64 {
    window.start.micros() / 1_000
}

const fn dataflow(
    name: &'static str,
    about: &'static str,
    entry: fn(&Flow, &mut Parameters) -> Result<()>,
    file: (&'static str, &'static str),
) -> Dataflow {
    Dataflow {
        name,
        system: "bench",
        about,
        file,
        overlays: &[],
        compat: "",
        environment: &[],
        by_name: false,
        entry,
    }
}

/// A job file: the topics come with an overlay. Rows are told apart by the key, if they have one.
macro_rules! job_file {
    ($source:literal, $name:literal $(, $key:literal)*) => {
        (
            concat!($source, ".toml"),
            concat!(
                "dataflow = \"", $name, "\"\n",
                "[source.", $source, "]\n",
                "kafka = { topic = \"", $source, "\", brokers = \"localhost:9092\" }\n",
                "[view.rows]\nkey = [", $("\"", $key, "\", ",)* "]\n",
                "[sink.rows]\n",
                "kafka = { topic = \"rows\", brokers = \"localhost:9092\" }\n",
            ),
        )
    };
}

#[rustfmt::skip]
const DATAFLOWS: &[Dataflow] = &[
    dataflow("count", "events of each video and minute", plays::count,
        job_file!("plays", "count", "key", "start")),
    dataflow("distinct", "events and users of each kind", plays::distinct,
        job_file!("plays", "distinct", "key", "start")),
    dataflow("latest", "the newest event of each video", plays::latest,
        job_file!("plays", "latest", "key", "start")),
    dataflow("q0", "NEXMark: bids as they are", nexmark::q0, job_file!("nexmark", "q0")),
    dataflow("q1", "NEXMark: prices in another currency", nexmark::q1, job_file!("nexmark", "q1")),
    dataflow("q2", "NEXMark: bids on some auctions", nexmark::q2, job_file!("nexmark", "q2")),
    dataflow("q5", "NEXMark: auctions with the most bids", nexmark::q5,
        job_file!("nexmark", "q5", "start", "auction", "window_end")),
    dataflow("q7", "NEXMark: the highest bids", nexmark::q7,
        job_file!("nexmark", "q7",
            "start", "auction", "bidder", "price", "dateTime", "number", "window_end")),
    dataflow("q8", "NEXMark: people who sell at once", nexmark::q8,
        job_file!("nexmark", "q8", "id", "start")),
    dataflow("q11", "NEXMark: bids of a bidder's session", nexmark::q11,
        job_file!("nexmark", "q11", "bidder", "start")),
    dataflow("ysb", "YSB: views of each campaign", ysb::ysb,
        job_file!("ysb", "ysb", "key", "start")),
    dataflow("transfers", "balances that add up to 0", transfers::transfers,
        ("transfers.toml", transfers::JOB_FILE)),
    dataflow("windows", "events, sum and values of each key", windows::windows,
        job_file!("windows", "windows", "key", "start")),
];

/// These, and the systems of the product, which are measured whole.
static ALL: LazyLock<Vec<Dataflow>> =
    LazyLock::new(|| [DATAFLOWS, highwater_dataflows::DATAFLOWS].concat());

fn main() -> ExitCode {
    highwater::cli::main(&ALL, GENERATORS)
}
