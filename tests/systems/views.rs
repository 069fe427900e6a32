//! What the late events of each system meet: logs, and the windows of every view, as the
//! specification has them. Nothing here is taken from the dataflows.
//!
//! A *consumer* is one set of windows over some topics, with the name of the view that it is part
//! of and the events that it wants: what its filter keeps, as often as it counts them.

use serde_json::Value;

use crate::oracle::job::Kind;

/// A system.
pub(super) struct System {
    pub(super) name: &'static str,
    /// Laid over its job file.
    pub(super) parameters: &'static str,
    /// How far its watermarks run behind.
    pub(super) delay_us: i64,
    /// How far its events are out of order, and how late a late one is, at least.
    pub(super) faults: &'static str,
    /// How many records, at least, all windows of a view refuse and another view takes; and how
    /// many some windows of a view refuse and others take.
    pub(super) at_least: (usize, usize),
    /// Whether a view without windows takes every event.
    pub(super) has_raw_view: bool,
    /// Its ports with an event time, their data sets, and the options of these.
    pub(super) sources: &'static [(&'static str, &'static str, &'static str)],
    /// A table, whose records have no event time.
    pub(super) table: Option<(&'static str, &'static str, &'static str)>,
    /// Its windows.
    pub(super) consumers: &'static [Consumer],
}

/// One set of windows.
pub(super) struct Consumer {
    /// The first view of its operator.
    pub(super) view: &'static str,
    /// The ports that it reads.
    pub(super) ports: &'static [&'static str],
    /// Its windows.
    pub(super) kind: Kind,
    /// How many events a record is for it.
    pub(super) wants: fn(&Value) -> u64,
    /// Whether an event belongs where its candle opens, instead of at its event time.
    pub(super) by_opening: bool,
}

const S: i64 = 1_000_000;
const MINUTE: i64 = 60 * S;

const T1: Kind = tumbling(MINUTE);
const T5: Kind = tumbling(5 * MINUTE);
const T10: Kind = tumbling(10 * MINUTE);
/// Five minutes, every minute.
const S5: Kind = sliding(5 * MINUTE, MINUTE);

const fn tumbling(size_us: i64) -> Kind {
    Kind::Tumbling { size_us, offset_us: 0 }
}

const fn sliding(size_us: i64, slide_us: i64) -> Kind {
    Kind::Sliding { size_us, slide_us, offset_us: 0 }
}

const fn of(
    view: &'static str,
    ports: &'static [&'static str],
    kind: Kind,
    wants: fn(&Value) -> u64,
) -> Consumer {
    Consumer { view, ports, kind, wants, by_opening: false }
}

fn all(_: &Value) -> u64 {
    1
}

fn has(event: &Value, field: &str, values: &[&str]) -> bool {
    event[field].as_str().is_some_and(|value| values.contains(&value))
}

fn did(event: &Value, actions: &[&str]) -> u64 {
    has(event, "action", actions).into()
}

fn is(event: &Value, types: &[&str]) -> u64 {
    has(event, "event_type", types).into()
}

/// Whether a field is there and not NULL.
fn some(event: &Value, field: &str) -> bool {
    !event[field].is_null()
}

fn failed_login(event: &Value) -> u64 {
    (has(event, "action", &["LOGIN"]) && event["success"] == false).into()
}

/// The symbols whose pairs the market compares.
fn is_known(candle: &Value) -> u64 {
    has(candle, "symbol", &["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"]).into()
}

pub(super) const CHAT: System = System {
    name: "chat",
    parameters: "threshold = 1.5",
    delay_us: 10 * S,
    faults: "disorder = \"20s\"\nlate_by = \"45s\"",
    at_least: (0, 50),
    has_raw_view: false,
    sources: &[
        ("chat", "chat.chat", "events = 2_500\nrate = 3\nkeys = 4\nburst = \"5m\""),
        ("viewers", "chat.viewer", "events = 600\nrate = 0.8\nkeys = 4"),
    ],
    table: None,
    consumers: &[
        of("chat_summary_minute", &["chat"], sliding(MINUTE, 10 * S), all),
        of("chat_summary_minute", &["viewers"], sliding(MINUTE, 10 * S), all),
    ],
};

