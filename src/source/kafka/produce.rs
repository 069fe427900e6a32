//! Writing to Kafka, for `highwater generate` and for tests: a producer with back-pressure, and
//! the few administrative calls they need.
//!
//! What `flush` has confirmed is in the log exactly once: the producer is idempotent and waits for
//! all replicas. After a crash of this process, what was not flushed is there once or not at all.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult,
};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{lock, log_line, number, refused_settings};
use super::options::{ClientSettings, client_config};
use crate::error::{Error, Result};
use crate::time::Time;

/// How long one administrative call may take.
const ADMIN_MAX: Duration = Duration::from_secs(10);

/// The pause between two looks at answers that are waited for: `poll` itself spins over the last
/// millisecond of the time it is given.
const PAUSE: Duration = Duration::from_micros(500);

/// How many records are sent between two looks at the answers.
const SENDS_PER_SERVE: u32 = 512;

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub topic: &'a str,
    /// Which partition; it must exist.
    pub partition: u32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The time Kafka keeps with it, cut to milliseconds; the time of sending without it.
    pub time: Option<Time>,
}

/// Writes records; keeps the order within a partition.
pub struct Producer {
    producer: BaseProducer<Deliveries>,
    brokers: String,
    sends: Cell<u32>,
}

/// Counts what the brokers answered.
#[derive(Default)]
struct Deliveries {
    delivered: AtomicU64,
    /// Why the first record that was not delivered was not.
    failure: Mutex<Option<KafkaError>>,
    failures: AtomicU64,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                lock(&self.failure).get_or_insert_with(|| error.clone());
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Producer {
    /// Makes a producer; it connects with its first record.
    ///
    /// # Errors
    ///
    /// The settings are refused.
    pub fn new(brokers: &str, client: &ClientSettings) -> Result<Producer> {
        let mut config = client_config(brokers, client)?;
        for (name, value) in [
            ("enable.idempotence", "true"),
            ("linger.ms", "5"),
            // What a record may be at most; brokers allow 1 MiB unless they are told otherwise.
            ("message.max.bytes", "10485760"),
            ("queue.buffering.max.kbytes", "32768"),
            // After that long without an answer a record counts as not written.
            ("message.timeout.ms", "120000"),
        ] {
            if !client.0.contains_key(name) {
                config.set(name, value);
            }
        }
        let producer = BaseProducer::from_config_and_context(&config, Deliveries::default())
            .map_err(|error| refused_settings(&error))?;
        Ok(Producer { producer, brokers: brokers.to_owned(), sends: Cell::new(0) })
    }

    /// Sends a record, and waits while the queue is full.
    ///
    /// # Errors
    ///
    /// This record is refused (`Config`), or an earlier one was not written (`Unreachable`).
    pub fn send(&self, outgoing: Outgoing<'_>) -> Result<()> {
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(outgoing.topic).partition(number(outgoing.partition));
        record.key = outgoing.key;
        record.payload = outgoing.value;
        record.timestamp = outgoing.time.map(|time| time.floor_ms().0);
        self.sends.set(self.sends.get() + 1);
        if SENDS_PER_SERVE <= self.sends.get() {
            self.sends.set(0);
            self.serve()?;
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, same)) if is_full(&error) => {
                    record = same;
                    thread::sleep(PAUSE);
                    self.serve()?;
                }
                Err((error, _)) => {
                    let place = format!("{}/{}", outgoing.topic, outgoing.partition);
                    return Err(Error::config(format!("{place} refuses a record: {error}")));
                }
            }
        }
    }

    /// Takes the answers that are there, without waiting; for pauses between records.
    ///
    /// # Errors
    ///
    /// `Unreachable`: a record was not written.
    pub fn serve(&self) -> Result<()> {
        // Each look takes one answer, which may be to many records.
        let mut left = i32::MAX;
        while self.producer.in_flight_count() < left {
            left = self.producer.in_flight_count();
            self.producer.poll(Duration::ZERO);
        }
        self.check()
    }

    /// Waits until every record has been written.
    ///
    /// # Errors
    ///
    /// `Unreachable`: a record was not written, after two minutes without an answer.
    pub fn flush(&self) -> Result<()> {
        // In short steps: librdkafka's own flush waits at least 100 ms.
        loop {
            self.serve()?;
            if self.producer.in_flight_count() == 0 {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }

    /// How many records the brokers have confirmed.
    pub fn delivered(&self) -> u64 {
        self.producer.context().delivered.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<()> {
        let deliveries = self.producer.context();
        let failures = deliveries.failures.load(Ordering::Relaxed);
        match &*lock(&deliveries.failure) {
            None => Ok(()),
            Some(error) => Err(Error::unreachable(format!(
                "kafka at {}: {failures} records were not written: {error}",
                self.brokers
            ))),
        }
    }
}

fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// Makes topics and looks at them.
pub struct Admin {
    admin: AdminClient<Quiet>,
    consumer: BaseConsumer,
    brokers: String,
}

struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
    }
}

