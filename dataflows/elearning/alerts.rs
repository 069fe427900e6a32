//! When something is worth an alert: the thresholds of the system, each the parameter
//! `alerts.<name>` with the name of the replaced system.

use highwater::prelude::*;

/// The alerts, and of which number each speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alerts {
    /// Failed logins in a window of T1: of one user, and of all.
    pub(super) failed_logins: Alert,
    /// Users with more logins than logouts in a window of S5/1.
    pub(super) concurrent_sessions: Alert,
    /// Submissions in a window of T1.
    pub(super) submission_spike: Alert,
    /// Submissions of an assignment without a grade in their window of T5.
    pub(super) grading_queue: Alert,
    /// Users who watch a video in a window of S5/1.
    pub(super) concurrent_viewers: Alert,
    /// Share of the starts of a video that were completed in a window of T5, from 0 to 1.
    pub(super) engagement_rate: Alert,
    /// Enrolments in a window of T1.
    pub(super) enrollment_spike: Alert,
    /// How often a material was opened in a window of T5.
    pub(super) material_access_spike: Alert,
}

impl Alerts {
    pub(super) fn read(flow: &Flow, parameters: &mut Parameters) -> Result<Alerts> {
        let mut alerts = flow.alerts(parameters)?;
        Ok(Alerts {
            failed_logins: alerts.above("auth.failed_login_threshold", 10.0)?,
            concurrent_sessions: alerts.above("auth.max_concurrent_sessions", 1_000.0)?,
            submission_spike: alerts.above("assessment.submission_spike_threshold", 50.0)?,
            grading_queue: alerts.above("assessment.grading_queue_max", 100.0)?,
            concurrent_viewers: alerts.above("video.concurrent_viewer_max", 500.0)?,
            engagement_rate: alerts.below("video.engagement_rate_min", 0.3)?,
            enrollment_spike: alerts.above("course.enrollment_spike_threshold", 20.0)?,
            material_access_spike: alerts.above("course.material_access_spike", 100.0)?,
        })
    }
}
