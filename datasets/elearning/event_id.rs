//! [`EventId`]: what an event is called.

use highwater::codec::At;
use highwater::row::Position;
use highwater::text::Text;

/// The name of an event. One that is made from the event's place is spelled out only when
/// somebody asks for it, as nearly nobody does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum EventId {
    /// It has none.
    #[default]
    None,
    /// The one it came with.
    Given(Text),
    /// None of its own, but a place in the log: of a topic, or of the source that reads it.
    Place(Text, Position),
}

impl EventId {
    /// The name of an event that has none; events of one array record are told apart.
    #[inline]
    pub fn of_place(at: At<'_>) -> EventId {
        EventId::Place(at.topic.into(), at.position)
    }

    /// The name as text.
    ///
    /// ```
    /// use highwater::row::Position;
    /// use highwater_datasets::elearning::EventId;
    ///
    /// let position = Position { source: 0, partition: 2, offset: 41, element: 0 };
    /// assert_eq!(EventId::Place("auth".into(), position).text().as_deref(), Some("auth-2-41"));
    /// assert_eq!(EventId::Given("a".into()).text().as_deref(), Some("a"));
    /// assert_eq!(EventId::None.text(), None);
    /// ```
    pub fn text(&self) -> Option<Text> {
        match self {
            EventId::None => None,
            EventId::Given(id) => Some(id.clone()),
            EventId::Place(topic, Position { partition, offset, element, .. }) => {
                let id = format!("{topic}-{partition}-{offset}");
                Some(match element {
                    0 => id.into(),
                    element => format!("{id}-{element}").into(),
                })
            }
        }
    }
}

impl From<Option<Text>> for EventId {
    #[inline]
    fn from(id: Option<Text>) -> EventId {
        id.map_or(EventId::None, EventId::Given)
    }
}
