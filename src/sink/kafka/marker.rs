//! The marker of a shard: which epochs its topic holds, as the offset of a consumer group.
//!
//! ```text
//! group   highwater.JOB.SINK.SHARD, partition 0 of the topic; nobody is a member of it
//! offset  the last epoch that was delivered, and one
//! text    the life, the attempt that wrote it, and the rows that were refused
//! ```
//!
//! The offset is committed by the transaction that holds the rows, so one is there if the other is.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::Options;
use super::transaction::{CALL_MAX, Trouble};
use crate::error::{Error, Result};
use crate::sink::courier::{Refused, Route};
use crate::source::kafka::{client_config, log_line, refused_settings};

/// How long the text of a marker may be: brokers take 4096 bytes unless they are told otherwise.
const TEXT_MAX: usize = 4_000;

/// What a topic holds of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) life: u64,
    /// The attempt that has written it.
    pub(super) generation: u64,
    pub(super) refused: Vec<Refused>,
    /// The last epoch that was delivered.
    #[serde(skip)]
    pub(super) last: Option<u64>,
}

impl Marker {
    /// The offset that stands for it.
    pub(super) fn list(&self, topic: &str) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(1);
        let mut partition = list.add_partition(topic, 0);
        let next = self.last.map_or(0, |last| last + 1);
        partition
            .set_offset(Offset::Offset(next.cast_signed()))
            .map_err(|error| Error::bug(format!("epoch {next} is no offset: {error}")))?;
        partition.set_metadata(self.text());
        Ok(list)
    }

    /// The text, with as many refused rows as it has room for: the last ones, without words if
    /// those are too many.
    fn text(&self) -> String {
        let text =
            |marker: &Marker| serde_json::to_string(marker).expect("it holds numbers and texts");
        let mut whole = text(self);
        let mut short = self.clone();
        short.refused.iter_mut().for_each(|refused| refused.reject.detail.clear());
        while TEXT_MAX < whole.len() {
            whole = text(&short);
            // For the next round, if there is one.
            short.refused.drain(..short.refused.len().div_ceil(8));
        }
        whole
    }
}

/// Who asks for markers: a consumer that never becomes a member of its group.
pub(super) struct Markers {
    consumer: BaseConsumer<Quiet>,
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ConsumerContext for Quiet {}

impl Markers {
    /// `settled` asks for what cannot be undone: it waits for the end of a transaction.
    pub(super) fn new(options: &Options, group: &str, settled: bool) -> Result<Markers> {
        let mut config = client_config(&options.brokers, &options.client)?;
        let level = if settled { "read_committed" } else { "read_uncommitted" };
        config.set("group.id", group).set("isolation.level", level);
        let consumer = BaseConsumer::from_config_and_context(&config, Quiet)
            .map_err(|error| refused_settings(&error))?;
        Ok(Markers { consumer })
    }

    /// Says whose offsets a transaction commits.
    pub(super) fn group(&self) -> Result<ConsumerGroupMetadata> {
        let group = self.consumer.group_metadata();
        group.ok_or_else(|| Error::bug("a consumer without a group"))
    }

    /// The offsets of the group, or that they are not told in time.
    pub(super) fn offsets(
        &self,
        list: TopicPartitionList,
        wait: Duration,
    ) -> KafkaResult<TopicPartitionList> {
        self.consumer.committed_offsets(list, wait)
    }

    /// The marker of a shard, of which nothing counts if it is about another life.
    ///
    /// # Errors
    ///
    /// `Fenced`: a later attempt has written it.
    pub(super) fn read(&self, options: &Options, group: &str, route: &Route) -> Result<Marker> {
        let Options { topic, brokers, .. } = options;
        let trouble = Trouble { brokers, words: "" };
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(topic, 0);
        let found = self.offsets(list, CALL_MAX).map_err(|error| trouble.with(&error))?;
        let found = found.find_partition(topic, 0);
        let Some(found) = found.filter(|found| matches!(found.offset(), Offset::Offset(_))) else {
            return Ok(Marker::default());
        };
        let (Offset::Offset(next), Ok(marker)) =
            (found.offset(), serde_json::from_str::<Marker>(found.metadata()))
        else {
            let why = format!("offset of group `{group}` is not one that a sink has written");
            return Err(Error::config(why)
                .hint("the sink keeps there what the topic holds: was the group reset by hand?"));
        };
        if route.generation < marker.generation {
            return Err(Error::fenced(format!(
                "a later attempt of job `{}` writes to topic `{topic}`",
                route.job
            )));
        }
        if marker.life != route.life {
            return Ok(Marker::default());
        }
        Ok(Marker { last: next.cast_unsigned().checked_sub(1), ..marker })
    }
}

/// Whether an answer says that the offsets of a group may not be seen or set.
pub(super) fn is_about_group(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{GroupAuthorizationFailed, InvalidGroupId, OffsetMetadataTooLarge};
    matches!(code, GroupAuthorizationFailed | InvalidGroupId | OffsetMetadataTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::{Reason, Reject};

    fn marker(count: usize, detail: &str) -> Marker {
        let refused = |row| {
            let reject = Reject::new(Reason::RejectedBySink, detail);
            Refused { first: 7, last: 8, row, reject }
        };
        let refused = (0..count).map(refused).collect();
        Marker { life: u64::MAX, generation: u64::MAX, refused, last: None }
    }

    #[test]
    fn a_marker_says_what_it_has_room_for() {
        let check = |given: &Marker, count: std::ops::RangeInclusive<usize>, words: bool| {
            let text = given.text();
            assert!(text.len() <= TEXT_MAX, "{} bytes", text.len());
            let read: Marker = serde_json::from_str(&text).unwrap();
            assert!(count.contains(&read.refused.len()), "{}", read.refused.len());
            let last = |marker: &Marker| marker.refused.last().map(|refused| refused.row);
            assert_eq!(last(&read), last(given), "the last ones stay");
            let all = read.refused.iter().all(|refused| refused.reject.detail.is_empty());
            assert_eq!(all, !words);
        };
        check(&marker(3, "too large"), 3..=3, true);
        check(&marker(30, &"x".repeat(200)), 30..=30, false);
        check(&marker(1_000, "too large"), 30..=50, false);
    }
}
