//! The job `video`: who watches what, how long, and to the end.

mod videos;
mod watching;

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, Video, VideoEvent};

use super::{Grid, Job, View, names};
use videos::{Engagement, EngagementRate, PopularVideo, Popularity};
use watching::{Audience, ConcurrentViewers, Viewers, ViewersRow, WatchTime, Watching};

const VIEWS: [View<Video>; 5] = [
    ("video_realtime_viewers_1min", viewers_1min),
    ("video_realtime_watch_time_5min", watch_time_5min),
    ("video_realtime_engagement_rate", engagement_rate),
    ("video_realtime_popular_videos", popular_videos),
    ("video_realtime_concurrent_viewers", concurrent_viewers),
];

/// Reads the parameters and builds the dataflow.
pub fn video(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let job = Job::read((flow, "video"), &names(&VIEWS), &[], parameters)?;
    job.read_topic(flow, "video", &VIEWS);
    Ok(())
}

/// How many watch, minute by minute.
fn viewers_1min(video: &Stream<VideoEvent>, grid: &Grid, view: &str) {
    video.window(grid.micro).accumulate(Viewers::of).rows(ViewersRow::new).sink(view);
}

/// How long each video is watched, whatever is done with it.
fn watch_time_5min(video: &Stream<VideoEvent>, grid: &Grid, view: &str) {
    video
        .filter(|event| event.watch_duration_seconds.is_some())
        .key_by(|event| (event.video_id.clone(), event.course_id.clone()))
        .window(grid.short)
        .accumulate(Watching::of)
        .rows(WatchTime::new)
        .sink(view);
}

/// How far each video that was started is watched.
fn engagement_rate(video: &Stream<VideoEvent>, grid: &Grid, view: &str) {
    video
        .key_by(|event| event.video_id.clone())
        .window(grid.short)
        .accumulate(Engagement::of)
        .filter(Engagement::has_started)
        .rows(EngagementRate::new)
        .alert(grid.alerts.engagement_rate, view, &["video_id"], |row| {
            row.completion_rate_pct.map(|percent| percent / 100.0)
        })
        .sink(view);
}

/// What is done with each video; whoever reads the view ranks them.
fn popular_videos(video: &Stream<VideoEvent>, grid: &Grid, view: &str) {
    video
        .key_by(|event| (event.video_id.clone(), event.course_id.clone()))
        .window(grid.short)
        .accumulate(Popularity::of)
        .rows(PopularVideo::new)
        .sink(view);
}

/// Who watches each video: five minutes, every minute.
fn concurrent_viewers(video: &Stream<VideoEvent>, grid: &Grid, view: &str) {
    video
        .filter(|event| event.did(Action::StartVideo) || event.did(Action::WatchVideo))
        .key_by(|event| event.video_id.clone())
        .window(grid.sliding)
        .accumulate(Audience::of)
        .alert(grid.alerts.concurrent_viewers, view, &["video_id"], |audience| {
            audience.concurrent_viewers.get() as f64
        })
        .rows(ConcurrentViewers::new)
        .sink(view);
}
