//! The job `course`: enrolments, materials that are opened, downloads.

mod engagement;
mod rates;

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, Course, CourseEvent};

use super::{Grid, Job, View, names};
use engagement::{ActiveCourses, ActiveCoursesRow, Engagement, EngagementMetrics};
use rates::{DownloadActivity, EnrollmentRate, MaterialAccess, Students};

const VIEWS: [View<Course>; 5] = [
    ("course_realtime_active_courses_1min", active_courses_1min),
    ("course_realtime_enrollment_rate", enrollment_rate),
    ("course_realtime_material_access_5min", material_access_5min),
    ("course_realtime_download_activity", download_activity),
    ("course_realtime_engagement_metrics", engagement_metrics),
];

/// Reads the parameters and builds the dataflow.
pub fn course(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let job = Job::read((flow, "course"), &names(&VIEWS), &[], parameters)?;
    job.read_topic(flow, "course", &VIEWS);
    Ok(())
}

/// How many courses and students are active, minute by minute.
fn active_courses_1min(course: &Stream<CourseEvent>, grid: &Grid, view: &str) {
    course
        .window(grid.micro)
        .accumulate(ActiveCourses::of)
        .alert(grid.alerts.enrollment_spike, view, &[], |all| all.enrollments() as f64)
        .rows(|(), window, courses| ActiveCoursesRow { window, courses })
        .sink(view);
}

/// Enrolments in each course, per minute.
fn enrollment_rate(course: &Stream<CourseEvent>, grid: &Grid, view: &str) {
    course
        .filter(|event| event.did(Action::EnrollCourse))
        .key_by(|event| event.course_id.clone())
        .window(grid.short)
        .accumulate(Students::of)
        .rows(EnrollmentRate::new)
        .sink(view);
}

/// How often each material is opened, per minute.
fn material_access_5min(course: &Stream<CourseEvent>, grid: &Grid, view: &str) {
    course
        .filter(|event| event.did(Action::AccessMaterial))
        .key_by(|event| (event.course_id.clone(), event.material_id.clone()))
        .window(grid.short)
        .accumulate(Students::of)
        .alert(grid.alerts.material_access_spike, view, &["course_id", "material_id"], |students| {
            students.times.get() as f64
        })
        .rows(MaterialAccess::new)
        .sink(view);
}

/// How often each resource is downloaded, per minute.
fn download_activity(course: &Stream<CourseEvent>, grid: &Grid, view: &str) {
    course
        .filter(|event| event.did(Action::DownloadResource))
        .key_by(|event| (event.course_id.clone(), event.resource_id.clone()))
        .window(grid.short)
        .accumulate(Students::of)
        .rows(DownloadActivity::new)
        .sink(view);
}

/// What is done in each course: five minutes, every minute.
fn engagement_metrics(course: &Stream<CourseEvent>, grid: &Grid, view: &str) {
    course
        .key_by(|event| event.course_id.clone())
        .window(grid.sliding)
        .accumulate(Engagement::of)
        .rows(EngagementMetrics::new)
        .sink(view);
}
