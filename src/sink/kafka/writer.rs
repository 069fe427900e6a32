//! Hands records to a producer and waits for the answer to each of them.
//!
//! librdkafka keeps what it was given and tries again without end, in order. So a call that has
//! waited long enough says `Unreachable` and forgets nothing: the next one, with the same rows,
//! goes on where it stopped. Only when a record was given up is the producer made anew and the
//! whole batch written again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use super::Options;
use super::messages::{Form, Messages};
use crate::error::{Error, Result};
use crate::letter::{Reason, Reject};
use crate::row::Rows;
use crate::sink::file::now;
use crate::sink::{Refusal, Writer};
use crate::source::kafka::{client_config, log_line, refused_settings};

/// How long a call waits without any answer before it says so.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The pause between two looks at the answers. librdkafka's binding waits for all of the time it is
/// given, also when answers come at once, and spins over the last millisecond of it.
const PAUSE: Duration = Duration::from_micros(500);

/// How many records are handed over between two looks at the answers.
const SENDS_PER_LOOK: usize = 512;

/// Settings that the sink itself depends on.
const RESERVED: &[&str] = &[
    "acks",
    "delivery.timeout.ms",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "linger.ms",
    "message.timeout.ms",
    "queue.buffering.max.ms",
    "request.required.acks",
    "transactional.id",
];

/// Makes a producer; it connects with its first record.
pub(super) fn producer(options: &Options) -> Result<BaseProducer<Answers>> {
    if let Some(name) = RESERVED.iter().find(|name| options.client.0.contains_key(**name)) {
        let error = Error::config(format!("kafka: `client` of a sink may not set `{name}`"));
        return Err(error.hint("the sink sets it itself; see `linger`"));
    }
    let mut config = client_config(&options.brokers, &options.client)?;
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("linger.ms", &*options.linger.as_millis().to_string()),
        // For ever: the queue of the sink decides how long is waited.
        ("message.timeout.ms", "0"),
        // What Java's producers do, so that a key has the same partition whoever wrote it.
        ("partitioner", "murmur2_random"),
        ("queue.buffering.max.kbytes", "32768"),
        // A record may be as large as brokers allow; they say if it is too large.
        ("message.max.bytes", "10485760"),
    ] {
        if !options.client.0.contains_key(name) {
            config.set(name, value);
        }
    }
    BaseProducer::from_config_and_context(&config, Answers::default())
        .map_err(|error| refused_settings(&error))
}

/// What the brokers answered to the batch under way.
#[derive(Default)]
pub(super) struct Answers {
    /// To so many records, whatever the answer was.
    count: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
    /// Why a record was given up.
    failure: Mutex<Option<KafkaError>>,
    /// The last error that librdkafka spoke of.
    trouble: Mutex<String>,
}

impl ClientContext for Answers {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        // That all brokers are down says less than why the last one is.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            reason.clone_into(&mut lock(&self.trouble));
        }
    }
}

