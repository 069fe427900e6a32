//! The rows of the job `video` about what is done with each video.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, VideoEvent};

/// How far a video is watched.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Engagement {
    starts: Count,
    pauses: Count,
    completions: Count,
    unique_users: Distinct<Text>,
    total_watch_seconds: Sum<i64>,
}

/// A row of `video_realtime_engagement_rate`.
#[derive(Clone, Row)]
pub(super) struct EngagementRate {
    window: Window,
    video_id: Option<Text>,
    engagement: Engagement,
    #[row(required)]
    pub(super) completion_rate_pct: Option<f64>,
    #[row(required)]
    pause_rate_pct: Option<f64>,
    #[row(round2)]
    avg_watch_per_start: Option<f64>,
}

/// What is done with a video.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Popularity {
    unique_viewers: Distinct<Text>,
    total_interactions: Count,
    total_watch_seconds: Sum<i64>,
    starts: Count,
    completions: Count,
}

/// A row of `video_realtime_popular_videos`.
#[derive(Clone, Row)]
pub(super) struct PopularVideo {
    window: Window,
    video_id: Option<Text>,
    course_id: Option<Text>,
    popularity: Popularity,
    completion_rate_pct: Option<f64>,
}

impl Engagement {
    pub(super) fn of(event: &VideoEvent) -> Engagement {
        Engagement {
            starts: Count::of(event.did(Action::StartVideo)),
            pauses: Count::of(event.did(Action::PauseVideo)),
            completions: Count::of(event.did(Action::CompleteVideo)),
            unique_users: Distinct::of(&event.user_id),
            total_watch_seconds: Sum::of(event.watch_duration_seconds),
        }
    }

    pub(super) fn has_started(&self) -> bool {
        0 < self.starts.get()
    }
}

impl EngagementRate {
    pub(super) fn new(
        video_id: Option<Text>,
        window: Window,
        engagement: Engagement,
    ) -> EngagementRate {
        let starts = engagement.starts.get();
        let (completions, pauses) = (engagement.completions.get(), engagement.pauses.get());
        EngagementRate {
            window,
            video_id,
            completion_rate_pct: stats::percent(completions, starts),
            pause_rate_pct: stats::percent(pauses, starts),
            avg_watch_per_start: stats::ratio(engagement.total_watch_seconds.get(), starts),
            engagement,
        }
    }
}

impl Popularity {
    pub(super) fn of(event: &VideoEvent) -> Popularity {
        Popularity {
            unique_viewers: Distinct::of(&event.user_id),
            total_interactions: Count::one(),
            total_watch_seconds: Sum::of(event.watch_duration_seconds),
            starts: Count::of(event.did(Action::StartVideo)),
            completions: Count::of(event.did(Action::CompleteVideo)),
        }
    }
}

impl PopularVideo {
    pub(super) fn new(
        (video_id, course_id): (Option<Text>, Option<Text>),
        window: Window,
        popularity: Popularity,
    ) -> PopularVideo {
        let (completions, starts) = (popularity.completions.get(), popularity.starts.get());
        let completion_rate_pct = stats::percent(completions, starts);
        PopularVideo { window, video_id, course_id, popularity, completion_rate_pct }
    }
}
