//! The rows of the job `video` about those who watch.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, VideoEvent};

/// Those who watch, and what they do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Viewers {
    unique_viewers: Distinct<Text>,
    videos_watched: Distinct<Text>,
    total_events: Count,
    video_starts: Count,
    video_pauses: Count,
    video_completions: Count,
    total_watch_seconds: Sum<i64>,
}

/// A row of `video_realtime_viewers_1min`.
#[derive(Clone, Row)]
pub(super) struct ViewersRow {
    window: Window,
    viewers: Viewers,
    total_watch_minutes: Option<Decimal>,
}

/// How long a video is watched.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
pub(super) struct Watching {
    viewers: Distinct<Text>,
    seconds: Sum<i64>,
    longest: Max<i32>,
    times: Count,
}

/// A row of `video_realtime_watch_time_5min`.
#[derive(Clone, Row)]
pub(super) struct WatchTime {
    window: Window,
    video_id: Option<Text>,
    course_id: Option<Text>,
    unique_viewers: Distinct<Text>,
    #[row(required)]
    total_watch_seconds: Sum<i64>,
    #[row(required)]
    total_watch_minutes: Option<Decimal>,
    #[row(required, round2)]
    avg_watch_seconds: Option<f64>,
    #[row(required)]
    max_watch_seconds: Max<i32>,
    view_count: Count,
}

/// Those who watch a video.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Audience {
    pub(super) concurrent_viewers: Distinct<Text>,
    event_count: Count,
    total_watch_seconds: Sum<i64>,
}

/// A row of `video_realtime_concurrent_viewers`.
#[derive(Clone, Row)]
pub(super) struct ConcurrentViewers {
    window: Window,
    video_id: Option<Text>,
    audience: Audience,
    total_watch_minutes: Option<Decimal>,
}

/// Minutes of a number of seconds.
fn minutes_of(seconds: &Sum<i64>) -> Option<Decimal> {
    stats::decimal(seconds.get()?, 60)
}

impl Viewers {
    pub(super) fn of(event: &VideoEvent) -> Viewers {
        Viewers {
            unique_viewers: Distinct::of(&event.user_id),
            videos_watched: Distinct::of(&event.video_id),
            total_events: Count::one(),
            video_starts: Count::of(event.did(Action::StartVideo)),
            video_pauses: Count::of(event.did(Action::PauseVideo)),
            video_completions: Count::of(event.did(Action::CompleteVideo)),
            total_watch_seconds: Sum::of(event.watch_duration_seconds),
        }
    }
}

impl ViewersRow {
    pub(super) fn new(_all: (), window: Window, viewers: Viewers) -> ViewersRow {
        let total_watch_minutes = minutes_of(&viewers.total_watch_seconds);
        ViewersRow { window, viewers, total_watch_minutes }
    }
}

impl Watching {
    pub(super) fn of(event: &VideoEvent) -> Watching {
        Watching {
            viewers: Distinct::of(&event.user_id),
            seconds: Sum::of(event.watch_duration_seconds),
            longest: Max::of(event.watch_duration_seconds),
            times: Count::one(),
        }
    }
}

impl WatchTime {
    pub(super) fn new(
        (video_id, course_id): (Option<Text>, Option<Text>),
        window: Window,
        watching: Watching,
    ) -> WatchTime {
        let Watching { viewers, seconds, longest, times } = watching;
        WatchTime {
            window,
            video_id,
            course_id,
            unique_viewers: viewers,
            total_watch_minutes: minutes_of(&seconds),
            avg_watch_seconds: stats::ratio(seconds.get(), times.get()),
            total_watch_seconds: seconds,
            max_watch_seconds: longest,
            view_count: times,
        }
    }
}

impl Audience {
    pub(super) fn of(event: &VideoEvent) -> Audience {
        Audience {
            concurrent_viewers: Distinct::of(&event.user_id),
            event_count: Count::one(),
            total_watch_seconds: Sum::of(event.watch_duration_seconds),
        }
    }
}

impl ConcurrentViewers {
    pub(super) fn new(
        video_id: Option<Text>,
        window: Window,
        audience: Audience,
    ) -> ConcurrentViewers {
        let total_watch_minutes = minutes_of(&audience.total_watch_seconds);
        ConcurrentViewers { window, video_id, audience, total_watch_minutes }
    }
}
