//! Campus: the topics of e-learning as one deployment reads them, all six as one stream.
//!
//! The job reads the producer's names. A record in the dialect of the jobs of e-learning is mapped
//! back:
//!
//! ```text
//! event_type      given    ─► the record passes as it is
//!                 missing  ─► what `action` is called by the producer, or itself
//! updated_fields  of such a record ← field_name
//! ```

mod event_type;
#[cfg(test)]
mod tests;

use highwater::codec::{At, Dialect, Field, Wire};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

pub use event_type::EventType;

/// An event of any of the topics; what a topic does not have is NULL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// When it happened.
    pub timestamp: Option<Time>,
    /// `AUTH`, `VIDEO`, …
    pub event_category: Option<Text>,
    /// What was done, in the producer's words.
    pub event_type: Option<EventType>,
    /// Who did it, or to whom it was done.
    pub user_id: Option<Text>,
    /// `student` or `teacher`.
    pub role: Option<Text>,
    /// In which course.
    pub course_id: Option<Text>,
    /// Which video.
    pub video_id: Option<Text>,
    /// How long it was watched.
    pub watch_duration_seconds: Option<i32>,
    /// Which assignment.
    pub assignment_id: Option<Text>,
    /// Which quiz.
    pub quiz_id: Option<Text>,
    /// Whose work is looked at or graded.
    pub student_id: Option<Text>,
    /// Points of a grade.
    pub score: Option<f64>,
    /// How many answers of a quiz were right.
    pub correct_answers: Option<i32>,
    /// Which fields of a profile were changed.
    pub updated_fields: Option<Vec<Option<Text>>>,
    /// What a notification is about.
    pub notification_type: Option<Text>,
    /// Whether it comes from the topic of courses.
    pub is_of_course_topic: bool,
    action: Option<EventType>,
    field_name: Option<Text>,
}

impl Event {
    /// Whether this is what was done.
    #[inline]
    pub fn is(&self, event_type: EventType) -> bool {
        self.event_type.as_ref() == Some(&event_type)
    }
}

impl Wire for Event {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "timestamp" => self.timestamp = field.text_time()?,
            "event_category" => self.event_category = field.text()?,
            "event_type" => self.event_type = field.word()?,
            "action" => self.action = field.word()?,
            "user_id" => self.user_id = field.text()?,
            "role" => self.role = field.text()?,
            "course_id" => self.course_id = field.text()?,
            "video_id" => self.video_id = field.text()?,
            "watch_duration_seconds" => self.watch_duration_seconds = field.i32()?,
            "assignment_id" => self.assignment_id = field.text()?,
            "quiz_id" => self.quiz_id = field.text()?,
            "student_id" => self.student_id = field.text()?,
            "score" => self.score = field.f64()?,
            "correct_answers" => self.correct_answers = field.i32()?,
            "updated_fields" => self.updated_fields = field.text_list()?,
            "field_name" => self.field_name = field.text()?,
            "notification_type" => self.notification_type = field.text()?,
            _ => field.skip()?,
        }
        Ok(())
    }

    fn normalise(&mut self, dialect: Dialect, at: At<'_>) {
        self.is_of_course_topic = at.topic == "course";
        if dialect == Dialect::Strict || self.event_type.is_some() {
            return;
        }
        self.event_type = self.action.take().map(EventType::of_producer);
        self.updated_fields = self.field_name.take().map(|field| vec![Some(field)]);
    }
}
