//! Chat telemetry of live streams: messages and viewer counts.
//!
//! Two dialects meet in these topics. The job reads `event_id` and `stream_id`; the producer sends
//! `message_id` and `channel`. Both are read into fields of their own, and `normalise` brings them
//! together:
//!
//! ```text
//! stream_id ← stream_id, else channel
//! event_id  ← event_id, else message_id, else transaction_id, else <topic>-<partition>-<offset>
//! ```
//!
//! What no view reads (badges, bits, colours, …) is skipped, not kept.

mod audience;
mod generator;
mod records;
mod unread;
mod words;

use highwater::codec::{At, Dialect, Field, Wire};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

pub use generator::KIND;

/// A message in the chat of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Names the message, for `dedup`; never none in the dialect `auto`.
    pub event_id: Option<Text>,
    /// When it was written.
    pub timestamp: Option<Time>,
    /// In the chat of which stream.
    pub stream_id: Option<Text>,
    /// Who wrote it.
    pub user_id: Option<Text>,
    /// The writer's name, as readers see it.
    pub username: Option<Text>,
    /// What was written; `message` on the wire.
    pub text: Option<Text>,
    /// The emotes in it.
    pub emotes: Option<Vec<Option<Text>>>,
    names: ProducerNames,
}

/// How many people watch a stream at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Viewers {
    /// Names the sample, for `dedup`; never none in the dialect `auto`.
    pub event_id: Option<Text>,
    /// When they were counted.
    pub timestamp: Option<Time>,
    /// Who watches which stream.
    pub stream_id: Option<Text>,
    /// How many they are.
    pub viewer_count: Option<i32>,
    names: ProducerNames,
}

impl Wire for Message {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "event_id" => field.text(&mut self.event_id),
            "timestamp" => field.time(&mut self.timestamp),
            "stream_id" => field.text(&mut self.stream_id),
            "user_id" => field.text(&mut self.user_id),
            "username" => field.text(&mut self.username),
            "message" => field.text(&mut self.text),
            "emotes" => field.text_list(&mut self.emotes),
            _ => self.names.field(name, field),
        }
    }

    fn normalise(&mut self, dialect: Dialect, at: At<'_>) {
        if dialect == Dialect::Auto {
            self.names.settle(&mut self.event_id, &mut self.stream_id, at);
        }
    }
}

impl Wire for Viewers {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "event_id" => field.text(&mut self.event_id),
            "timestamp" => field.time(&mut self.timestamp),
            "stream_id" => field.text(&mut self.stream_id),
            "viewer_count" => field.i32(&mut self.viewer_count),
            _ => self.names.field(name, field),
        }
    }

    fn normalise(&mut self, dialect: Dialect, at: At<'_>) {
        if dialect == Dialect::Auto {
            self.names.settle(&mut self.event_id, &mut self.stream_id, at);
        }
    }
}

/// What the producer calls the id of an event and its stream.
#[derive(Clone, Debug, Default, PartialEq)]
struct ProducerNames {
    channel: Option<Text>,
    message_id: Option<Text>,
    transaction_id: Option<Text>,
}

impl ProducerNames {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "channel" => field.text(&mut self.channel),
            "message_id" => field.text(&mut self.message_id),
            "transaction_id" => field.text(&mut self.transaction_id),
            _ => field.skip(),
        }
    }

    /// Moves the producer's names to where the job's are missing.
    #[inline]
    fn settle(&mut self, event_id: &mut Option<Text>, stream_id: &mut Option<Text>, at: At<'_>) {
        if stream_id.is_none() {
            *stream_id = self.channel.take();
        }
        if event_id.is_none() {
            let other = self.message_id.take().or_else(|| self.transaction_id.take());
            *event_id = Some(other.unwrap_or_else(|| id_of_place(at)));
        }
    }
}

/// An id for an event that has none; events of one array record are told apart.
#[cold]
fn id_of_place(at: At<'_>) -> Text {
    let (partition, offset) = (at.position.partition, at.position.offset);
    let id = format!("{}-{partition}-{offset}", at.topic);
    match at.position.element {
        0 => id.into(),
        element => format!("{id}-{element}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::row::Position;

    fn text(text: &str) -> Option<Text> {
        Some(text.into())
    }

    fn normalised(mut message: Message, dialect: Dialect, element: u32) -> Message {
        let position = Position { source: 0, partition: 2, offset: 41, element };
        message.normalise(dialect, At { topic: "chat", position });
        message
    }

    fn produced(message_id: Option<Text>, transaction_id: Option<Text>) -> Message {
        let names = ProducerNames { channel: text("demo_stream"), message_id, transaction_id };
        Message { names, ..Message::default() }
    }

    #[test]
    fn the_producers_names_stand_in_for_the_jobs() {
        let check = |message, expect: &str| {
            let message = normalised(message, Dialect::Auto, 0);
            assert_eq!(message.event_id, text(expect));
            assert_eq!(message.stream_id, text("demo_stream"));
        };
        check(produced(text("m"), text("t")), "m");
        check(produced(None, text("t")), "t");
        check(produced(None, None), "chat-2-41");
    }

    #[test]
    fn events_of_one_array_record_have_different_ids() {
        let message = normalised(produced(None, None), Dialect::Auto, 3);
        assert_eq!(message.event_id, text("chat-2-41-3"));
    }

    #[test]
    fn the_jobs_fields_win() {
        let message =
            Message { event_id: text("e"), stream_id: text("s"), ..produced(text("m"), None) };
        let message = normalised(message, Dialect::Auto, 0);
        assert_eq!((message.event_id, message.stream_id), (text("e"), text("s")));
    }

    #[test]
    fn the_strict_dialect_changes_nothing() {
        let message = produced(text("m"), text("t"));
        assert_eq!(normalised(message.clone(), Dialect::Strict, 0), message);
    }

    #[test]
    fn viewers_are_brought_together_alike() {
        let mut sample = Viewers { names: produced(None, None).names, ..Viewers::default() };
        let at = At { topic: "viewers", position: Position::default() };
        sample.normalise(Dialect::Auto, at);
        assert_eq!(sample.stream_id, text("demo_stream"));
        assert_eq!(sample.event_id, text("viewers-0-0"));
    }
}
