//! The binary `bench-highwater`: the command line of Highwater with the dataflows that are measured.
//!
//! ```text
//! bench-highwater run count -c job.toml
//! ```

use std::process::ExitCode;

use highwater::prelude::*;
use highwater::runtime::Dataflow;
use highwater_bench::workloads::plays::Play;

/// Events of each video and minute.
fn count(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.video_id.clone())
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, events| Counted { key, start: start_ms(window), events })
        .updates()
        .sink("rows");
    Ok(())
}

/// Events and distinct users of each kind, in five minutes, every minute.
fn distinct(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
        users: i64,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.event_type.clone())
        .window(Sliding::new(minutes(5), minutes(1)))
        .accumulate(|play| (Count::one(), Distinct::of(&play.user_id)))
        .rows(|key, window, (events, users)| {
            let users: Distinct<Text> = users;
            Counted { key, start: start_ms(window), events, users: users.get() }
        })
        .updates()
        .sink("rows");
    Ok(())
}

/// Events of each video in ten seconds, and when the latest of them was planned.
fn latest(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
        planned_us: Max<i64>,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.video_id.clone())
        .window(Tumbling::new(seconds(10)))
        .accumulate(|play| (Count::one(), Max::of(play.planned_us)))
        .rows(|key, window, (events, planned_us)| Counted {
            key,
            start: start_ms(window),
            events,
            planned_us,
        })
        .updates()
        .sink("rows");
    Ok(())
}

fn start_ms(window: Window) -> i64 {
    window.start.micros() / 1_000
}

const fn over_plays(
    name: &'static str,
    about: &'static str,
    entry: fn(&Flow, &mut Parameters) -> Result<()>,
    file: &'static str,
) -> Dataflow {
    Dataflow {
        name,
        system: "bench",
        about,
        file: ("plays.toml", file),
        overlays: &[],
        compat: "",
        environment: &[],
        by_name: false,
        entry,
    }
}

/// A job file: the topics come with an overlay.
macro_rules! job_file {
    ($name:literal) => {
        concat!(
            "dataflow = \"",
            $name,
            "\"\n[source.plays]\nkafka = { topic = \"plays\", brokers = \"localhost:9092\" }\n",
            "[view.rows]\nkey = [\"key\", \"start\"]\n",
            "[sink.rows]\nkafka = { topic = \"rows\", brokers = \"localhost:9092\" }\n",
        )
    };
}

const DATAFLOWS: &[Dataflow] = &[
    over_plays("count", "events of each video and minute", count, job_file!("count")),
    over_plays("distinct", "events and users of each kind", distinct, job_file!("distinct")),
    over_plays("latest", "the newest event of each video", latest, job_file!("latest")),
];

fn main() -> ExitCode {
    highwater::cli::main(DATAFLOWS, &[])
}
