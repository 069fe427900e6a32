//! The columns of the views, and the arguments of the job.

use super::super::entry;
use crate::play::{columns, parameters};

fn check(arguments: &str, view: &str, expect: &str) {
    assert_eq!(columns(entry, arguments, view), expect, "{view}");
}

#[test]
fn raw_events_have_the_columns_of_the_replaced_system() {
    check(
        "",
        "raw_events",
        "key text?, event_id text?, event_type text?, user_id text?, timestamp text?, \
         device text?, location text?, session_id text?, login_method text?, success bool?, \
         page text?, referrer text?, duration_seconds i32?, item_id text?, category text?, \
         position i32?, order_id text?, items text[]?, quantities i32[]?, total_amount f64?, \
         currency text?, payment_method text?, quantity i32?, price f64?, search_query text?, \
         results_count i32?, clicked_position i32?, event_time ts?",
    );
}

#[test]
fn views_have_the_columns_of_the_replaced_system() {
    let window = "window_start ts, window_end ts";
    let check = |view, expect: &str| check("", view, &format!("{window}, {expect}"));
    check("event_counts", "event_type text?, count i64, unique_users i64");
    check(
        "user_activity",
        "user_id text?, event_count i64, event_types text[], first_event ts, last_event ts",
    );
    check(
        "purchase_metrics",
        "total_orders i64, total_revenue f64?, avg_order_value f64?, max_order_value f64?, \
         min_order_value f64?, unique_buyers i64",
    );
    check(
        "device_stats",
        "device text?, location text?, event_count i64, unique_users i64, unique_sessions i64",
    );
    check(
        "review_metrics",
        "item_id text?, review_count i64, avg_rating f64?, five_star i64, one_star i64, \
         unique_reviewers i64",
    );
}

#[test]
fn options_change_the_columns_of_two_views() {
    let session = "events_in_session i64, session_events text[]";
    let (ends, seconds) = ("session_start ts, session_end ts", "session_duration_seconds i64");
    check(
        "",
        "session_metrics",
        &format!("window_start ts, session_id text?, {session}, {ends}, {seconds}"),
    );
    check(
        "session_metrics = 'session'",
        "session_metrics",
        &format!("{ends}, user_id text?, {session}, {seconds}"),
    );
    check(
        "device_stats.window = 'struct'",
        "device_stats",
        "window.start ts, window.end ts, device text?, location text?, event_count i64, \
         unique_users i64, unique_sessions i64",
    );
}

#[test]
fn settings_of_spark_are_named_and_wrong_words_refused() {
    let flow = highwater::stream::Flow::new(Default::default());
    let mut spark = parameters("spark.sql.shuffle.partitions = 10\nspark.app = 'x'");
    entry(&flow, &mut spark).unwrap();
    assert_eq!(
        spark.notices(),
        [
            "the parameter `spark.app` has no effect: there is no Spark",
            "the parameter `spark.sql.shuffle.partitions` has no effect: work is sharded by worker",
        ],
    );
    let error = entry(&flow, &mut parameters("lists = 'read'")).unwrap_err().to_string();
    assert!(error.contains("`lists` must be \"event_time\" or \"arrival\""), "{error}");
}