const AUTH: &[&str] = &["auth"];
const ASSESSMENT: &[&str] = &["assessment"];
const VIDEO: &[&str] = &["video"];
const COURSE: &[&str] = &["course"];
const PROFILE: &[&str] = &["profile"];
const NOTIFICATION: &[&str] = &["notification"];

pub(super) const ELEARNING: System = System {
    name: "elearning",
    parameters: "",
    delay_us: 2 * MINUTE,
    faults: "disorder = \"90s\"\nlate_by = \"4m\"",
    at_least: (50, 50),
    has_raw_view: false,
    sources: &[
        ("auth", "elearning.auth", "events = 600\nrate = 0.4"),
        ("assessment", "elearning.assessment", "events = 800\nrate = 0.5"),
        ("video", "elearning.video", "events = 800\nrate = 0.5"),
        ("course", "elearning.course", "events = 600\nrate = 0.4"),
        ("profile", "elearning.profile", "events = 300\nrate = 0.2"),
        ("notification", "elearning.notification", "events = 400\nrate = 0.3"),
    ],
    table: None,
    consumers: &[
        of("auth_realtime_active_users_1min", AUTH, T1, all),
        of("auth_realtime_active_users_5min", AUTH, T5, all),
        of("auth_realtime_login_rate", AUTH, T1, |event| did(event, &["LOGIN"])),
        of("auth_realtime_session_activity", AUTH, S5, all),
        of("auth_realtime_failed_logins", AUTH, T1, failed_login),
        of("assessment_realtime_submissions_1min", ASSESSMENT, T1, |event| {
            did(event, &["SUBMIT_ASSIGNMENT"])
        }),
        of("assessment_realtime_active_students", ASSESSMENT, T5, all),
        of("assessment_realtime_quiz_attempts", ASSESSMENT, T5, |event| {
            did(event, &["START_QUIZ", "ANSWER_QUESTION", "COMPLETE_QUIZ"])
        }),
        of("assessment_realtime_grading_queue", ASSESSMENT, T5, |event| {
            did(event, &["SUBMIT_ASSIGNMENT", "GRADE_ASSIGNMENT"])
        }),
        of("assessment_realtime_submission_rate", ASSESSMENT, S5, |event| {
            did(event, &["SUBMIT_ASSIGNMENT"])
        }),
        of("video_realtime_viewers_1min", VIDEO, T1, all),
        of("video_realtime_watch_time_5min", VIDEO, T5, |event| {
            some(event, "watch_duration_seconds").into()
        }),
        of("video_realtime_engagement_rate", VIDEO, T5, all),
        of("video_realtime_popular_videos", VIDEO, T5, all),
        of("video_realtime_concurrent_viewers", VIDEO, S5, |event| {
            did(event, &["START_VIDEO", "WATCH_VIDEO"])
        }),
        of("course_realtime_active_courses_1min", COURSE, T1, all),
        of("course_realtime_enrollment_rate", COURSE, T5, |event| did(event, &["ENROLL_COURSE"])),
        of("course_realtime_material_access_5min", COURSE, T5, |event| {
            did(event, &["ACCESS_MATERIAL"])
        }),
        of("course_realtime_download_activity", COURSE, T5, |event| {
            did(event, &["DOWNLOAD_RESOURCE"])
        }),
        of("course_realtime_engagement_metrics", COURSE, S5, all),
        of("profile_realtime_updates_1min", PROFILE, T1, all),
        of("notification_realtime_sent_1min", NOTIFICATION, T1, |event| {
            did(event, &["SEND_NOTIFICATION"])
        }),
        of("notification_realtime_click_rate_5min", NOTIFICATION, T5, all),
        of("notification_realtime_delivery_status", NOTIFICATION, T5, all),
        of("notification_realtime_engagement_metrics", NOTIFICATION, S5, all),
    ],
};

const ALL: &[&str] = &["auth", "assessment", "video", "course", "profile", "notification"];

