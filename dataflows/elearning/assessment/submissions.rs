//! The rows of the job `assessment` about submissions, and what of them is graded.

use highwater::prelude::*;
use highwater_datasets::elearning::AssessmentEvent;

use super::super::per_minute;

/// Submissions and their scores.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Submissions {
    pub(super) total_submissions: Count,
    unique_students: Distinct<Text>,
    unique_assignments: Distinct<Text>,
    #[row(round2)]
    avg_score: Mean,
    min_score: Min<f64>,
    max_score: Max<f64>,
}

/// A row of `assessment_realtime_submissions_1min`.
#[derive(Clone, Row)]
pub(super) struct TotalSubmissions {
    pub(super) window: Window,
    pub(super) submissions: Submissions,
}

/// Those who did something, and how often.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
pub(super) struct People {
    times: Count,
    users: Distinct<Text>,
}

/// A row of `assessment_realtime_grading_queue`.
#[derive(Clone, Row)]
pub(super) struct GradingQueue {
    window: Window,
    assignment_id: Option<Text>,
    submissions: i64,
    students_submitted: i64,
    graded: i64,
    /// How many graded, whatever the name says.
    students_graded: i64,
    pub(super) pending_grading: i64,
}

/// Submissions of a course.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct SubmissionsOfCourse {
    submissions: Count,
    unique_students: Distinct<Text>,
    unique_assignments: Distinct<Text>,
    #[row(round2)]
    avg_score: Mean,
    #[row(round2)]
    avg_percentage: Mean,
}

/// A row of `assessment_realtime_submission_rate`.
#[derive(Clone, Row)]
pub(super) struct SubmissionRate {
    window: Window,
    course_id: Option<Text>,
    submissions: SubmissionsOfCourse,
    submissions_per_minute: Decimal,
}

impl Submissions {
    pub(super) fn of(submission: &AssessmentEvent) -> Submissions {
        Submissions {
            total_submissions: Count::one(),
            unique_students: Distinct::of(&submission.user_id),
            unique_assignments: Distinct::of(&submission.assignment_id),
            avg_score: Mean::of(submission.score),
            min_score: Min::of(submission.score),
            max_score: Max::of(submission.score),
        }
    }
}

impl People {
    pub(super) fn of(event: &AssessmentEvent) -> People {
        People { times: Count::one(), users: Distinct::of(&event.user_id) }
    }
}

impl GradingQueue {
    pub(super) fn new(
        assignment_id: Option<Text>,
        window: Window,
        submitted: People,
        graded: Option<People>,
    ) -> GradingQueue {
        let graded = graded.unwrap_or_default();
        let (submissions, grades) = (submitted.times.get(), graded.times.get());
        GradingQueue {
            window,
            assignment_id,
            submissions,
            students_submitted: submitted.users.get(),
            graded: grades,
            students_graded: graded.users.get(),
            pending_grading: submissions - grades,
        }
    }
}

impl SubmissionsOfCourse {
    pub(super) fn of(submission: &AssessmentEvent) -> SubmissionsOfCourse {
        let share = stats::ratio(submission.score, submission.max_score);
        SubmissionsOfCourse {
            submissions: Count::one(),
            unique_students: Distinct::of(&submission.user_id),
            unique_assignments: Distinct::of(&submission.assignment_id),
            avg_score: Mean::of(submission.score),
            avg_percentage: Mean::of(share.map(|share| share * 100.0)),
        }
    }
}

impl SubmissionRate {
    pub(super) fn new(
        course_id: Option<Text>,
        window: Window,
        submissions: SubmissionsOfCourse,
    ) -> SubmissionRate {
        let submissions_per_minute = per_minute(&submissions.submissions, window);
        SubmissionRate { window, course_id, submissions, submissions_per_minute }
    }
}
