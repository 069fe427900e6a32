//! The wire types of all systems: their fields, what these are read as, and how one decodes them.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};

use highwater::codec::json::WrittenTime;
use highwater::codec::{At, Decoded, Dialect, Options, TypeErrors, Wire, decode};
use highwater::letter::Reject;
use highwater::row::Position;
use highwater::time::Time;
use highwater_datasets::{campus, chat, elearning, market, shop};

/// What a field is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text that becomes an action or a type of event.
    Word,
    /// A text that names an event.
    Id,
    /// A text that says a number, as prices of books do.
    Number,
    I32,
    F64,
    Bool,
    Texts,
    I32s,
    /// The timestamp type.
    Time,
    /// A time in a text.
    TextTime,
    /// The same, with its text kept.
    WrittenTime,
    /// Milliseconds in a text.
    TextMillis,
    /// Milliseconds as a whole number.
    Millis,
    /// A whole number whose magnitude says its unit.
    Magnitude,
    /// The levels of an order book.
    Levels,
}

/// A wire type.
pub struct Type {
    /// What it is called in messages.
    pub name: &'static str,
    /// Its fields, by their names on the wire.
    pub fields: &'static [(&'static str, Kind)],
    /// Its event time: the name of the field.
    pub time: Option<(&'static str, Kind)>,
    /// Whether the replaced job reads it as an array.
    pub is_array: bool,
    decode: fn(Option<&[u8]>, &Options) -> Outcome,
}

/// What a record becomes.
#[derive(Debug)]
pub struct Outcome {
    /// The number of events, or why there are none.
    pub result: Result<usize, Reject>,
    /// The events as `Debug` shows them, which tells all their fields and `-0.0` from `0.0`.
    pub events: Vec<String>,
    /// The event times.
    pub times: Vec<Option<Time>>,
    /// Elements of an array that are no events.
    pub rejects: Vec<(u32, Reject)>,
    /// Values of the wrong type, by field.
    pub counted: BTreeMap<String, u64>,
}

impl Type {
    /// Decodes a record.
    pub fn decode(&self, record: &str, options: &Options) -> Outcome {
        (self.decode)(Some(record.as_bytes()), options)
    }

    /// Decodes a record that may be no text, or nothing.
    pub fn decode_bytes(&self, record: Option<&[u8]>, options: &Options) -> Outcome {
        (self.decode)(record, options)
    }

    /// A document with all fields, each with a value that no other has.
    pub fn document(&self) -> String {
        self.document_with("", |_, _| None)
    }

    /// The same with other values for some fields; an empty one leaves the field out.
    pub fn document_with(
        &self,
        before: &str,
        other: impl Fn(usize, &str) -> Option<String>,
    ) -> String {
        let mut document = format!("{{{before}");
        for (index, (name, kind)) in self.fields.iter().enumerate() {
            let value = other(index, name).unwrap_or_else(|| kind.sample(index));
            if !value.is_empty() {
                let comma = if document.ends_with(['{', ',']) { "" } else { "," };
                write!(document, "{comma}\"{name}\":{value}").unwrap();
            }
        }
        document + "}"
    }
}

impl Kind {
    /// A good value for the field at an index.
    pub fn sample(self, index: usize) -> String {
        let number = 700_000 + index;
        match self {
            Kind::Text | Kind::Word | Kind::Id => format!("\"sample {index}\""),
            Kind::Number => format!("\"{number}.5\""),
            Kind::I32 => number.to_string(),
            Kind::F64 => format!("{number}.5"),
            Kind::Bool => "true".into(),
            Kind::Texts => format!("[\"sample {index}\"]"),
            Kind::I32s => format!("[{number}]"),
            Kind::Time | Kind::TextTime | Kind::WrittenTime => {
                format!("\"2026-03-01 12:00:{:02}\"", index % 60)
            }
            Kind::TextMillis => format!("\"{}\"", millis(index)),
            Kind::Millis | Kind::Magnitude => millis(index).to_string(),
            Kind::Levels => format!("[{{\"price\":\".{index}\",\"size\":\"{number}.5\"}}]"),
        }
    }

