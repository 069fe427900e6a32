//! CA-06: what is submitted, graded and completed.

use highwater::prelude::*;
use highwater_datasets::campus::{Event, EventType};

use super::TEN;

/// Scores of each assignment and quiz.
pub(super) fn assessment_scores(assessment: &Stream<Event>) {
    assessment
        .filter(|event| event.quiz_id.is_some() || event.assignment_id.is_some())
        .key_by(Item::of)
        .window(TEN)
        .accumulate(Scores::of)
        .rows(AssessmentScores::new)
        .updates()
        .sink("realtime_assessment_scores");
}

/// An assignment or a quiz of a course.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Item {
    course_id: Text,
    item_id: Text,
    is_quiz: bool,
}

impl Key for Item {
    fn heap_bytes(&self) -> usize {
        self.course_id.heap_bytes() + self.item_id.heap_bytes()
    }
}

/// What the events of an item add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Scores {
    submissions: Count,
    graded: Count,
    #[row(round2)]
    avg_score: Mean,
    min_score: Min<f64>,
    max_score: Max<f64>,
    quizzes_completed: Count,
    #[row(round2)]
    avg_correct_answers: Mean,
    unique_students: Distinct<Text>,
}

/// A row of `realtime_assessment_scores`.
#[derive(Clone, Row)]
struct AssessmentScores {
    course_id: Text,
    window_start: Time,
    item_id: Text,
    item_type: Text,
    window_end: Time,
    scores: Scores,
}

impl Item {
    fn of(event: &Event) -> Item {
        let item = event.quiz_id.as_ref().or(event.assignment_id.as_ref());
        Item {
            course_id: event.course_id.clone().unwrap_or_else(|| "_none".into()),
            item_id: item.cloned().unwrap_or_default(),
            is_quiz: event.quiz_id.is_some(),
        }
    }
}

impl Scores {
    fn of(event: &Event) -> Scores {
        let (graded, completed) =
            (event.is(EventType::GradeAssignment), event.is(EventType::QuizCompleted));
        let score = event.score.filter(|_| graded);
        Scores {
            submissions: Count::of(event.is(EventType::SubmitAssignment)),
            graded: Count::of(graded),
            avg_score: Mean::of(score),
            min_score: Min::of(score),
            max_score: Max::of(score),
            quizzes_completed: Count::of(completed),
            avg_correct_answers: Mean::of(event.correct_answers.filter(|_| completed)),
            unique_students: Distinct::of(event.student_id.as_ref().or(event.user_id.as_ref())),
        }
    }
}

impl AssessmentScores {
    fn new(item: Item, window: Window, scores: Scores) -> AssessmentScores {
        AssessmentScores {
            course_id: item.course_id,
            window_start: window.start,
            item_id: item.item_id,
            item_type: if item.is_quiz { "quiz" } else { "assignment" }.into(),
            window_end: window.end,
            scores,
        }
    }
}
