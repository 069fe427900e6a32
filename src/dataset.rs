//! Data sets: what makes the records of a system's topics, for the `generator` source and for
//! `highwater generate`.
//!
//! Contract: record *n* is a function of the options and of *n* alone. There is no clock inside
//! and no state between records, so the same options give the same bytes on every machine, a
//! shorter run is the beginning of a longer one, any partition can be made alone, and a restart
//! continues at any position without making what came before.
//!
//! ```text
//! number ─► Generator::make ─► Made { topic, partition, due, time, key, value }
//!                                                    │
//!              the caller waits until its own clock shows `due`, then sends
//! ```
//!
//! Record *n* lies in partition *n* mod partitions, so no partition stays empty and holds the
//! watermark. The engine knows no data set: the binary hands over a list of [`GeneratorKind`]s.

mod options;

use std::sync::Arc;

pub use options::{COMMON_OPTIONS, Faults, GeneratorOptions, duration};

use crate::error::{Error, Result, nearest};
use crate::time::Time;

/// Makes the records of one topic, or of several in their mix.
pub trait Generator: Send + Sync {
    /// Makes record `number`; numbers may come in any order. What was in `made` is replaced.
    fn make(&self, number: u64, made: &mut Made);
}

/// A record that was made; its buffers are used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Index of its topic in [`GeneratorKind::topics`].
    pub topic: usize,
    /// Partition of that topic.
    pub partition: u32,
    /// When it is to be sent, on a clock that showed [`GeneratorOptions::start`] at the start.
    pub due: Time,
    /// Event time that the value carries; none where a fault took it away.
    pub time: Option<Time>,
    /// What is wrong with it, so that a test can know what to expect.
    pub fault: Option<Fault>,
    /// Key of the record; empty if it has none.
    pub key: Vec<u8>,
    /// Value of the record.
    pub value: Vec<u8>,
}

/// What can be wrong with a record on purpose; a record has one fault at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Its event time lies behind the planned one by `late_by` to twice that.
    Late,
    /// It repeats an earlier record of its partition, byte for byte.
    Duplicate,
    /// It is a document cut short.
    BadJson,
    /// One of its fields is null; never its time.
    NullField,
    /// Its time is absent, null, or not a time.
    NoTime,
    /// Its event time lies ahead of the planned one, by an hour.
    Future,
}

/// A registered data set.
pub struct GeneratorKind {
    /// Its name, such as `chat`; with a topic's short name, such as `chat.viewer`, one topic of it.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// The topics that it writes.
    pub topics: &'static [TopicKind],
    /// The options of its own. One that is named like a common option says its default here.
    pub options: &'static [OptionKind],
    /// Makes the generator.
    pub make: fn(&GeneratorOptions) -> Result<Arc<dyn Generator>>,
}

/// A topic of a data set.
pub struct TopicKind {
    /// Name of the topic.
    pub name: &'static str,
    /// Short name, behind the dot in the name of a data set.
    pub short: &'static str,
    /// How many partitions it has, if nobody says otherwise.
    pub partitions: u32,
    /// What its records are keyed by.
    pub key: &'static str,
    /// Settings with which a missing topic is made, such as `retention.ms`; names and values.
    pub settings: &'static [(&'static str, &'static str)],
}

/// A documented option of a data set.
pub struct OptionKind {
    /// Its name in a binding and, behind two dashes and with `-` for `_`, on the command line.
    pub name: &'static str,
    /// Names in the environment under which the replaced system knows it.
    pub environment: &'static [&'static str],
    /// What holds without it, in the words of a binding; empty if that is nothing.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
}

/// Finds a data set by its name, `chat` or `chat.viewer`, in a list of kinds; the second value
/// are the indexes of its topics.
///
/// # Errors
///
/// No such data set or topic (exit 65), with the nearest names.
pub fn find<'k>(kinds: &'k [GeneratorKind], name: &str) -> Result<(&'k GeneratorKind, Vec<usize>)> {
    let (system, topic) = match name.split_once('.') {
        Some((system, topic)) => (system, Some(topic)),
        None => (name, None),
    };
    let Some(kind) = kinds.iter().find(|kind| kind.name == system) else {
        let known = || kinds.iter().map(|kind| kind.name);
        return Err(unknown(format!("no data set named `{system}`"), system, known));
    };
    let Some(topic) = topic else { return Ok((kind, (0..kind.topics.len()).collect())) };
    match kind.topics.iter().position(|known| known.short == topic || known.name == topic) {
        Some(index) => Ok((kind, vec![index])),
        None => {
            let known = || kind.topics.iter().map(|topic| topic.short);
            Err(unknown(format!("data set `{system}` has no topic `{topic}`"), topic, known))
        }
    }
}

