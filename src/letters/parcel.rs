//! What of a letter is sent into a topic again, and why some are not.
//!
//! A letter about an element of an array is sent as a record of that element alone: what else was
//! in the array has been read already. A letter with a place is about a record that other views
//! have used, which would count twice there.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IgnoredAny;
use serde_json::Deserializer;
use sha2::{Digest, Sha256};

use crate::letter::{Letter, Reason};
use crate::text::Text;
use crate::time::Time;

/// A record to be sent, and the letter that it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The topic that it goes to.
    pub topic: String,
    /// The source of the letter.
    pub source: Text,
    /// Its partition, offset, and element of an array.
    pub at: (u32, i64, Option<u32>),
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Its value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The time that the service kept with it.
    pub time: Option<Time>,
    /// Why it was refused.
    pub reason: Reason,
}

impl Parcel {
    /// What tells it from all others, in words: two letters of the same words are one. With the
    /// position comes a digest of what was there, as a topic that is made anew counts from zero.
    pub fn identity(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.time.map_or(i64::MIN, Time::micros).to_le_bytes());
        digest.update([u8::from(self.value.is_some())]);
        digest.update(self.value.as_deref().unwrap_or_default());
        let digest: String = digest.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
        let (partition, offset, element) = self.at;
        serde_json::json!({
            "topic": self.topic,
            "source": self.source.as_str(),
            "partition": partition,
            "offset": offset,
            "element": element,
            "digest": digest,
        })
        .to_string()
    }

    /// About how many bytes it has.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        length(&self.key) + length(&self.value) + 200
    }
}

/// Why a letter is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It is about a row that a sink has refused.
    Row,
    /// It has the beginning of a record alone.
    Cut,
    /// Its element cannot be told from the others.
    Element,
    /// It would be late again.
    Late,
    /// Other views have used the record.
    Used,
    /// Its source is none of the dataflow's.
    NoSource,
    /// Its source is no topic.
    NoTopic,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kept::Row => "about a row, of which the letter has no record",
            Kept::Cut => "only the beginning of the record was kept",
            Kept::Element => "the element cannot be cut out of its record",
            Kept::Late => {
                "late, and would be late again: --to sends them elsewhere, --reason late all the \
                 same"
            }
            Kept::Used => {
                "other views have used the record, and would count it twice: --to sends them \
                 elsewhere, --used all the same"
            }
            Kept::NoSource => "the dataflow has no such source",
            Kept::NoTopic => "the source is no topic: `letters list --show N --json` has the bytes",
        })
    }
}

/// What letters are sent, and where to.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The topics of the sources; `None` for a source that is bound to something else.
    pub topics: BTreeMap<Text, Option<String>>,
    /// The topic they all go to, instead of their own.
    pub to: Option<String>,
    /// Also what is late.
    pub late: bool,
    /// Also what other views have used.
    pub used: bool,
}

impl Rules {
    /// Makes a record of a letter, or says why not.
    ///
    /// # Errors
    ///
    /// Why it is kept.
    pub fn judge(&self, letter: &Letter) -> Result<Parcel, Kept> {
        if letter.source.is_empty() {
            return Err(Kept::Row);
        }
        let own = self.topics.get(&letter.source).ok_or(Kept::NoSource)?;
        // Only the client of a topic hands over large records as a whole.
        if own.is_none() && letter.reason == Reason::TooLarge {
            return Err(Kept::Cut);
        }
        let own = own.as_ref().ok_or(Kept::NoTopic)?;
        if self.to.is_none() && letter.place.is_some() && !self.used {
            return Err(Kept::Used);
        }
        if self.to.is_none() && letter.reason == Reason::Late && !self.late {
            return Err(Kept::Late);
        }
        let (element, value) = content(letter).ok_or(Kept::Element)?;
        Ok(Parcel {
            topic: self.to.as_ref().unwrap_or(own).clone(),
            source: letter.source.clone(),
            at: (letter.position.partition, letter.position.offset, element),
            key: letter.key.clone(),
            value,
            time: letter.record_time,
            reason: letter.reason,
        })
    }
}

/// The bytes that a letter is about, and which element of their array they are.
fn content(letter: &Letter) -> Option<(Option<u32>, Option<Vec<u8>>)> {
    let Some(value) = &letter.value else { return Some((None, None)) };
    let index = letter.position.element;
    // The first element has no number in a letter.
    if index == 0 && !(is_about_event(letter) && after_bracket(value).is_some()) {
        return Some((None, Some(value.clone())));
    }
    let element = element(value, index)?;
    Some((Some(index), Some(element.to_vec())))
}

/// Whether it is about one event of its record, and not about the record.
fn is_about_event(letter: &Letter) -> bool {
    match letter.reason {
        Reason::BadJson
        | Reason::BadUtf8
        | Reason::Tombstone
        | Reason::TooLarge
        | Reason::TooDeep
        | Reason::DecoderPanic => false,
        Reason::NotAnObject => letter.detail.starts_with("the element"),
        Reason::WrongType
        | Reason::NoEventTime
        | Reason::Future
        | Reason::Late
        | Reason::Rejected
        | Reason::UserPanic
        | Reason::NullKey
        | Reason::RejectedBySink => true,
    }
}

/// What follows the bracket of a document that is an array.
fn after_bracket(document: &[u8]) -> Option<&[u8]> {
    let document = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
    document.trim_ascii_start().strip_prefix(b"[")
}

