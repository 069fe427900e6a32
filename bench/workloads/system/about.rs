//! What tells the systems apart: events, and what of their views is compared with Spark's.
//!
//! An engine may look at the time of events only behind the filters of a view, so the events that
//! close windows pass, one or another, each filter of each view over their topic.

use super::System;

/// A system, for the harness.
pub(super) struct About {
    /// Its topics, in the order of the data set.
    pub(super) ports: &'static [Port],
    /// Options of its data set.
    pub(super) options: &'static str,
    /// Events of all topics in a second of event time.
    pub(super) rate: u32,
    /// Settings of its job.
    pub(super) settings: &'static str,
    /// Keys of views that have none in the job file.
    pub(super) keys: &'static [(&'static str, &'static [&'static str])],
    /// Views, and columns of others, that are not compared, and why.
    pub(super) unlike: &'static [(&'static str, &'static str)],
    /// Columns that hold distinct counts, in the order of names.
    pub(super) estimated: &'static [&'static str],
}

/// A topic, for the harness.
pub(super) struct Port {
    /// The name of its source in the jobs.
    pub(super) source: &'static str,
    /// Its short name in the data set.
    pub(super) topic: &'static str,
    /// Events that close its windows; `@time` and `@millis` stand for when.
    pub(super) closing: &'static [&'static str],
}

/// A source with the name of its topic.
const fn port(source: &'static str, closing: &'static [&'static str]) -> Port {
    Port { source, topic: source, closing }
}

/// An event of the last moment, by a user who does nothing else.
macro_rules! by_nobody {
    ($($fields:literal),+) => {
        concat!(r#"{"timestamp":"@time","user_id":"nobody","#, $($fields,)+ "}")
    };
}

const SILENT: &str = "[parameters]\nalerts.enabled = false\n";

impl System {
    pub(super) fn about(self) -> &'static About {
        match self {
            System::Campus => &CAMPUS,
            System::Chat => &CHAT,
            System::Elearning => &ELEARNING,
            System::Market => &MARKET,
            System::Shop => &SHOP,
        }
    }
}

static CHAT: About = About {
    ports: &[
        port("chat", &[by_nobody!(r#""stream_id":"none","message":"none","emotes":["none"]"#)]),
        Port {
            source: "viewers",
            topic: "viewer",
            closing: &[r#"{"timestamp":"@time","stream_id":"none","viewer_count":1}"#],
        },
    ],
    options: "dialect = \"job\"\nkeys = 20\nnegative = 0.2\n",
    rate: 1_000,
    settings: SILENT,
    keys: &[],
    unlike: &[
        ("chat_summary_minute.z_score", RANKS),
        ("chat_summary_minute.is_anomaly", RANKS),
        ("moments", RANKS),
    ],
    estimated: &["unique_chatters"],
};

const RANKS: &str = "Spark refuses a stream that is compared with its own earlier rows";

/// The same two events in each topic: most views are over all of them.
const CAMPUS_CLOSING: &[&str] = &[
    by_nobody!(r#""event_type":"LOGIN""#),
    by_nobody!(
        r#""event_category":"VIDEO","event_type":"VIDEO_WATCHED","#,
        r#""course_id":"none","video_id":"none","assignment_id":"none","#,
        r#""watch_duration_seconds":1"#
    ),
];

static CAMPUS: About = About {
    ports: &[
        port("auth", CAMPUS_CLOSING),
        port("assessment", CAMPUS_CLOSING),
        port("video", CAMPUS_CLOSING),
        port("course", CAMPUS_CLOSING),
        port("profile", CAMPUS_CLOSING),
        port("notification", CAMPUS_CLOSING),
    ],
    options: "",
    rate: 1_000,
    settings: "",
    keys: &[],
    unlike: &[],
    estimated: &[
        "active_students",
        "active_users",
        "distinct_event_types",
        "unique_students",
        "unique_users",
        "unique_viewers",
    ],
};

static ELEARNING: About = About {
    ports: &[
        port("auth", &[by_nobody!(r#""action":"LOGIN","success":false"#)]),
        port(
            "assessment",
            &[
                by_nobody!(r#""action":"SUBMIT_ASSIGNMENT","assignment_id":"none""#),
                by_nobody!(r#""action":"GRADE_ASSIGNMENT","assignment_id":"none""#),
                by_nobody!(r#""action":"START_QUIZ","quiz_id":"none""#),
            ],
        ),
        port(
            "video",
            &[by_nobody!(r#""action":"START_VIDEO","video_id":"none","watch_duration_seconds":1"#)],
        ),
        port(
            "course",
            &[
                by_nobody!(r#""action":"ENROLL_COURSE""#),
                by_nobody!(r#""action":"ACCESS_MATERIAL","material_id":"none""#),
                by_nobody!(r#""action":"DOWNLOAD_RESOURCE","resource_id":"none""#),
            ],
        ),
        port("profile", &[by_nobody!(r#""action":"UPDATE_PROFILE","field_name":"none""#)]),
        port(
            "notification",
            &[by_nobody!(r#""action":"SEND_NOTIFICATION","notification_id":"none""#)],
        ),
    ],
    options: "",
    rate: 1_000,
    settings: SILENT,
    keys: &[],
    unlike: &[],
    estimated: &[
        "active_courses",
        "active_students",
        "active_users",
        "avg_interactions_per_student",
        "concurrent_viewers",
        "distinct_actions",
        "students_graded",
        "students_submitted",
        "unique_assignments",
        "unique_downloaders",
        "unique_fields_updated",
        "unique_materials_accessed",
        "unique_notification_types",
        "unique_recipients",
        "unique_resources_downloaded",
        "unique_students",
        "unique_types",
        "unique_users",
        "unique_viewers",
        "users_updated_profile",
        "videos_watched",
    ],
};

static MARKET: About = About {
    ports: &[
        port(
            "binance",
            &[r#"{"timestamp":@millis,"snapshot_time":@millis,"symbol":"NONE","close":1.0}"#],
        ),
        port(
            "polymarket_trade",
            &[
                r#"{"timestamp":"@millis","event_type":"book","market":"-","bids":[],"asks":[]}"#,
                concat!(
                    r#"{"timestamp":"@millis","event_type":"last_trade_price","#,
                    r#""market":"none","price":"0.5","size":"1"}"#
                ),
            ],
        ),
        port("polymarket_metadata", &[]),
    ],
    options: "profile = \"full\"\n",
    rate: 100,
    settings: SILENT,
    keys: &[],
    unlike: &[
        (
            "binance.usdt_volume_traded",
            "Spark refuses the join with candles, whose windows no watermark closes",
        ),
        ("asset_correlation", "Spark refuses a stream that is compared with its own earlier rows"),
        ("data_quality", "Spark refuses to look for the record before, as duplicates and gaps do"),
        ("market_correlation", "its rows change as metadata come, and Spark has final rows alone"),
    ],
    estimated: &[],
};

static SHOP: About = About {
    ports: &[port(
        "events",
        &[
            by_nobody!(r#""event_id":"none","event_type":"purchase""#),
            by_nobody!(r#""event_id":"none","event_type":"product_review""#),
        ],
    )],
    options: "profile = \"full\"\nsessions = \"real\"\n",
    rate: 1_000,
    settings: SILENT,
    keys: &[("raw_events", &["event_id"])],
    unlike: &[("raw_events.processing_time", "it says when a row was written")],
    estimated: &["unique_buyers", "unique_reviewers", "unique_sessions", "unique_users"],
};
