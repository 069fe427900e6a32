//! The seven views: their columns, and rows computed by hand from a few records.

mod alerts;
mod columns;
mod files;

use std::fmt::Write;

use crate::play::{Play, Played};

/// The document that a line stands for: time of the day, type, fields; `-` is no type.
///
/// ```text
/// 12:00:00 page_view user_id=a        a value may be any JSON
/// u1 | 12:00:00 login                 a key of the record in front
/// {"event_type":5}                    a record as it stands
/// ```
fn document(line: &str) -> String {
    if let Some((key, rest)) = line.split_once(" | ") {
        return format!("{key} | {}", document(rest));
    }
    if !line.starts_with("12:") {
        return line.into();
    }
    let mut words = line.split(' ');
    let time = words.next().unwrap_or_default();
    let mut document = format!("{{\"timestamp\":\"2026-03-01T{time}+00:00\"");
    let event_type = words.next().filter(|word| *word != "-").map(|word| ("event_type", word));
    let fields = words.map(|word| word.split_once('=').unwrap_or_else(|| panic!("field: {word}")));
    for (name, value) in event_type.into_iter().chain(fields) {
        let is_json = value.starts_with(|first: char| "\"[{-0123456789".contains(first))
            || ["true", "false", "null"].contains(&value);
        let quote = if is_json { "" } else { "\"" };
        let _ = write!(document, ",\"{name}\":{quote}{value}{quote}");
    }
    document + "}"
}

fn played_with(arguments: &str, null_rows: bool, lines: &[&str]) -> Played {
    let documents: Vec<String> = lines.iter().map(|line| document(line)).collect();
    let topics = [("events", &documents[..])];
    Play { entry: super::entry, arguments, null_rows, topics: &topics }.run()
}

fn check(view: &str, lines: &[&str], expect: &[&str]) {
    assert_eq!(played_with("", false, lines).finals(view), expect, "{view}");
}

#[test]
fn raw_events_have_every_field_and_their_key() {
    let played = played_with(
        "",
        false,
        &[
            "user_1 | 12:00:00 purchase event_id=e1 user_id=user_1 device=mobile location=US \
             session_id=s1 order_id=o1 items=[\"a\",\"b\"] quantities=[1,2] total_amount=9.5 \
             currency=USD payment_method=paypal",
            "{\"event_type\":\"cart_add\",\"timestamp\":\"2026-03-01 12:00\",\
             \"quantities\":[1,\"x\"],\"item_id\":\"i\",\"category\":\"toys\",\"quantity\":3,\
             \"price\":\".5\",\"success\":true,\"position\":4}",
            "12:00:02.25 search login_method=sso page=home referrer=social duration_seconds=5 \
             search_query=bag results_count=0 clicked_position=null",
            "not JSON",
            "{\"event_type\":\"page_view\"}",
        ],
    );
    let nulls = |count| vec!["-"; count].join(" ");
    assert_eq!(
        played.finals("raw_events"),
        [
            format!(
                "- - cart_add - 2026-03-01 12:00 {} true {} i toys 4 {} 3 {} 12:00",
                nulls(4),
                nulls(3),
                nulls(6),
                nulls(4),
            ),
            format!(
                "- - search - 2026-03-01T12:00:02.25+00:00 {} sso - home social 5 {} bag 0 - \
                 12:00:02.25",
                nulls(3),
                nulls(11),
            ),
            format!(
                "user_1 e1 purchase user_1 2026-03-01T12:00:00+00:00 mobile US s1 {} o1 [a,b] \
                 [1, 2] 9.5 USD paypal {} 12:00",
                nulls(8),
                nulls(5),
            ),
        ],
    );
    assert_eq!(played.letters(), ["3 bad_json", "4 no_event_time"]);
}

#[test]
fn raw_events_keep_what_is_late_and_what_is_no_event() {
    let lines = [
        "12:00:00 page_view",
        "12:30:00 page_view",
        "12:30:01 page_view",
        "k | not JSON",
        // 29 minutes behind its partition: too late for all windows, but not for the raw events.
        "12:00:02 search",
        "{\"event_type\":\"item_click\"}",
    ];
    let played = played_with("", true, &lines);
    let raw = played.finals("raw_events");
    assert_eq!(raw.len(), 6);
    assert_eq!(raw.iter().filter(|row| row.contains(" search ")).count(), 1);
    assert!(raw.contains(&format!("k{}", " -".repeat(27))), "{raw:?}");
    assert!(raw.iter().any(|row| row.starts_with("- - item_click") && row.ends_with(" - -")));
    assert_eq!(
        played.finals("event_counts"),
        ["12:00 12:01 page_view 1 0", "12:30 12:31 page_view 2 0"],
    );
    // The late one is a letter of each view that wanted it, and of no other.
    let late = played.letters();
    assert!(late.iter().all(|letter| letter.starts_with("4 late ")), "{late:?}");
    let views = ["event_counts", "user_activity", "session_metrics", "device_stats"];
    assert_eq!(late.len(), views.len(), "{late:?}");
}

