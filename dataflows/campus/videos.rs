//! CA-03 and CA-07: who watches which video, and how long.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

use super::{FIVE, MINUTE};

/// Who watches each video, minute by minute.
pub(super) fn engagement(all: &Stream<Event>) {
    all.filter(|event| event.event_category.as_deref() == Some("VIDEO"))
        .filter(|event| event.is(EventType::VideoWatched))
        .key_by(|event| event.video_id.clone())
        .window(MINUTE)
        .accumulate(Watching::of)
        .rows(|video_id, window, watching| VideoEngagement {
            video_id,
            window,
            views: watching.views,
            unique_viewers: watching.unique_viewers.get(),
            total_watch_seconds: watching.seconds(),
        })
        .sink("video_engagement");
}

/// Who watches each video now.
pub(super) fn views(all: &Stream<Event>) {
    all.filter(|event| event.is(EventType::VideoWatched))
        .key_by(|event| event.video_id.clone())
        .window(FIVE)
        .accumulate_with(|event, stamp| {
            (Watching::of(event), Last::of(Some(event.course_id.clone()), *stamp))
        })
        .rows(VideoViews::new)
        .updates()
        .sink("realtime_video_views");
}

/// What views of a video add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Watching {
    views: Count,
    unique_viewers: Distinct<Text>,
    watched: Sum<i64>,
    avg_watch_seconds: Mean,
}

/// A row of `video_engagement`.
#[derive(Clone, Row)]
struct VideoEngagement {
    video_id: Option<Text>,
    window: Window,
    #[row(i32)]
    views: Count,
    #[row(i32)]
    unique_viewers: i64,
    #[row(i32)]
    total_watch_seconds: i64,
}

/// A row of `realtime_video_views`.
#[derive(Clone, Row)]
struct VideoViews {
    video_id: Option<Text>,
    window: Window,
    course_id: Option<Text>,
    views: Count,
    unique_viewers: Distinct<Text>,
    total_watch_seconds: i64,
    #[row(round2)]
    avg_watch_seconds: Mean,
}

impl Watching {
    fn of(event: &Event) -> Watching {
        Watching {
            views: Count::one(),
            unique_viewers: Distinct::of(&event.user_id),
            watched: Sum::of(event.watch_duration_seconds),
            avg_watch_seconds: Mean::of(event.watch_duration_seconds),
        }
    }

    fn seconds(&self) -> i64 {
        self.watched.get().unwrap_or(0) as i64
    }
}

impl VideoViews {
    fn new(
        video_id: Option<Text>,
        window: Window,
        (watching, course): (Watching, Last<Option<Text>>),
    ) -> VideoViews {
        VideoViews {
            video_id,
            window,
            course_id: course.get().cloned().flatten(),
            views: watching.views,
            total_watch_seconds: watching.seconds(),
            unique_viewers: watching.unique_viewers,
            avg_watch_seconds: watching.avg_watch_seconds,
        }
    }
}
