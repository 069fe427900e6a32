//! An archive: every record of some topics as it came, for whoever wants to compute again.
//!
//! Replaces the ingestion of the master data set of the systems elearning and campus.
//!
//! ```text
//! each topic ─► key, value, timestamp, partition, offset ─► a view of the topic's name
//! ```
//!
//! Nothing is decoded, so nothing is refused: what is no JSON is archived too. A binding writes
//! each view to a folder that says its topic: `parquet = { path = "…/topic={view}" }`.

use highwater::prelude::*;

/// Records are archived as they come; no window waits for them.
const LATENESS: Duration = seconds(0);

/// The topics of the systems elearning and campus, each copied to a view of its name.
const EDUCATION: [&str; 6] = [
    "auth_topic",
    "assessment_topic",
    "video_topic",
    "course_topic",
    "profile_topic",
    "notification_topic",
];

/// The job `archive` of elearning and of campus; it takes no arguments.
pub fn education(flow: &Flow, _: &mut Parameters) -> Result<()> {
    archive(flow, &EDUCATION);
    Ok(())
}

/// Archives topics: the topic `auth_topic` is read from the source `auth.raw`.
pub fn archive(flow: &Flow, topics: &[&str]) {
    for topic in topics {
        flow.source(&port(topic), LATENESS, archived_at).sink(topic);
    }
}

/// The source of a topic, apart from that of the jobs that decode it.
fn port(topic: &str) -> String {
    format!("{}.raw", topic.strip_suffix("_topic").unwrap_or(topic))
}

/// The record's own time. One that its service does not know must not make it a dead letter.
fn archived_at(record: &Raw) -> Time {
    record.timestamp.filter(|time| time.is_legal()).unwrap_or_default()
}