/// The bytes of an element of an array, by its index.
fn element(document: &[u8], index: u32) -> Option<&[u8]> {
    let mut rest = after_bracket(document)?.trim_ascii_start();
    for at in 0..=index {
        let mut values = Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (found, behind) = rest.split_at(values.byte_offset());
        if at == index {
            return Some(found);
        }
        rest = behind.trim_ascii_start().strip_prefix(b",")?.trim_ascii_start();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Position;

    fn letter(reason: Reason, element: u32, value: &str) -> Letter {
        Letter {
            source: "chat".into(),
            position: Position { source: 0, partition: 1, offset: 7, element },
            record_time: None,
            event_time: None,
            watermark: None,
            key: Some(b"k".to_vec()),
            value: Some(value.into()),
            reason,
            detail: "the document is a number".into(),
            place: None,
        }
    }

    fn rules() -> Rules {
        let topics = [("chat", Some("chat.topic")), ("file", None)];
        let topics = topics.map(|(source, topic)| (source.into(), topic.map(Into::into)));
        Rules { topics: topics.into(), ..Rules::default() }
    }

    #[test]
    fn an_element_is_cut_out_of_its_array() {
        let array = " [ {\"a\":[1,\"]\"]} ,\n-1.5e3, \"x,\\\"\", null ,[]]";
        let check = |index, expect: Option<&str>| {
            assert_eq!(element(array.as_bytes(), index), expect.map(str::as_bytes), "{index}");
        };
        check(0, Some("{\"a\":[1,\"]\"]}"));
        check(1, Some("-1.5e3"));
        check(2, Some("\"x,\\\"\""));
        check(3, Some("null"));
        check(4, Some("[]"));
        check(5, None);
        assert_eq!(element(b"{}", 0), None);
        assert_eq!(element(b"[", 0), None);
        assert_eq!(element(b"[1 2]", 1), None);
        assert_eq!(element("\u{feff}[7]".as_bytes(), 0), Some(&b"7"[..]));
    }

    #[test]
    fn the_record_is_sent_or_the_element_that_the_letter_is_about() {
        let check = |letter: Letter, element: Option<u32>, value: &str| {
            let parcel = rules().judge(&letter).expect("a parcel");
            assert_eq!((parcel.at, parcel.topic.as_str()), ((1, 7, element), "chat.topic"));
            assert_eq!(parcel.value.as_deref(), Some(value.as_bytes()));
        };
        check(letter(Reason::BadJson, 0, "{"), None, "{");
        check(letter(Reason::BadJson, 0, "[{}, {]"), None, "[{}, {]");
        check(letter(Reason::NotAnObject, 0, "[]"), None, "[]");
        let of_element = Letter {
            detail: "the element is a number".into(),
            ..letter(Reason::NotAnObject, 0, "[1, {}]")
        };
        check(of_element, Some(0), "1");
        check(letter(Reason::WrongType, 0, "[{\"a\":1}, {}]"), Some(0), "{\"a\":1}");
        check(letter(Reason::WrongType, 1, "[{\"a\":1}, {}]"), Some(1), "{}");
        check(letter(Reason::NoEventTime, 0, "{}"), None, "{}");
        let tombstone = Letter { value: None, ..letter(Reason::Tombstone, 0, "") };
        assert_eq!(rules().judge(&tombstone).expect("a parcel").value, None);
        assert_eq!(rules().judge(&letter(Reason::WrongType, 2, "[{}]")), Err(Kept::Element));
    }

    #[test]
    fn what_cannot_or_should_not_be_sent_is_kept_with_a_reason() {
        let check = |rules: &Rules, letter: Letter, expect: Option<Kept>| {
            assert_eq!(rules.judge(&letter).err(), expect, "{letter:?}");
        };
        let (own, late) = (rules(), letter(Reason::Late, 0, "{}"));
        let to = Rules { to: Some("elsewhere".into()), ..own.clone() };
        check(&own, late.clone(), Some(Kept::Late));
        check(&to, late.clone(), None);
        check(&Rules { late: true, ..own.clone() }, late.clone(), None);
        let used = Letter { place: Some("counts".into()), ..letter(Reason::Rejected, 0, "{}") };
        check(&own, used.clone(), Some(Kept::Used));
        check(&to, used.clone(), None);
        check(&Rules { used: true, ..own.clone() }, used, None);
        let of_source =
            |source: &str, reason| Letter { source: source.into(), ..letter(reason, 0, "") };
        check(&to, of_source("", Reason::RejectedBySink), Some(Kept::Row));
        check(&to, of_source("other", Reason::BadJson), Some(Kept::NoSource));
        check(&to, of_source("file", Reason::BadJson), Some(Kept::NoTopic));
        check(&to, of_source("file", Reason::TooLarge), Some(Kept::Cut));
    }

    #[test]
    fn a_letter_is_known_by_its_position_and_its_bytes() {
        let identity = |letter: &Letter, rules: &Rules| rules.judge(letter).unwrap().identity();
        let (one, rules) = (letter(Reason::BadJson, 0, "{"), rules());
        let same = Letter { reason: Reason::TooDeep, detail: String::new(), ..one.clone() };
        assert_eq!(identity(&one, &rules), identity(&same, &rules));
        let anew = Letter { value: Some(b"}".to_vec()), ..one.clone() };
        let tombstone = Letter { value: None, ..one.clone() };
        let empty = Letter { value: Some(vec![]), ..one.clone() };
        let to = Rules { to: Some("elsewhere".into()), ..rules.clone() };
        let mut all = vec![identity(&one, &to)];
        all.extend([one, anew, tombstone, empty].iter().map(|letter| identity(letter, &rules)));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
    }
}