    /// What `Debug` shows of the field that has this sample.
    pub fn shown(self, index: usize) -> String {
        let number = Some(700_000.5 + index as f64);
        let text = format!("sample {index}");
        let time = Some(Time::from_millis(1_772_366_400_000 + 1_000 * (index as i64 % 60)));
        match self {
            Kind::Text => format!("{:?}", Some(text)),
            Kind::Word => format!("Some(Other({text:?}))"),
            Kind::Id => format!("Given({text:?})"),
            Kind::Number => format!("Some(Number({number:?}))"),
            Kind::I32 => format!("{:?}", Some(700_000 + index)),
            Kind::F64 => format!("{number:?}"),
            Kind::Bool => "Some(true)".into(),
            Kind::Texts => format!("{:?}", Some([Some(text)])),
            Kind::I32s => format!("{:?}", Some([Some(700_000 + index)])),
            Kind::Time | Kind::TextTime => format!("{time:?}"),
            Kind::WrittenTime => {
                let text = format!("2026-03-01 12:00:{:02}", index % 60);
                format!("{:?}", Some(WrittenTime::parse(&text)))
            }
            Kind::TextMillis | Kind::Millis | Kind::Magnitude => {
                format!("{:?}", Some(Time::from_millis(millis(index))))
            }
            Kind::Levels => {
                let price = format!(".{index}");
                let size = format!("Some(Number({number:?}))");
                format!("Some([Level {{ price: {:?}, size: {size} }}])", Some(price))
            }
        }
    }

    /// Whether its type is text, which every value but a bare token has.
    pub fn is_text(self) -> bool {
        use Kind::*;
        matches!(self, Text | Word | Id | Number | TextTime | WrittenTime | TextMillis)
    }
}

/// A time that no other field of a document has.
fn millis(index: usize) -> i64 {
    1_772_366_500_000 + index as i64
}

/// Decodes as the job's own dialect has it, so that no field stands in for another.
pub fn plain() -> Options {
    Options { dialect: Dialect::Strict, ..Options::default() }
}

/// A wire type with an event time.
trait Timed: Wire + Debug {
    fn event_time(&self) -> Option<Time>;
}

macro_rules! timed {
    ($($type:ty: |$event:ident| $time:expr,)*) => {
        $(impl Timed for $type {
            fn event_time(&self) -> Option<Time> {
                let $event = self;
                $time
            }
        })*
    };
}

timed! {
    chat::Message: |message| message.timestamp,
    chat::Viewers: |sample| sample.timestamp,
    elearning::AuthEvent: |event| event.timestamp,
    elearning::AssessmentEvent: |event| event.timestamp,
    elearning::VideoEvent: |event| event.timestamp,
    elearning::CourseEvent: |event| event.timestamp,
    elearning::ProfileEvent: |event| event.timestamp,
    elearning::NotificationEvent: |event| event.timestamp,
    campus::Event: |event| event.timestamp,
    market::Candle: |candle| candle.snapshot_time,
    market::Message: |message| message.timestamp,
    market::Level: |_level| None,
    market::Question: |_question| None,
    shop::Event: |event| event.time(),
}

fn read<E: Timed>(bytes: Option<&[u8]>, options: &Options) -> Outcome {
    let position = Position { source: 0, partition: 2, offset: 41, element: 0 };
    let (errors, mut out) = (TypeErrors::default(), Decoded::<E>::default());
    let result = decode(bytes, At { topic: "topic", position }, options, &errors, &mut out);
    assert_eq!(out.events.len(), out.elements.len());
    assert_eq!(out.events.len(), result.as_ref().map_or(0, |count| *count));
    assert!(result.is_ok() || (out.rejects.is_empty() && errors.counts().is_empty()));
    Outcome {
        result,
        events: out.events.iter().map(|event| format!("{event:?}")).collect(),
        times: out.events.iter().map(E::event_time).collect(),
        rejects: out.rejects,
        counted: errors.counts().into_iter().map(|(field, n)| (field.to_string(), n)).collect(),
    }
}