/// An error that names the names nearest to a mistyped one, or else all of them.
fn unknown<'k, I>(message: String, name: &str, known: impl Fn() -> I) -> Error
where
    I: Iterator<Item = &'k str>,
{
    let near = nearest(name, known());
    let names = if near.is_empty() { known().collect() } else { near };
    Error::config(message).hint(format!("there is `{}`", names.join("`, `")))
}

/// The records of a generator, or of one partition of it, one after another.
pub struct Records {
    generator: Arc<dyn Generator>,
    next: u64,
    step: u64,
    end: u64,
}

impl Records {
    /// All of them; `events` is how many there are, without end if it is none.
    pub fn all(generator: Arc<dyn Generator>, events: Option<u64>) -> Records {
        Records::partition(generator, events, (0, 1), 0)
    }

    /// Those of one `partition` (index, of how many), from an offset on: the records with the
    /// numbers index + offset × count, index + (offset + 1) × count, ….
    pub fn partition(
        generator: Arc<dyn Generator>,
        events: Option<u64>,
        partition: (u32, u32),
        offset: u64,
    ) -> Records {
        let step = u64::from(partition.1.max(1));
        let next = offset.saturating_mul(step).saturating_add(u64::from(partition.0));
        Records { generator, next, step, end: events.unwrap_or(u64::MAX) }
    }

    /// Makes the next record; false at the end, and `made` is as it was.
    #[inline]
    pub fn next(&mut self, made: &mut Made) -> bool {
        if self.end <= self.next {
            return false;
        }
        self.generator.make(self.next, made);
        self.next = self.next.saturating_add(self.step);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers;

    impl Generator for Numbers {
        fn make(&self, number: u64, made: &mut Made) {
            made.value = number.to_string().into_bytes();
        }
    }

    const fn topic(name: &'static str, short: &'static str) -> TopicKind {
        TopicKind { name, short, partitions: 3, key: "channel", settings: &[] }
    }

    const TOPICS: &[TopicKind] = &[topic("t.chat", "chat"), topic("t.viewer", "viewer")];

    const KINDS: &[GeneratorKind] = &[GeneratorKind {
        name: "talk",
        about: "For tests.",
        topics: TOPICS,
        options: &[],
        make: |_| Ok(Arc::new(Numbers)),
    }];

    #[test]
    fn a_name_finds_a_data_set_or_one_topic_of_it() {
        let topics = |name: &str| find(KINDS, name).map(|(_, topics)| topics);
        assert_eq!(topics("talk"), Ok(vec![0, 1]));
        assert_eq!(topics("talk.viewer"), Ok(vec![1]));
        assert_eq!(topics("talk.t.chat"), Ok(vec![0]));
        let hint = |name: &str| topics(name).unwrap_err().to_string();
        assert!(hint("tolk").ends_with("hint: there is `talk`"));
        assert!(hint("talk.viewers").ends_with("hint: there is `viewer`"));
        assert!(hint("talk.nothing").ends_with("hint: there is `chat`, `viewer`"));
    }

    #[test]
    fn the_partitions_together_are_the_whole_and_an_offset_continues() {
        let made = |mut records: Records| {
            let mut made = Made::default();
            let mut all = vec![];
            while records.next(&mut made) {
                all.push(String::from_utf8(made.value.clone()).unwrap());
            }
            all
        };
        let part = |index, offset| {
            made(Records::partition(Arc::new(Numbers), Some(8), (index, 3), offset))
        };
        assert_eq!(made(Records::all(Arc::new(Numbers), Some(2))), ["0", "1"]);
        assert_eq!(part(0, 0), ["0", "3", "6"]);
        assert_eq!(part(1, 0), ["1", "4", "7"]);
        assert_eq!(part(2, 0), ["2", "5"]);
        assert_eq!(part(1, 2), ["7"]);
        assert!(part(1, u64::MAX).is_empty());
    }
}
