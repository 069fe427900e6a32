//! One librdkafka consumer: its settings, its look at a topic, and what it says on its own: log
//! lines, errors, statistics.
//!
//! Nothing here reads records. All calls that wait have a bound of [`ANSWER_MAX`].

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::{RDKafka, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Deserialize;

use crate::error::{Error, Result, nearest};
use crate::source::{Start, Wake};
use crate::time::Time;

/// How long an answer is waited for.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A consumer of one topic.
pub(super) struct Client {
    /// `None` only while it is dropped.
    consumer: Option<BaseConsumer<Context>>,
    pub(super) topic: String,
    brokers: String,
    pub(super) shared: Arc<Shared>,
}

/// What librdkafka's threads, the keeper and the worker tell each other.
#[derive(Default)]
pub(super) struct Shared {
    /// The last error that librdkafka spoke of, for the message if nobody answers.
    reason: Mutex<String>,
    seats: Mutex<BTreeMap<u32, Arc<Seat>>>,
    /// Bytes received from each broker, at the last statistics.
    received: Mutex<BTreeMap<i32, u64>>,
}

/// What a partition that is being read shares with the other threads.
pub(super) struct Seat {
    /// Whether the leader of the partition answered of late.
    pub(super) leader_answers: AtomicBool,
    /// Set behind `verdict`, so that a poll reads one flag.
    judged: AtomicBool,
    verdict: Mutex<Option<Verdict>>,
    wake: Wake,
}

/// What the keeper found about a partition in trouble.
pub(super) enum Verdict {
    /// It cannot be read any further.
    Fail(Error),
    /// Read on from here.
    Resume(i64),
}

/// What a look at a topic showed.
pub(super) enum Look {
    /// So many partitions.
    There(u32),
    /// The cluster answers, and has no such topic or does not let us see it.
    Gone(Error),
}

impl Seat {
    pub(super) fn new(wake: Wake) -> Seat {
        let (leader_answers, judged) = (AtomicBool::new(true), AtomicBool::new(false));
        Seat { leader_answers, judged, verdict: Mutex::default(), wake }
    }

    /// Passes a verdict and wakes the worker, which may sleep.
    pub(super) fn judge(&self, verdict: Verdict) {
        *lock(&self.verdict) = Some(verdict);
        self.judged.store(true, Ordering::Release);
        (self.wake)();
    }

    /// The verdict, once.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if !self.judged.load(Ordering::Acquire) {
            return None;
        }
        self.judged.store(false, Ordering::Release);
        lock(&self.verdict).take()
    }

    pub(super) fn wake(&self) {
        (self.wake)();
    }
}

impl Shared {
    pub(super) fn add(&self, partition: u32, seat: Arc<Seat>) {
        lock(&self.seats).insert(partition, seat);
    }

    pub(super) fn seat(&self, partition: u32) -> Option<Arc<Seat>> {
        lock(&self.seats).get(&partition).cloned()
    }

    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).values().cloned().collect()
    }
}

