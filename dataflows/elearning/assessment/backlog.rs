//! The rows of the job `assessment` about submissions that wait for a grade.

use highwater::prelude::*;
use highwater_datasets::elearning::AssessmentEvent;

/// A submission that waits for its grade.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Submission {
    pub(super) assignment_id: Option<Text>,
    pub(super) student_id: Option<Text>,
}

/// A row of `assessment_realtime_grading_backlog`.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
pub(super) struct GradingBacklog {
    pub(super) assignment_id: Option<Text>,
    pub(super) backlog: i64,
}

impl Submission {
    pub(super) fn of(event: &AssessmentEvent) -> Submission {
        let (assignment_id, student_id) = (event.assignment_id.clone(), event.user_id.clone());
        Submission { assignment_id, student_id }
    }
}