pub(super) const CAMPUS: System = System {
    name: "campus",
    parameters: "",
    delay_us: MINUTE,
    faults: "disorder = \"90s\"\nlate_by = \"4m\"",
    at_least: (50, 50),
    has_raw_view: false,
    sources: &[
        ("auth", "campus.auth", "events = 600\nrate = 0.3\nkeys = 30"),
        ("assessment", "campus.assessment", "events = 600\nrate = 0.3\nkeys = 30"),
        ("video", "campus.video", "events = 600\nrate = 0.3\nkeys = 30"),
        ("course", "campus.course", "events = 600\nrate = 0.3\nkeys = 30"),
        ("profile", "campus.profile", "events = 300\nrate = 0.15\nkeys = 30"),
        ("notification", "campus.notification", "events = 300\nrate = 0.15\nkeys = 30"),
    ],
    table: None,
    consumers: &[
        of("active_users", ALL, sliding(MINUTE, 30 * S), |event| is(event, &["LOGIN"])),
        of("course_popularity", ALL, T1, |event| some(event, "course_id").into()),
        of("video_engagement", ALL, T1, |event| {
            u64::from(has(event, "event_category", &["VIDEO"])) * is(event, &["VIDEO_WATCHED"])
        }),
        of("realtime_user_activity", ALL, S5, all),
        of("realtime_course_engagement", ALL, S5, |event| some(event, "course_id").into()),
        of("realtime_video_views", ALL, S5, |event| is(event, &["VIDEO_WATCHED"])),
        of("realtime_user_sessions", ALL, Kind::Session { gap_us: 30 * MINUTE }, all),
        of("realtime_assessment_scores", ASSESSMENT, T10, |event| {
            (some(event, "quiz_id") || some(event, "assignment_id")).into()
        }),
        of("realtime_notifications", NOTIFICATION, T10, all),
        of("realtime_profile_changes", PROFILE, T10, all),
    ],
};

const BINANCE: &[&str] = &["binance"];
const TRADE: &[&str] = &["polymarket_trade"];

/// Its windows are all alike, so what one of them refuses, all refuse.
pub(super) const MARKET: System = System {
    name: "market",
    parameters: "",
    delay_us: 2 * MINUTE,
    faults: "disorder = \"90s\"\nlate_by = \"2m\"",
    at_least: (0, 0),
    has_raw_view: false,
    sources: &[
        ("binance", "market.binance", "events = 2_000\nrate = 2\nkeys = 9\npartitions = 3"),
        (
            "polymarket_trade",
            "market.polymarket_trade",
            "events = 1_200\nrate = 1\npartitions = 3\nprofile = \"full\"",
        ),
    ],
    table: Some(("polymarket_metadata", "market.polymarket_metadata", "events = 12\nrate = 0.01")),
    consumers: &[
        of("binance", BINANCE, T1, all),
        Consumer { by_opening: true, ..of("binance", BINANCE, T1, all) },
        // A side of each pair with one of the three other symbols.
        of("asset_correlation", BINANCE, T1, |candle| 3 * is_known(candle)),
        of("polymarket", TRADE, T1, all),
        of("polymarket_books", TRADE, T1, |message| is(message, &["book"])),
        of("polymarket_trades", TRADE, T1, |message| is(message, &["last_trade_price"])),
        // One check of each rule.
        of("data_quality", BINANCE, T1, |_| 7),
        of("data_quality", TRADE, T1, |_| 3),
        of("market_correlation", BINANCE, T1, is_known),
        of("market_correlation", TRADE, T1, |message| is(message, &["book"])),
    ],
};

/// Its watermarks run hardly behind: so the last snapshot of a candle, which comes behind its end,
/// may be too late for the minute in which the candle opens.
pub(super) const HASTY_MARKET: System = System {
    parameters: "watermark = \"20 ms\"",
    delay_us: S / 50,
    faults: "disorder = \"20s\"\nlate_by = \"40s\"",
    at_least: (10, 0),
    ..MARKET
};

const EVENTS: &[&str] = &["events"];

pub(super) const SHOP: System = System {
    name: "shop",
    parameters: "",
    delay_us: 5 * MINUTE,
    faults: "disorder = \"4m\"\nlate_by = \"6m\"",
    at_least: (50, 50),
    has_raw_view: true,
    sources: &[(
        "events",
        "shop.events",
        "events = 3_000\nrate = 1\nkeys = 40\nprofile = \"full\"\nsessions = \"real\"",
    )],
    table: None,
    consumers: &[
        of("event_counts", EVENTS, T1, all),
        of("user_activity", EVENTS, S5, all),
        of("purchase_metrics", EVENTS, T10, |event| is(event, &["purchase"])),
        of("session_metrics", EVENTS, T5, all),
        of("device_stats", EVENTS, T10, all),
        of("review_metrics", EVENTS, T10, |event| is(event, &["product_review"])),
    ],
};
