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
            "course_id" => self.course_id = field.text()?,
            "assignment_id" => self.assignment_id = field.text()?,
            "student_id" => self.student_id = field.text()?,
            "quiz_id" => self.quiz_id = field.text()?,
            "score" => self.score = field.f64()?,
            "max_score" => self.max_score = field.f64()?,
            "correct_answers" => self.correct_answers = field.i32()?,
            "total_questions" => self.total_questions = field.i32()?,
            _ => field.skip()?,
        }
        Ok(())
    }
}
