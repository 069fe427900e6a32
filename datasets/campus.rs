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
            "timestamp" => field.text_time(&mut self.timestamp),
            "event_category" => field.text(&mut self.event_category),
            "event_type" => field.word(&mut self.event_type),
            "action" => field.word(&mut self.action),
            "user_id" => field.text(&mut self.user_id),
            "role" => field.text(&mut self.role),
            "course_id" => field.text(&mut self.course_id),
            "video_id" => field.text(&mut self.video_id),
            "watch_duration_seconds" => field.i32(&mut self.watch_duration_seconds),
            "assignment_id" => field.text(&mut self.assignment_id),
            "quiz_id" => field.text(&mut self.quiz_id),
            "student_id" => field.text(&mut self.student_id),
            "score" => field.f64(&mut self.score),
            "correct_answers" => field.i32(&mut self.correct_answers),
            "updated_fields" => field.text_list(&mut self.updated_fields),
            "field_name" => field.text(&mut self.field_name),
            "notification_type" => field.text(&mut self.notification_type),
            _ => field.skip(),
        }
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
