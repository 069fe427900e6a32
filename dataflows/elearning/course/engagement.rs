//! The rows of the job `course` that count all actions.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, CourseEvent};

/// How often each of the actions was done that matter most.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Actions {
    enrollments: Count,
    material_accesses: Count,
    downloads: Count,
}

/// How much is going on in all courses.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct ActiveCourses {
    active_courses: Distinct<Text>,
    active_students: Distinct<Text>,
    total_interactions: Count,
    actions: Actions,
}

/// A row of `course_realtime_active_courses_1min`.
#[derive(Clone, Row)]
pub(super) struct ActiveCoursesRow {
    pub(super) window: Window,
    pub(super) courses: ActiveCourses,
}

/// What is done in a course.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Engagement {
    active_students: Distinct<Text>,
    total_interactions: Count,
    distinct_actions: Distinct<Action>,
    actions: Actions,
    unique_materials_accessed: Distinct<Text>,
    unique_resources_downloaded: Distinct<Text>,
}

/// A row of `course_realtime_engagement_metrics`.
#[derive(Clone, Row)]
pub(super) struct EngagementMetrics {
    window: Window,
    course_id: Option<Text>,
    engagement: Engagement,
    #[row(round2)]
    avg_interactions_per_student: Option<f64>,
}

impl Actions {
    fn of(event: &CourseEvent) -> Actions {
        Actions {
            enrollments: Count::of(event.did(Action::EnrollCourse)),
            material_accesses: Count::of(event.did(Action::AccessMaterial)),
            downloads: Count::of(event.did(Action::DownloadResource)),
        }
    }
}

impl ActiveCourses {
    pub(super) fn of(event: &CourseEvent) -> ActiveCourses {
        ActiveCourses {
            active_courses: Distinct::of(&event.course_id),
            active_students: Distinct::of(&event.user_id),
            total_interactions: Count::one(),
            actions: Actions::of(event),
        }
    }
}

impl ActiveCourses {
    pub(super) fn enrollments(&self) -> i64 {
        self.actions.enrollments.get()
    }
}

impl Engagement {
    pub(super) fn of(event: &CourseEvent) -> Engagement {
        let material = event.material_id.as_ref().filter(|_| event.did(Action::AccessMaterial));
        let resource = event.resource_id.as_ref().filter(|_| event.did(Action::DownloadResource));
        Engagement {
            active_students: Distinct::of(&event.user_id),
            total_interactions: Count::one(),
            distinct_actions: Distinct::of(&event.action),
            actions: Actions::of(event),
            unique_materials_accessed: Distinct::of(material),
            unique_resources_downloaded: Distinct::of(resource),
        }
    }
}

impl EngagementMetrics {
    pub(super) fn new(
        course_id: Option<Text>,
        window: Window,
        engagement: Engagement,
    ) -> EngagementMetrics {
        let (times, students) =
            (engagement.total_interactions.get(), engagement.active_students.get());
        let avg_interactions_per_student = stats::ratio(times, students);
        EngagementMetrics { window, course_id, engagement, avg_interactions_per_student }
    }
}