impl ProducerContext for Answers {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, row: usize) {
        match result {
            Ok(_) => {}
            Err((error, _)) if is_about_row(error) => self.refuse(row, error),
            Err((error, _)) => {
                lock(&self.failure).get_or_insert_with(|| error.clone());
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Answers {
    fn refuse(&self, row: usize, error: &KafkaError) {
        let reject = Reject::new(Reason::RejectedBySink, error.to_string());
        lock(&self.refusals).push(Refusal { row, reject });
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this record will never be taken, while others may.
fn is_about_row(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        InvalidMessage, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge,
    };
    let code = error.rdkafka_error_code();
    matches!(code, Some(MessageSizeTooLarge | InvalidMessageSize | InvalidMessage | InvalidRecord))
}

/// Whether no record of the topic will be taken, however long one waits.
fn is_for_good(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::InvalidTopic
                | Code::PolicyViolation
        )
    )
}

/// Writes to one topic.
pub(super) struct KafkaWriter {
    options: Arc<Options>,
    form: Form,
    producer: BaseProducer<Answers>,
    /// The batch under way: its records, and how many of them were handed over.
    batch: Option<(Messages, usize)>,
}

impl KafkaWriter {
    pub(super) fn new(options: Arc<Options>, form: Form) -> Result<KafkaWriter> {
        let producer = producer(&options)?;
        Ok(KafkaWriter { options, form, producer, batch: None })
    }

    /// Hands over what was not yet, and waits for the answers to all of it.
    fn go_on(&mut self, batch: &Messages, handed: &mut usize) -> Result<()> {
        let mut wait = Wait::new();
        while *handed < batch.len() {
            if (*handed).is_multiple_of(SENDS_PER_LOOK) {
                self.look()?;
            }
            if self.hand_over(batch, *handed)? {
                *handed += 1;
            } else {
                thread::sleep(PAUSE);
                self.look()?;
                wait.check(self.producer.context()).map_err(|words| self.away(&words))?;
            }
        }
        while self.producer.context().count() < batch.len() {
            thread::sleep(PAUSE);
            self.look()?;
            wait.check(self.producer.context()).map_err(|words| self.away(&words))?;
        }
        self.look()
    }

    /// Hands over a record; false if there is no room for it now.
    fn hand_over(&self, batch: &Messages, number: usize) -> Result<bool> {
        let (row, key, value) = batch.get(number);
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&self.options.topic, row);
        (record.key, record.payload) = (key, value);
        let Err((error, _)) = self.producer.send(record) else { return Ok(true) };
        let answers = self.producer.context();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Ok(false),
            _ if is_about_row(&error) => {
                answers.refuse(row, &error);
                answers.count.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            _ => Err(self.failed(&error)),
        }
    }

    /// Takes the answers that are there.
    fn look(&self) -> Result<()> {
        let answers = self.producer.context();
        let mut before = usize::MAX;
        while answers.count() != before {
            before = answers.count();
            self.producer.poll(Duration::ZERO);
        }
        let failure = lock(&answers.failure).clone();
        failure.map_or(Ok(()), |error| Err(self.failed(&error)))
    }

    fn failed(&self, error: &KafkaError) -> Error {
        let topic = &self.options.topic;
        if is_for_good(error) {
            return Error::config(format!("topic `{topic}` cannot be written: {error}"))
                .within(format!("kafka at {}", self.options.brokers));
        }
        self.away(&format!("topic `{topic}`: {error}"))
    }

    fn away(&self, words: &str) -> Error {
        Error::unreachable(format!("kafka at {} does not answer: {words}", self.options.brokers))
            .hint("is it running, and is `brokers` right?")
    }

    /// Whether what was handed over is lost with this producer.
    fn has_given_up(&self) -> bool {
        let answers = self.producer.context();
        lock(&answers.failure).is_some() || self.producer.client().fatal_error().is_some()
    }
}

impl Writer for KafkaWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let begin = || (self.form.messages(rows, now()), 0);
        let (batch, mut handed) = self.batch.take().unwrap_or_else(begin);
        let outcome = self.go_on(&batch, &mut handed);
        if outcome.is_err() && self.has_given_up() {
            // What is still on its way there has the order of the old producer, and the batch is
            // written whole by the new one: the last record of each key is the right one again.
            self.producer = producer(&self.options)?;
            handed = 0;
        }
        if let Err(error) = outcome {
            self.batch = Some((batch, handed));
            return Err(error);
        }
        let answers = self.producer.context();
        answers.count.store(0, Ordering::Relaxed);
        let mut refusals = std::mem::take(&mut *lock(&answers.refusals));
        refusals.sort_by_key(|refusal| refusal.row);
        Ok(refusals)
    }
}

/// Waits as long as answers come.
struct Wait {
    seen: usize,
    until: Instant,
}

impl Wait {
    fn new() -> Wait {
        Wait { seen: usize::MAX, until: Instant::now() + ANSWER_MAX }
    }

    /// Says in words why no answer came for too long.
    fn check(&mut self, answers: &Answers) -> Result<(), String> {
        let count = answers.count();
        if count != self.seen {
            (self.seen, self.until) = (count, Instant::now() + ANSWER_MAX);
        } else if self.until < Instant::now() {
            let trouble = lock(&answers.trouble).clone();
            let seconds = ANSWER_MAX.as_secs();
            return Err(match trouble.is_empty() {
                true => format!("no answer within {seconds} s"),
                false => trouble,
            });
        }
        Ok(())
    }
}
