//! Runs a job over a few records that are lines, and shows its rows as lines.
//!
//! As `play.rs` of all systems, but a row has its window in front as `12:00-12:05`.

use std::fmt::Write;

use crate::play::Play;
pub(super) use crate::play::{Entry, parameters};

/// A topic and its records, each as a line.
pub(super) type Topic<'a> = (&'a str, &'a [&'a str]);

/// The document that a line stands for: time of the day, action, fields.
///
/// ```text
/// 12:00:00 LOGIN success=true user_id=a       in the words of the job
/// 12:00:00 ~SIGNUP user_id=a                  an `event_type`, in those of the producer
/// 12:00:00 - user_id="5"                      neither; a value may be any JSON
/// ```
///
/// A line without a time in front is a record as it stands.
pub(super) fn document(line: &str) -> String {
    let mut words = line.split(' ');
    let time = words.next().unwrap_or_default();
    if !time.starts_with("12:") {
        return line.into();
    }
    let mut document = format!("{{\"timestamp\":\"2026-03-01 {time}\"");
    let mut put = |name: &str, value: &str| {
        let is_json = value.starts_with(|first: char| "\"[{-0123456789".contains(first))
            || ["true", "false", "null"].contains(&value);
        let _ = match is_json {
            true => write!(document, ",\"{name}\":{value}"),
            false => write!(document, ",\"{name}\":\"{value}\""),
        };
    };
    match words.next().unwrap_or_default() {
        "-" => {}
        action => match action.strip_prefix('~') {
            Some(event_type) => put("event_type", event_type),
            None => put("action", action),
        },
    }
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no field: {word}"));
        put(name, value);
    }
    document + "}"
}

/// The rows of one view, sorted; the same with one worker and with two.
pub(super) fn rows(entry: Entry, view: &str, topics: &[Topic<'_>]) -> Vec<String> {
    rows_with(entry, "", view, topics)
}

/// As [`rows`], with arguments.
pub(super) fn rows_with(
    entry: Entry,
    arguments: &str,
    view: &str,
    topics: &[Topic<'_>],
) -> Vec<String> {
    let documents: Vec<(&str, Vec<String>)> = topics
        .iter()
        .map(|(topic, lines)| (*topic, lines.iter().map(|line| document(line)).collect()))
        .collect();
    let topics: Vec<(&str, &[String])> =
        documents.iter().map(|(topic, documents)| (*topic, &documents[..])).collect();
    let played = Play { entry, arguments, null_rows: false, topics: &topics }.run();
    played.finals(view).iter().map(|row| row.replacen(' ', "-", 1)).collect()
}
