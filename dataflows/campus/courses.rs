//! CA-02 and CA-05: how much goes on in each course.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

use super::{FIVE, MINUTE};

/// Interactions with each course, minute by minute.
pub(super) fn popularity(all: &Stream<Event>) {
    all.filter(|event| event.course_id.is_some())
        .key_by(|event| event.course_id.clone())
        .window(MINUTE)
        .accumulate(Interest::of)
        .rows(|course_id, window, interest| CoursePopularity { course_id, window, interest })
        .sink("course_popularity");
}

/// What students do in each course.
pub(super) fn engagement(all: &Stream<Event>) {
    all.filter(|event| event.course_id.is_some())
        .key_by(|event| event.course_id.clone())
        .window(FIVE)
        .accumulate(Engagement::of)
        .rows(CourseEngagement::new)
        .updates()
        .sink("realtime_course_engagement");
}

/// What the interactions of a minute add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Interest {
    #[row(i32)]
    interactions: Count,
    #[row(i32)]
    views: Count,
}

/// A row of `course_popularity`.
#[derive(Clone, Row)]
struct CoursePopularity {
    course_id: Option<Text>,
    window: Window,
    interest: Interest,
}

/// What the interactions of five minutes add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Engagement {
    active_students: Distinct<Text>,
    interactions: Count,
    views: Count,
    item_clicks: Count,
    downloads: Count,
    enrollments: Count,
    drops: Count,
    videos_watched: Count,
    #[row(skip)]
    watched: Sum<i64>,
}

/// A row of `realtime_course_engagement`.
#[derive(Clone, Row)]
struct CourseEngagement {
    course_id: Option<Text>,
    window: Window,
    engagement: Engagement,
    watch_seconds: i64,
}

impl Interest {
    fn of(event: &Event) -> Interest {
        let viewed = event.is(EventType::VideoWatched) || event.is(EventType::CourseView);
        Interest { interactions: Count::one(), views: Count::of(viewed) }
    }
}

impl Engagement {
    fn of(event: &Event) -> Engagement {
        let student = event.user_id.as_ref().filter(|user| is_student(event, user));
        Engagement {
            active_students: Distinct::of(student),
            interactions: Count::one(),
            views: Count::of(event.is(EventType::CourseView)),
            item_clicks: Count::of(event.is(EventType::ItemClick)),
            downloads: Count::of(event.is(EventType::DownloadMaterial)),
            enrollments: Count::of(event.is(EventType::CourseEnrolled)),
            drops: Count::of(event.is(EventType::CourseDropped)),
            videos_watched: Count::of(event.is(EventType::VideoWatched)),
            watched: Sum::of(event.watch_duration_seconds),
        }
    }
}

/// By the role, or where it is missing by the name.
fn is_student(event: &Event, user: &Text) -> bool {
    event.role.as_ref().map_or_else(|| user.starts_with("SV"), |role| role == "student")
}

impl CourseEngagement {
    fn new(course_id: Option<Text>, window: Window, engagement: Engagement) -> CourseEngagement {
        let watch_seconds = engagement.watched.get().unwrap_or(0) as i64;
        CourseEngagement { course_id, window, engagement, watch_seconds }
    }
}
