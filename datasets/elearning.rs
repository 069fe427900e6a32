//! E-learning: what users do on a learning platform, in six topics.
//!
//! Two dialects meet in these topics. The jobs read `action`; the producer sends `event_type`,
//! partly with other names. Each topic has its table of them:
//!
//! ```text
//! action    given    ─► the record passes as it is
//!           missing  ─► what `event_type` is called in the jobs, or itself where no table knows
//!                       it; fields that the producer calls otherwise, or leaves out, are filled
//! event_id  missing  ─► <topic>-<partition>-<offset>
//! ```
//!
//! What no view reads (roles, sessions, addresses, …) is skipped, not kept.

mod action;
mod assessment;
mod auth;
mod course;
mod event_id;
mod notification;
mod profile;
mod video;

use std::ops::Deref;

use highwater::codec::{At, Dialect, Field, Wire};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

pub use action::Action;
pub use assessment::Assessment;
pub use auth::Auth;
pub use course::Course;
pub use event_id::EventId;
pub use notification::Notification;
pub use profile::Profile;
pub use video::Video;

/// An event of the topic `auth`.
pub type AuthEvent = Event<Auth>;
/// An event of the topic `assessment`.
pub type AssessmentEvent = Event<Assessment>;
/// An event of the topic `video`.
pub type VideoEvent = Event<Video>;
/// An event of the topic `course`.
pub type CourseEvent = Event<Course>;
/// An event of the topic `profile`.
pub type ProfileEvent = Event<Profile>;
/// An event of the topic `notification`.
pub type NotificationEvent = Event<Notification>;

/// An event: what all topics share, and the fields of its topic, which it dereferences to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<T> {
    /// Names the event, for `dedup`; never none in the dialect `auto`.
    pub event_id: EventId,
    /// When it happened.
    pub timestamp: Option<Time>,
    /// What was done.
    pub action: Option<Action>,
    /// Who did it, or to whom it was done.
    pub user_id: Option<Text>,
    /// The fields of its topic.
    pub fields: T,
    /// What the producer calls the action.
    event_type: Option<Action>,
}

/// The fields of a topic, and how its producer calls what the jobs read.
pub trait Topic: Clone + Default + Send + Sync + 'static {
    /// The producer's names of actions that the jobs call otherwise.
    const RENAMED: &'static [(&'static str, Action)];

    /// As [`Wire::field`].
    ///
    /// # Errors
    ///
    /// Those of the parser.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error>;

    /// Fills the fields that the producer calls otherwise, or leaves out; `action` is in the words
    /// of the jobs.
    fn fill(&mut self, _action: &Action) {}
}

impl<T> Event<T> {
    /// Whether this is what was done.
    #[inline]
    pub fn did(&self, action: Action) -> bool {
        self.action.as_ref() == Some(&action)
    }
}

impl<T> Deref for Event<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.fields
    }
}

impl<T: Topic> Wire for Event<T> {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "event_id" => {
                let mut id = None;
                field.text(&mut id)?;
                self.event_id = id.into();
            }
            "timestamp" => field.text_time(&mut self.timestamp)?,
            "action" => field.word(&mut self.action)?,
            "event_type" => field.word(&mut self.event_type)?,
            "user_id" => field.text(&mut self.user_id)?,
            _ => self.fields.field(name, field)?,
        }
        Ok(())
    }

    fn normalise(&mut self, dialect: Dialect, at: At<'_>) {
        if dialect == Dialect::Strict {
            return;
        }
        if self.action.is_none()
            && let Some(event_type) = self.event_type.take()
        {
            let action = event_type.renamed(T::RENAMED);
            self.fields.fill(&action);
            self.action = Some(action);
        }
        if self.event_id == EventId::None {
            self.event_id = EventId::of_place(at);
        }
    }
}

#[cfg(test)]
mod tests;
