//! Transactions that nobody ends: where they keep readers waiting, and how they are ended.
//!
//! | what is told | from what |
//! |---|---|
//! | that one is open in a partition | the last stable offset lies before the end of the log |
//! | since when | the time of the record at the last stable offset, the first one of it |
//! | which shards have ever delivered | the groups that begin with the name of the sink |
//! | that a shard has one open | an offset of its group that is not settled yet |
//!
//! Which producer holds an offset back, brokers would say (`DescribeProducers`), but librdkafka
//! does not ask. So a shard that was killed before it set its offset is not told from others; all
//! of a sink are ended together, which costs those that have nothing open nothing.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer as _;

use super::Options;
use super::marker::Markers;
use super::producer::transactional;
use super::transaction::{CALL_MAX, Trouble};
use crate::error::{Error, Result};
use crate::source::kafka::{KafkaSource, Setup, client_config};
use crate::source::{Batch, Poll, Source, Start, kafka};
use crate::time::Time;

/// How long an offset that is not settled is waited for.
const SETTLED_MAX: Duration = Duration::from_secs(2);

/// A partition whose readers of committed records stand still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Its number.
    pub partition: u32,
    /// The offset they stand at.
    pub stable: i64,
    /// The end of the log.
    pub end: i64,
    /// When the record there was written: about since when they stand.
    pub since: Option<Time>,
}

/// Where readers of a topic stand still.
///
/// # Errors
///
/// `Unreachable`: nobody answers. `Config`: the topic is not there.
pub fn stalls(options: &Options) -> Result<Vec<Stall>> {
    let Options { topic, brokers, client, .. } = options;
    let partitions = kafka::look_at(brokers, topic, client)?;
    let [all, stable] = ["read_uncommitted", "read_committed"].map(|level| {
        let mut config = client_config(brokers, client)?;
        config.set("isolation.level", level);
        BaseConsumer::from_config(&config).map_err(|error| kafka::refused_settings(&error))
    });
    let (all, stable) = (all?, stable?);
    let trouble = Trouble { brokers, words: "" };
    let end = |consumer: &BaseConsumer, partition: u32| {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let found = consumer.fetch_watermarks(topic, partition, CALL_MAX);
        found.map(|(_, end)| end).map_err(|error| trouble.with(&error))
    };
    let mut stalls = Vec::new();
    for partition in 0..partitions {
        // In this order: what is written in between is no stall.
        let end_of_log = end(&all, partition)?;
        let at = end(&stable, partition)?;
        if at < end_of_log {
            let since = time_of(options, partition, at)?;
            stalls.push(Stall { partition, stable: at, end: end_of_log, since });
        }
    }
    Ok(stalls)
}

/// The time of a record, committed or not.
fn time_of(options: &Options, partition: u32, offset: i64) -> Result<Option<Time>> {
    let mut client = options.client.clone();
    client.0.insert("isolation.level".into(), "read_uncommitted".into());
    let options = kafka::Options::new(&options.topic, &options.brokers, &client);
    let mut source = KafkaSource::connect(&options, Setup::default())?;
    let mut reader = source.open(partition, &Start::Offset(offset), Arc::new(|| {}))?;
    let (mut batch, deadline) = (Batch::default(), Instant::now() + CALL_MAX);
    while Instant::now() < deadline {
        batch.clear();
        let poll = reader.poll(&mut batch)?;
        if let Some(record) = batch.records.first() {
            return Ok(record.time);
        }
        if poll == Poll::CaughtUp {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(None)
}

/// A shard that delivers, or has delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its transactional id, and its group.
    pub id: String,
    /// Whether it is known to have a transaction open: its offset is not settled.
    pub is_open: bool,
}

/// The shards of a sink whose ids begin with `prefix`, behind which there is a number alone.
///
/// # Errors
///
/// `Unreachable`: nobody answers.
pub fn shards(options: &Options, prefix: &str) -> Result<Vec<Shard>> {
    let shard = |number: usize| {
        let id = format!("{prefix}{number}");
        let is_open = !is_settled(options, &id)?;
        Ok(Shard { id, is_open })
    };
    numbers(options, prefix)?.into_iter().map(shard).collect()
}

/// The numbers of the shards that have ever delivered: those of groups whose names begin with
/// `prefix`.
///
/// # Errors
///
/// `Unreachable`: nobody answers.
pub(super) fn numbers(options: &Options, prefix: &str) -> Result<Vec<usize>> {
    let config = client_config(&options.brokers, &options.client)?;
    let consumer: BaseConsumer =
        BaseConsumer::from_config(&config).map_err(|error| kafka::refused_settings(&error))?;
    let trouble = Trouble { brokers: &options.brokers, words: "" };
    let groups = consumer.fetch_group_list(None, CALL_MAX).map_err(|error| trouble.with(&error))?;
    let number = |name: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
    let mut numbers: Vec<usize> =
        groups.groups().iter().filter_map(|group| number(group.name())).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Whether the offset of a group is not that of a transaction which is still open.
fn is_settled(options: &Options, group: &str) -> Result<bool> {
    let ask = |settled: bool| {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&options.topic, 0);
        let wait = if settled { SETTLED_MAX } else { CALL_MAX };
        let markers = Markers::new(options, group, settled)?;
        Ok::<_, Error>(markers.offsets(list, wait))
    };
    // So that it is no outage if the other question is not answered.
    let trouble = Trouble { brokers: &options.brokers, words: "" };
    ask(false)?.map_err(|error| trouble.with(&error))?;
    Ok(ask(true)?.is_ok())
}

/// Ends the transaction that a producer of an id has left open, if it has, by taking its place:
/// one that lives finds itself fenced. What was open is never seen.
///
/// # Errors
///
/// `Unreachable`: nobody answers. `Config`: brokers refuse.
pub fn end(options: &Options, id: &str) -> Result<()> {
    let producer = transactional(options, id, false)?;
    producer.init_transactions(CALL_MAX).map_err(|error| {
        let words = producer.context().trouble();
        Trouble { brokers: &options.brokers, words: &words }.of(&producer, &error)
    })
}
