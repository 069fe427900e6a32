//! The rows of the job `course` that count one action, in all and per minute.

use highwater::prelude::*;
use highwater_datasets::elearning::CourseEvent;

use super::super::per_minute;

/// Those who did something, and how often.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
pub(super) struct Students {
    users: Distinct<Text>,
    pub(super) times: Count,
}

/// A row of `course_realtime_enrollment_rate`.
#[derive(Clone, Row)]
pub(super) struct EnrollmentRate {
    window: Window,
    course_id: Option<Text>,
    enrollment_count: Count,
    unique_students: Distinct<Text>,
    enrollments_per_minute: Decimal,
}

/// A row of `course_realtime_material_access_5min`.
#[derive(Clone, Row)]
pub(super) struct MaterialAccess {
    window: Window,
    course_id: Option<Text>,
    material_id: Option<Text>,
    unique_students: Distinct<Text>,
    access_count: Count,
    accesses_per_minute: Decimal,
}

/// A row of `course_realtime_download_activity`.
#[derive(Clone, Row)]
pub(super) struct DownloadActivity {
    window: Window,
    course_id: Option<Text>,
    resource_id: Option<Text>,
    unique_downloaders: Distinct<Text>,
    download_count: Count,
    downloads_per_minute: Decimal,
}

impl Students {
    pub(super) fn of(event: &CourseEvent) -> Students {
        Students { users: Distinct::of(&event.user_id), times: Count::one() }
    }
}

impl EnrollmentRate {
    pub(super) fn new(
        course_id: Option<Text>,
        window: Window,
        students: Students,
    ) -> EnrollmentRate {
        EnrollmentRate {
            window,
            course_id,
            enrollments_per_minute: per_minute(&students.times, window),
            enrollment_count: students.times,
            unique_students: students.users,
        }
    }
}

impl MaterialAccess {
    pub(super) fn new(
        (course_id, material_id): (Option<Text>, Option<Text>),
        window: Window,
        students: Students,
    ) -> MaterialAccess {
        MaterialAccess {
            window,
            course_id,
            material_id,
            accesses_per_minute: per_minute(&students.times, window),
            access_count: students.times,
            unique_students: students.users,
        }
    }
}

impl DownloadActivity {
    pub(super) fn new(
        (course_id, resource_id): (Option<Text>, Option<Text>),
        window: Window,
        students: Students,
    ) -> DownloadActivity {
        DownloadActivity {
            window,
            course_id,
            resource_id,
            downloads_per_minute: per_minute(&students.times, window),
            download_count: students.times,
            unique_downloaders: students.users,
        }
    }
}