const fn of<E: Timed>(name: &'static str, fields: &'static [(&'static str, Kind)]) -> Type {
    let mut time = None;
    let mut index = 0;
    while index < fields.len() {
        let is_snapshot = matches!(fields[index].1, Kind::Millis) && time.is_none();
        if is_snapshot || fields[index].1.is_event_time() {
            time = Some(fields[index]);
        }
        index += 1;
    }
    Type { name, fields, time, is_array: E::ARRAY, decode: read::<E> }
}

impl Kind {
    const fn is_event_time(self) -> bool {
        matches!(self, Kind::Time | Kind::TextTime | Kind::WrittenTime | Kind::TextMillis)
    }
}

/// All wire types.
pub const TYPES: &[Type] = &[
    of::<chat::Message>("chat.chat", CHAT),
    of::<chat::Viewers>("chat.viewers", VIEWERS),
    of::<elearning::AuthEvent>("elearning.auth", AUTH),
    of::<elearning::AssessmentEvent>("elearning.assessment", ASSESSMENT),
    of::<elearning::VideoEvent>("elearning.video", VIDEO),
    of::<elearning::CourseEvent>("elearning.course", COURSE),
    of::<elearning::ProfileEvent>("elearning.profile", PROFILE),
    of::<elearning::NotificationEvent>("elearning.notification", NOTIFICATION),
    of::<campus::Event>("campus", CAMPUS),
    of::<market::Candle>("market.binance", CANDLE),
    of::<market::Message>("market.polymarket_trade", TRADE),
    of::<market::Level>("market.polymarket_trade.bids", LEVEL),
    of::<market::Question>("market.polymarket_metadata", QUESTION),
    of::<market::Question>("market.polymarket_metadata, as an event", GAMMA),
    of::<shop::Event>("shop", SHOP),
];

type Fields = &'static [(&'static str, Kind)];

const CHAT: Fields = &[
    ("event_id", Kind::Text),
    ("timestamp", Kind::Time),
    ("stream_id", Kind::Text),
    ("user_id", Kind::Text),
    ("username", Kind::Text),
    ("message", Kind::Text),
    ("emotes", Kind::Texts),
    ("channel", Kind::Text),
    ("message_id", Kind::Text),
    ("transaction_id", Kind::Text),
];

const VIEWERS: Fields = &[
    ("event_id", Kind::Text),
    ("timestamp", Kind::Time),
    ("stream_id", Kind::Text),
    ("viewer_count", Kind::I32),
    ("channel", Kind::Text),
    ("message_id", Kind::Text),
    ("transaction_id", Kind::Text),
];

/// Fields that all topics of e-learning share, and those of a topic.
macro_rules! elearning {
    ($($field:tt)*) => {
        &[
            ("event_id", Kind::Id),
            ("timestamp", Kind::TextTime),
            ("action", Kind::Word),
            ("event_type", Kind::Word),
            ("user_id", Kind::Text),
            $($field)*
        ]
    };
}

const AUTH: Fields = elearning![("success", Kind::Bool)];

const ASSESSMENT: Fields = elearning![
    ("course_id", Kind::Text),
    ("assignment_id", Kind::Text),
    ("student_id", Kind::Text),
    ("quiz_id", Kind::Text),
    ("score", Kind::F64),
    ("max_score", Kind::F64),
    ("correct_answers", Kind::I32),
    ("total_questions", Kind::I32),
];

const VIDEO: Fields = elearning![
    ("course_id", Kind::Text),
    ("video_id", Kind::Text),
    ("watch_duration_seconds", Kind::I32),
];

const COURSE: Fields = elearning![
    ("course_id", Kind::Text),
    ("material_id", Kind::Text),
    ("resource_id", Kind::Text),
    ("item_id", Kind::Text),
];

const PROFILE: Fields = elearning![("field_name", Kind::Text), ("updated_fields", Kind::Texts)];

