//! Campus: what students and teachers do on an education platform, as tables that are kept current.
//!
//! Replaces the Spark job `stream_layer.py` of the education platform on Kubernetes. All six topics
//! are one stream; three views are final rows, the tables of the README are shown while they
//! change.
//!
//! ```text
//! auth ─────────┐        ├─► 1 min every 30 s ─► active_users
//! assessment ───┤        ├─► 1 min ────────────► course_popularity, video_engagement
//! video ────────┼─► all ─┼─► 5 min, every min ─► user_activity, course_engagement, video_views
//! course ───────┤        └─► sessions ─────────► user_sessions
//! profile ──────┤
//! notification ─┘  of one topic: 10 min ───────► assessment_scores, notifications, profile_changes
//! ```

mod activity;
mod courses;
mod profiles;
mod scores;
mod sessions;
#[cfg(test)]
mod tests;
mod videos;

use highwater::prelude::*;
use highwater_datasets::campus::Event;

/// How far watermarks run behind, unless a binding says otherwise.
const LATENESS: Duration = minutes(1);

const TEN: Tumbling = Tumbling::new(minutes(10));
const MINUTE: Tumbling = Tumbling::new(minutes(1));
const FIVE: Sliding = Sliding::new(minutes(5), minutes(1));

/// Builds the dataflow.
pub fn campus(flow: &Flow) {
    let topic = |name| flow.source(name, LATENESS, |event: &Event| event.timestamp);
    let (auth, assessment, video) = (topic("auth"), topic("assessment"), topic("video"));
    let (course, profile, notification) =
        (topic("course"), topic("profile"), topic("notification"));
    let all = [&assessment, &video, &course, &profile, &notification]
        .into_iter()
        .fold(auth, |all, topic| all.concat(topic));

    activity::active_users(&all);
    activity::user_activity(&all);
    courses::popularity(&all);
    courses::engagement(&all);
    videos::engagement(&all);
    videos::views(&all);
    sessions::user_sessions(&all);
    scores::assessment_scores(&assessment);
    profiles::notifications(&notification);
    profiles::changes(&profile);
}

/// Reads the arguments from `[parameters]`, of which there is none, and builds the dataflow.
pub fn entry(flow: &Flow, _: &mut Parameters) -> Result<()> {
    campus(flow);
    Ok(())
}