/// A lock that another thread's panic does not spoil: all values here are whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Makes a client; connects to nobody yet.
    pub(super) fn new(config: &ClientConfig, topic: &str, brokers: &str) -> Result<Client> {
        let shared = Arc::<Shared>::default();
        let context = Context { topic: topic.to_owned(), shared: shared.clone() };
        let consumer = BaseConsumer::from_config_and_context(config, context)
            .map_err(|error| refused_settings(&error))?;
        let (topic, brokers) = (topic.to_owned(), brokers.to_owned());
        Ok(Client { consumer: Some(consumer), topic, brokers, shared })
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Context> {
        self.consumer.as_ref().expect("a client has its consumer until it is dropped")
    }

    /// The address of librdkafka's own client, valid as long as this value.
    pub(super) fn native(&self) -> *mut RDKafka {
        self.consumer().client().native_ptr()
    }

    /// Serves what librdkafka has to say: log lines, errors, statistics.
    pub(super) fn serve(&self) {
        // A bound, for during an outage librdkafka speaks without end.
        for _ in 0..64 {
            if let Some(Ok(message)) = self.consumer().poll(Duration::ZERO) {
                let offset = rdkafka::Message::offset(&message);
                tracing::error!(topic = self.topic, offset, "record in the wrong queue");
            }
        }
    }

    /// Looks the topic up.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub(super) fn look(&self) -> Result<Look> {
        let metadata = self
            .consumer()
            .fetch_metadata(Some(&self.topic), ANSWER_MAX)
            .map_err(|error| self.no_answer(&error))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        match found.map(|topic| (topic.error().map(RDKafkaErrorCode::from), topic)) {
            Some((None, topic)) => {
                Ok(Look::There(u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX)))
            }
            Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition), _)) | None => {
                Ok(Look::Gone(self.missing()))
            }
            // A topic that is being made, or whose leaders are being elected.
            Some((Some(RDKafkaErrorCode::LeaderNotAvailable), _)) => Err(Error::unreachable(
                format!("topic `{}` on {} has no leader yet", self.topic, self.brokers),
            )),
            Some((Some(code), _)) => {
                let topic = &self.topic;
                Ok(Look::Gone(Error::config(format!("topic `{topic}` cannot be read: {code}"))))
            }
        }
    }

    /// Says that the topic is not there, and which names are near.
    fn missing(&self) -> Error {
        let (topic, brokers) = (&self.topic, &self.brokers);
        let all = self.consumer().fetch_metadata(None, ANSWER_MAX).ok();
        let names: Vec<&str> =
            all.iter().flat_map(|all| all.topics()).map(|topic| topic.name()).collect();
        let near: Vec<String> =
            nearest(topic, names).into_iter().map(|name| format!("`{name}`")).collect();
        let create = format!(
            "`highwater check --create` makes it, or: kafka-topics.sh --bootstrap-server {brokers} \
             --create --topic {topic} --partitions 3"
        );
        let hint = match near.as_slice() {
            [] => create,
            near => format!("there is {}; or {create}", near.join(", ")),
        };
        Error::config(format!("topic `{topic}` is not there on {brokers}")).hint(hint)
    }

    /// The error for a question that nobody answered, with what librdkafka said meanwhile.
    pub(super) fn no_answer(&self, error: &KafkaError) -> Error {
        self.serve();
        let reason = lock(&self.shared.reason).clone();
        let reason = if reason.is_empty() { error.to_string() } else { reason };
        Error::unreachable(format!("kafka at {} does not answer: {reason}", self.brokers))
            .hint("is it running, and is `brokers` right?")
    }

    /// The place in a partition that is meant. Only the ends and times are asked for.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub(super) fn resolve(&self, partition: u32, from: &Start) -> Result<Offset> {
        match from {
            Start::Earliest => Ok(Offset::Beginning),
            Start::Offset(offset) => Ok(Offset::Offset(*offset)),
            Start::Offsets(offsets) => {
                let named = offsets.iter().find(|(number, _)| *number == partition);
                Ok(named.map_or(Offset::Beginning, |(_, offset)| Offset::Offset(*offset)))
            }
            // Asked for now, and not left to the first fetch: what is written after the source
            // was opened is read.
            Start::Latest => Ok(Offset::Offset(self.watermarks(partition)?.1)),
            Start::Time(time) => self.offset_of(partition, *time),
        }
    }

    /// The offsets of the first record that is kept, and behind the last one.
    pub(super) fn watermarks(&self, partition: u32) -> Result<(i64, i64)> {
        self.consumer()
            .fetch_watermarks(&self.topic, number(partition), ANSWER_MAX)
            .map_err(|error| self.no_answer(&error))
    }

    fn offset_of(&self, partition: u32, time: Time) -> Result<Offset> {
        // Kafka keeps milliseconds: rounded up, or records before the time would be read.
        let millis = time.micros().div_euclid(1_000);
        let millis = millis + i64::from(time.micros().rem_euclid(1_000) != 0);
        if millis <= 0 {
            return Ok(Offset::Beginning);
        }
        let wanted = self.at(partition, Offset::Offset(millis))?;
        let found = self
            .consumer()
            .offsets_for_times(wanted, ANSWER_MAX)
            .map_err(|error| self.no_answer(&error))?;
        let element = found.find_partition(&self.topic, number(partition));
        match element.map(|element| element.offset()) {
            Some(offset @ Offset::Offset(_)) => Ok(offset),
            // No record is that young.
            _ => Ok(Offset::Offset(self.watermarks(partition)?.1)),
        }
    }

    /// A list with one partition and a place in it.
    pub(super) fn at(&self, partition: u32, offset: Offset) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.topic, number(partition), offset)
            .map_err(|error| Error::bug(format!("offset {offset:?} of {}: {error}", self.topic)))?;
        Ok(list)
    }
}

