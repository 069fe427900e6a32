//! The rows of the job `assessment` about what each student does.

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, AssessmentEvent};

/// What a student does in a course.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Activity {
    event_count: Count,
    distinct_actions: Distinct<Action>,
    views: Count,
    submissions: Count,
    quiz_starts: Count,
}

/// A row of `assessment_realtime_active_students`.
#[derive(Clone, Row)]
pub(super) struct ActiveStudents {
    pub(super) window: Window,
    pub(super) user_id: Option<Text>,
    pub(super) course_id: Option<Text>,
    pub(super) activity: Activity,
}

/// What a student does in a quiz.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
pub(super) struct Attempts {
    event_count: Count,
    starts: Count,
    answers: Count,
    completions: Count,
    #[row(round2)]
    avg_correct_answers: Mean,
    #[row(round2)]
    avg_total_questions: Mean,
}

/// A row of `assessment_realtime_quiz_attempts`.
#[derive(Clone, Row)]
pub(super) struct QuizAttempts {
    pub(super) window: Window,
    pub(super) quiz_id: Option<Text>,
    pub(super) user_id: Option<Text>,
    pub(super) attempts: Attempts,
}

impl Activity {
    pub(super) fn of(event: &AssessmentEvent) -> Activity {
        Activity {
            event_count: Count::one(),
            distinct_actions: Distinct::of(&event.action),
            views: Count::of(event.did(Action::ViewAssignmentFirstTime)),
            submissions: Count::of(event.did(Action::SubmitAssignment)),
            quiz_starts: Count::of(event.did(Action::StartQuiz)),
        }
    }
}

impl Attempts {
    pub(super) fn of(event: &AssessmentEvent) -> Attempts {
        Attempts {
            event_count: Count::one(),
            starts: Count::of(event.did(Action::StartQuiz)),
            answers: Count::of(event.did(Action::AnswerQuestion)),
            completions: Count::of(event.did(Action::CompleteQuiz)),
            avg_correct_answers: Mean::of(event.correct_answers),
            avg_total_questions: Mean::of(event.total_questions),
        }
    }
}
