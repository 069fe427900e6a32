//! The topic `assessment`: assignments and quizzes.

use highwater::codec::Field;
use highwater::text::Text;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Of which course.
    pub course_id: Option<Text>,
    /// Which assignment.
    pub assignment_id: Option<Text>,
    /// Whose work is graded.
    pub student_id: Option<Text>,
    /// Which quiz.
    pub quiz_id: Option<Text>,
    /// Points that were reached.
    pub score: Option<f64>,
    /// Points that could be reached.
    pub max_score: Option<f64>,
    /// How many answers of a quiz were right.
    pub correct_answers: Option<i32>,
    /// How many questions a quiz has.
    pub total_questions: Option<i32>,
}

impl Topic for Assessment {
    const RENAMED: &'static [(&'static str, Action)] = &[("QUIZ_COMPLETED", Action::CompleteQuiz)];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "course_id" => field.text(&mut self.course_id),
            "assignment_id" => field.text(&mut self.assignment_id),
            "student_id" => field.text(&mut self.student_id),
            "quiz_id" => field.text(&mut self.quiz_id),
            "score" => field.f64(&mut self.score),
            "max_score" => field.f64(&mut self.max_score),
            "correct_answers" => field.i32(&mut self.correct_answers),
            "total_questions" => field.i32(&mut self.total_questions),
            _ => field.skip(),
        }
    }
}
