//! The systems that Highwater replaces, as dataflows.

pub mod archive;
pub mod campus;
pub mod chat;
pub mod elearning;
#[cfg(test)]
mod files;
pub mod market;
#[cfg(test)]
mod play;
pub mod shop;

use highwater::config::{ENVIRONMENT, Parameters};
use highwater::error::Result;
use highwater::runtime::Dataflow;
use highwater::stream::Flow;

#[doc = include_str!("../docs/guide/add-a-view.md")]
#[doc = include_str!("../docs/guide/your-own-job.md")]
pub mod guide {}

/// All dataflows; the first one is the default, the others are in the order of systems and names.
pub const DATAFLOWS: &[Dataflow] = &[
    Dataflow {
        name: "chat",
        system: "chat",
        about: "chat of live streams: a summary per minute, every ten seconds, and its spikes",
        file: ("chat.toml", include_str!("chat.toml")),
        overlays: &[
            ("chat.kafka.toml", include_str!("chat.kafka.toml")),
            ("chat.latency.toml", include_str!("chat.latency.toml")),
            ("chat.throughput.toml", include_str!("chat.throughput.toml")),
        ],
        compat: "[parameters]\n\"zscore.baseline\" = \"inclusive\"\n\
                 top_emotes = \"alphabetical\"\n\"windows.from_config\" = \"off\"\n",
        environment: ENVIRONMENT,
        by_name: false,
        entry: chat::entry,
    },
    Dataflow { by_name: true, ..campus("archive", ARCHIVE, archive::education) },
    campus(
        "speed",
        "users, courses, videos, scores, sessions of a platform, as tables",
        campus::entry,
    ),
    Dataflow { by_name: true, ..elearning("archive", ARCHIVE, elearning::archive) },
    elearning("assessment", "submissions, quizzes, and what is graded", elearning::assessment),
    elearning("auth", "who is active, logs in, and fails to", elearning::auth),
    elearning("course", "enrolments, materials that are opened, downloads", elearning::course),
    elearning(
        "profile_notification",
        "updates of profiles; notifications that are sent, opened and clicked",
        elearning::profile_notification,
    ),
    elearning("video", "who watches what, how long, and to the end", elearning::video),
    Dataflow {
        name: "market",
        system: "market",
        about: "prices, prediction markets, correlations, and how good the data are",
        file: ("market.toml", include_str!("market.toml")),
        overlays: &[
            ("market.kafka.toml", include_str!("market.kafka.toml")),
            ("market.latency.toml", include_str!("market.latency.toml")),
            ("market.throughput.toml", include_str!("market.throughput.toml")),
        ],
        compat: "[parameters]\nlast = \"arrival\"\nbook.depth = \"text\"\n\
                 trades.rows = \"priced\"\nhbase.numbers = \"python\"\n",
        environment: ENVIRONMENT,
        by_name: false,
        entry: market::entry,
    },
    Dataflow {
        name: "events",
        system: "shop",
        about: "events of an e-commerce site: counts, activity, purchases, sessions, devices",
        file: ("shop.toml", include_str!("shop.toml")),
        overlays: &[
            ("shop.kafka.toml", include_str!("shop.kafka.toml")),
            ("shop.parquet.toml", include_str!("shop.parquet.toml")),
        ],
        compat: "[parameters]\nlists = \"arrival\"\nsession_metrics = \"tumbling\"\n\
                 device_stats.window = \"struct\"\n\
                 [view.device_stats]\nkey = [\"device\", \"location\", \"window.start\"]\n",
        environment: ENVIRONMENT,
        by_name: false,
        entry: shop::entry,
    },
];

/// What the jobs `archive` do.
const ARCHIVE: &str = "a raw copy of every record; runs when it is named";

/// A job of the campus; its jobs share their files.
const fn campus(
    name: &'static str,
    about: &'static str,
    entry: fn(&Flow, &mut Parameters) -> Result<()>,
) -> Dataflow {
    Dataflow {
        name,
        system: "campus",
        about,
        file: ("campus.toml", include_str!("campus.toml")),
        overlays: &[
            ("campus.archive.toml", include_str!("campus.archive.toml")),
            ("campus.kafka.toml", include_str!("campus.kafka.toml")),
        ],
        compat: "",
        environment: ENVIRONMENT,
        by_name: false,
        entry,
    }
}

/// A job of the e-learning system; its jobs share their files.
const fn elearning(
    name: &'static str,
    about: &'static str,
    entry: fn(&Flow, &mut Parameters) -> Result<()>,
) -> Dataflow {
    Dataflow {
        name,
        system: "elearning",
        about,
        file: ("elearning.toml", include_str!("elearning.toml")),
        overlays: &[
            ("elearning.archive.toml", include_str!("elearning.archive.toml")),
            ("elearning.kafka.toml", include_str!("elearning.kafka.toml")),
            ("elearning.latency.toml", include_str!("elearning.latency.toml")),
            ("elearning.parquet.toml", include_str!("elearning.parquet.toml")),
            ("elearning.s3.toml", include_str!("elearning.s3.toml")),
            ("elearning.throughput.toml", include_str!("elearning.throughput.toml")),
        ],
        compat: "[parameters]\nwindows.from_config = \"off\"\n",
        environment: ENVIRONMENT,
        by_name: false,
        entry,
    }
}