const NOTIFICATION: Fields =
    elearning![("notification_id", Kind::Text), ("notification_type", Kind::Text)];

const CAMPUS: Fields = &[
    ("timestamp", Kind::TextTime),
    ("event_category", Kind::Text),
    ("event_type", Kind::Word),
    ("user_id", Kind::Text),
    ("role", Kind::Text),
    ("course_id", Kind::Text),
    ("video_id", Kind::Text),
    ("watch_duration_seconds", Kind::I32),
    ("assignment_id", Kind::Text),
    ("quiz_id", Kind::Text),
    ("student_id", Kind::Text),
    ("score", Kind::F64),
    ("correct_answers", Kind::I32),
    ("updated_fields", Kind::Texts),
    ("notification_type", Kind::Text),
    ("action", Kind::Word),
    ("field_name", Kind::Text),
];

const CANDLE: Fields = &[
    ("timestamp", Kind::Magnitude),
    ("snapshot_time", Kind::Millis),
    ("close_time", Kind::Millis),
    ("symbol", Kind::Text),
    ("open", Kind::F64),
    ("high", Kind::F64),
    ("low", Kind::F64),
    ("close", Kind::F64),
    ("volume", Kind::F64),
    ("quote_asset_volume", Kind::F64),
    ("taker_buy_base", Kind::F64),
    ("taker_buy_quote", Kind::F64),
];

const TRADE: Fields = &[
    ("event_type", Kind::Text),
    ("market", Kind::Text),
    ("timestamp", Kind::TextMillis),
    ("price", Kind::Number),
    ("size", Kind::Number),
    ("bids", Kind::Levels),
    ("asks", Kind::Levels),
];

const LEVEL: Fields = &[("price", Kind::Text), ("size", Kind::Number)];

const QUESTION: Fields =
    &[("conditionId", Kind::Text), ("slug", Kind::Text), ("question", Kind::Text)];

const GAMMA: Fields = &[("market", Kind::Text), ("slug", Kind::Text), ("title", Kind::Text)];

const SHOP: Fields = &[
    ("event_id", Kind::Text),
    ("event_type", Kind::Text),
    ("user_id", Kind::Text),
    ("timestamp", Kind::WrittenTime),
    ("device", Kind::Text),
    ("location", Kind::Text),
    ("session_id", Kind::Text),
    ("login_method", Kind::Text),
    ("success", Kind::Bool),
    ("page", Kind::Text),
    ("referrer", Kind::Text),
    ("duration_seconds", Kind::I32),
    ("item_id", Kind::Text),
    ("category", Kind::Text),
    ("position", Kind::I32),
    ("order_id", Kind::Text),
    ("items", Kind::Texts),
    ("quantities", Kind::I32s),
    ("total_amount", Kind::F64),
    ("currency", Kind::Text),
    ("payment_method", Kind::Text),
    ("quantity", Kind::I32),
    ("price", Kind::F64),
    ("search_query", Kind::Text),
    ("results_count", Kind::I32),
    ("clicked_position", Kind::I32),
    ("rating", Kind::I32),
];

/// Fields that no value of the wire fills, or that another one takes over.
const NEVER_FILLED: [&str; 3] = ["key", "more_fields", "markets"];

#[test]
fn the_lists_name_every_field_that_a_type_has() {
    for one in TYPES {
        let outcome = one.decode(&one.document(), &plain());
        assert_eq!(outcome.result, Ok(1), "{}", one.name);
        assert!(outcome.counted.is_empty(), "{}: {:?}", one.name, outcome.counted);
        let mut event = outcome.events[0].clone();
        for name in NEVER_FILLED {
            event = event.replace(&format!("{name}: None"), "");
        }
        assert!(!event.contains("None"), "{}: {event}", one.name);
        for (index, (name, kind)) in one.fields.iter().enumerate() {
            let found = event.matches(&kind.shown(index)).count();
            assert_eq!(found, 1, "{}.{name} in {event}", one.name);
        }
    }
}