#[test]
fn events_are_counted_by_type_with_their_users() {
    check(
        "event_counts",
        &[
            "12:00:00 page_view user_id=a",
            "12:00:01 page_view user_id=a",
            "12:00:02 page_view user_id=b",
            "12:00:59.999999 login user_id=a",
            "12:00:10 - user_id=c",
            "12:00:11 page_view user_id=7",
            "12:01:00 page_view user_id=null",
        ],
        &[
            "12:00 12:01 - 1 1",
            "12:00 12:01 page_view 4 3",
            "12:00 12:01 user_login 1 1",
            "12:01 12:02 page_view 1 0",
        ],
    );
}

/// Arrival: the odd lines first, then the even ones.
const VISIT: [&str; 4] = [
    "12:03:00 cart_add user_id=a session_id=s",
    "12:00:00.75 login user_id=a session_id=s",
    "12:04:59.25 purchase user_id=a session_id=s",
    "12:01:00 - user_id=a session_id=s",
];

#[test]
fn the_activity_of_a_user_is_listed_in_the_order_of_events() {
    let of = |arguments: &str| {
        let rows = played_with(arguments, false, &VISIT).finals("user_activity");
        assert_eq!(rows.len(), 9, "the windows that end from 12:01 to 12:09");
        rows.into_iter().find(|row| row.starts_with("12:00 ")).unwrap()
    };
    let check = |arguments: &str, types: &str| {
        let expect = format!("12:00 12:05 a 4 [{types}] 12:00:00.75 12:04:59.25");
        assert_eq!(of(arguments), expect);
    };
    check("", "user_login,cart_add,purchase");
    check("lists = 'arrival'", "cart_add,purchase,user_login");
}

#[test]
fn purchases_without_amounts_are_orders_of_no_value() {
    check(
        "purchase_metrics",
        &[
            "12:00:00 purchase user_id=a total_amount=0.25",
            "12:05:00 purchase user_id=b total_amount=0.5",
            "12:09:00 purchase user_id=a total_amount=\"9\"",
            "12:09:30 cart_add user_id=d total_amount=99",
            "12:10:00 purchase",
            "12:11:00 purchase total_amount=NaN",
        ],
        &["12:00 12:10 3 0.75 0.375 0.5 0.25 2", "12:10 12:20 2 - - - - 0"],
    );
}

#[test]
fn a_session_of_the_replaced_system_is_five_minutes_of_an_id() {
    let mut lines = VISIT.to_vec();
    lines.push("12:05:00 search session_id=s");
    lines.push("12:05:01 search");
    check(
        "session_metrics",
        &lines,
        &[
            "12:00 s 4 [user_login,cart_add,purchase] 12:00:00.75 12:04:59.25 299",
            "12:05 - 1 [search] 12:05:01 12:05:01 0",
            "12:05 s 1 [search] 12:05 12:05 0",
        ],
    );
}

#[test]
fn a_true_session_ends_with_half_an_hour_of_silence() {
    let lines = [
        "12:00:00 login user_id=a session_id=s1",
        "12:10:00 search user_id=b",
        "12:30:00 page_view user_id=a session_id=s2",
        "12:10:01 page_view user_id=b session_id=s1",
        "12:59:00.5 page_view user_id=a",
    ];
    let arguments = "session_metrics = 'session'";
    assert_eq!(
        played_with(arguments, false, &lines).finals("session_metrics"),
        [
            "12:00 12:59:00.5 a 3 [user_login,page_view,page_view] 3540",
            "12:10 12:10:01 b 2 [search,page_view] 1",
        ],
    );
    let apart = ["12:00:00 login user_id=a", "12:29:00 -", "12:30:00.000001 login user_id=a"];
    assert_eq!(
        played_with(arguments, false, &apart).finals("session_metrics"),
        [
            "12:00 12:00 a 1 [user_login] 0",
            "12:29 12:29 - 1 [] 0",
            "12:30:00.000001 12:30:00.000001 a 1 [user_login] 0",
        ],
    );
}

#[test]
fn devices_and_locations_may_be_null() {
    let lines = [
        "12:00:00 login device=mobile location=US user_id=a session_id=s1",
        "12:09:59 login device=mobile location=US user_id=a session_id=s2",
        "12:00:00 login device=mobile user_id=b",
        "12:00:00 login location=US",
    ];
    let expect =
        ["12:00 12:10 - US 1 0 0", "12:00 12:10 mobile - 1 1 0", "12:00 12:10 mobile US 2 1 2"];
    check("device_stats", &lines, &expect);
    let in_struct = played_with("device_stats.window = 'struct'", false, &lines);
    assert_eq!(in_struct.finals("device_stats"), expect);
}

#[test]
fn reviews_are_rated_with_two_decimals() {
    check(
        "review_metrics",
        &[
            "12:00:00 product_review item_id=i user_id=a rating=5",
            "12:00:01 product_review item_id=i user_id=a rating=1",
            "12:00:02 product_review item_id=i user_id=b rating=2",
            "12:00:03 product_review item_id=j rating=\"5\"",
            "12:00:04 item_click item_id=i rating=5",
        ],
        &["12:00 12:10 i 3 2.67 1 1 2", "12:00 12:10 j 1 - 0 0 0"],
    );
}