/// Closing may wait for answers, and a broker may be away: so it has a bound, and goes on
/// in a thread of its own behind it.
impl Drop for Client {
    fn drop(&mut self) {
        let consumer = mem::take(&mut self.consumer);
        let (done, closed) = mpsc::channel();
        let closing = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
            drop(consumer);
            // Nobody may wait any longer.
            let _ = done.send(());
        });
        if closing.is_ok() && closed.recv_timeout(ANSWER_MAX).is_err() {
            tracing::debug!(topic = self.topic, "kafka client still closing");
        }
    }
}

/// A partition's number as librdkafka has it; it was one of its own.
pub(super) fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Says that librdkafka does not take the settings.
pub(crate) fn refused_settings(error: &KafkaError) -> Error {
    Error::config(format!("kafka: {error}"))
        .hint("see the table `client`; TLS and SASL need a build of librdkafka that has them")
}

/// Receives what librdkafka says on its own.
pub(super) struct Context {
    topic: String,
    shared: Arc<Shared>,
}

/// Passes a log line of librdkafka on; what it calls an error it mends itself, so the levels are
/// one lower here.
pub(crate) fn log_line(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{line}"),
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", topic = self.topic, %error, "{reason}");
        // That all brokers are down says less than why the last one is.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            reason.clone_into(&mut lock(&self.shared.reason));
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.note_leaders(&statistics),
            Err(error) => tracing::warn!(%error, "statistics of librdkafka"),
        }
    }
}

impl ConsumerContext for Context {}

/// The part of librdkafka's statistics that says which brokers answer.
#[derive(Deserialize)]
struct Statistics {
    brokers: BTreeMap<String, BrokerStatistics>,
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    nodeid: i32,
    state: String,
    rx: u64,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: BTreeMap<i64, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    leader: i32,
}

impl Context {
    /// Notes for each partition whether its leader has answered since the last statistics. A fetch
    /// is always on its way, so a leader that lives has.
    fn note_leaders(&self, statistics: &Statistics) {
        let mut received = lock(&self.shared.received);
        let mut answers = BTreeMap::new();
        for broker in statistics.brokers.values() {
            let before = received.insert(broker.nodeid, broker.rx).unwrap_or(0);
            answers.insert(broker.nodeid, broker.state == "UP" && before < broker.rx);
        }
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let seats = lock(&self.shared.seats);
        for (partition, seat) in seats.iter() {
            let leader = topic.partitions.get(&i64::from(*partition)).map(|found| found.leader);
            let answer = leader.and_then(|leader| answers.get(&leader)).copied().unwrap_or(false);
            seat.leader_answers.store(answer, Ordering::Relaxed);
        }
    }
}

/// Whether an error of a partition says that its offset is not there. librdkafka then fetches no
/// more until it is told from where.
pub(super) fn is_offset_gone(code: RDKafkaRespErr) -> bool {
    matches!(
        RDKafkaErrorCode::from(code),
        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange
    )
}