impl Admin {
    /// Makes a client for administration; connects with its first call.
    ///
    /// # Errors
    ///
    /// The settings are refused.
    pub fn new(brokers: &str, client: &ClientSettings) -> Result<Admin> {
        let config = client_config(brokers, client)?;
        let refused = |error| refused_settings(&error);
        let admin = AdminClient::from_config_and_context(&config, Quiet).map_err(refused)?;
        let consumer = BaseConsumer::from_config(&config).map_err(refused)?;
        Ok(Admin { admin, consumer, brokers: brokers.to_owned() })
    }

    /// Makes a topic unless it is there, and waits until brokers know it. Returns how many
    /// partitions it has, which may be others than were asked for if it was there.
    ///
    /// # Errors
    ///
    /// `Unreachable`: nobody answers. `Config`: the cluster refuses.
    pub fn create_topic(&self, topic: &str, partitions: u32) -> Result<u32> {
        self.create_topic_with(topic, partitions, &[])
    }

    /// As [`Admin::create_topic`], with settings of the topic, such as `cleanup.policy`.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn create_topic_with(
        &self,
        topic: &str,
        partitions: u32,
        settings: &[(&str, &str)],
    ) -> Result<u32> {
        let mut wanted = NewTopic::new(topic, number(partitions), TopicReplication::Fixed(-1));
        for (name, value) in settings {
            wanted = wanted.set(name, value);
        }
        let answers = block_on(self.admin.create_topics([&wanted], &AdminOptions::new()));
        self.accept(topic, answers, RDKafkaErrorCode::TopicAlreadyExists)?;
        let deadline = Instant::now() + ADMIN_MAX;
        loop {
            let found = self.partitions(topic)?;
            if 0 < found || deadline < Instant::now() {
                return Ok(found);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Gives a topic more partitions.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn add_partitions(&self, topic: &str, total: u32) -> Result<()> {
        let wanted = NewPartitions::new(topic, total as usize);
        let answers = block_on(self.admin.create_partitions([&wanted], &AdminOptions::new()));
        self.accept(topic, answers, RDKafkaErrorCode::NoError)
    }

    /// Deletes a topic, if it is there.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn delete_topic(&self, topic: &str) -> Result<()> {
        let answers = block_on(self.admin.delete_topics(&[topic], &AdminOptions::new()));
        self.accept(topic, answers, RDKafkaErrorCode::UnknownTopicOrPartition)
    }

    /// Deletes the records of a partition before an offset.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn delete_records(&self, topic: &str, partition: u32, before: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, number(partition), Offset::Offset(before))
            .map_err(|error| self.failed(topic, &error))?;
        block_on(self.admin.delete_records(&list, &AdminOptions::new()))
            .map_err(|error| self.failed(topic, &error))?;
        Ok(())
    }

    /// The offset behind the last record of each partition.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn end_offsets(&self, topic: &str) -> Result<BTreeMap<u32, i64>> {
        let end = |partition: u32| {
            self.consumer
                .fetch_watermarks(topic, number(partition), ADMIN_MAX)
                .map(|(_, high)| (partition, high))
                .map_err(|error| self.failed(topic, &error))
        };
        (0..self.partitions(topic)?).map(end).collect()
    }

    /// The broker that leads each partition of a topic, and how many copies are in sync; a
    /// partition without a leader is left out.
    ///
    /// # Errors
    ///
    /// As [`Admin::create_topic`].
    pub fn leaders(&self, topic: &str) -> Result<BTreeMap<u32, (i32, usize)>> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ADMIN_MAX)
            .map_err(|error| self.failed(topic, &error))?;
        let found = metadata.topics().iter().filter(|found| found.name() == topic);
        let partitions = found.flat_map(|topic| topic.partitions());
        let led = partitions.filter(|partition| 0 <= partition.leader());
        let leader = |partition: &rdkafka::metadata::MetadataPartition| {
            let number = u32::try_from(partition.id()).unwrap_or(u32::MAX);
            (number, (partition.leader(), partition.isr().len()))
        };
        Ok(led.map(leader).collect())
    }

    /// How many partitions a topic has; none if it is not there.
    ///
    /// # Errors
    ///
    /// `Unreachable`: nobody answers.
    pub fn partitions(&self, topic: &str) -> Result<u32> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), ADMIN_MAX)
            .map_err(|error| self.failed(topic, &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let count = found.map_or(0, |found| found.partitions().len());
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Takes the answers to a call about one topic; one error is as good as success.
    fn accept(
        &self,
        topic: &str,
        answers: Result<Vec<TopicResult>, KafkaError>,
        fine: RDKafkaErrorCode,
    ) -> Result<()> {
        for answer in answers.map_err(|error| self.failed(topic, &error))? {
            match answer {
                Err((_, code)) if code != fine => {
                    return Err(Error::config(format!("kafka refuses topic `{topic}`: {code}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn failed(&self, topic: &str, error: &KafkaError) -> Error {
        Error::unreachable(format!("kafka at {}, topic `{topic}`: {error}", self.brokers))
    }
}

/// Waits for one of librdkafka's answers, which come from a thread of their own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
