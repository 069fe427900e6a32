//! The producer of a sink: its settings, and what the brokers answered.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use super::Options;
use crate::error::{Error, Result};
use crate::letter::{Reason, Reject};
use crate::source::kafka::{client_config, log_line, refused_settings};

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
    "transaction.timeout.ms",
    "transactional.id",
];

/// Makes a producer; it connects with its first record.
pub(super) fn producer(options: &Options) -> Result<BaseProducer<Answers>> {
    let mut config = config(options)?;
    // For ever: the queue of the sink decides how long is waited.
    config.set("message.timeout.ms", "0");
    make(&config)
}

/// Makes a producer of transactions. `alone` gives each record a request of its own.
pub(super) fn transactional(
    options: &Options,
    id: &str,
    alone: bool,
) -> Result<BaseProducer<Answers>> {
    let mut config = config(options)?;
    config.set("transactional.id", id);
    config.set("transaction.timeout.ms", options.transaction_timeout.as_millis().to_string());
    if alone {
        config.set("batch.num.messages", "1");
    }
    make(&config)
}

fn config(options: &Options) -> Result<ClientConfig> {
    if let Some(name) = RESERVED.iter().find(|name| options.client.0.contains_key(**name)) {
        let error = Error::config(format!("kafka: `client` of a sink may not set `{name}`"));
        return Err(error.hint("the sink sets it itself; see `linger`, `transaction_timeout`"));
    }
    let mut config = client_config(&options.brokers, &options.client)?;
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("linger.ms", &*options.linger.as_millis().to_string()),
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
    Ok(config)
}

fn make(config: &ClientConfig) -> Result<BaseProducer<Answers>> {
    BaseProducer::from_config_and_context(config, Answers::default())
        .map_err(|error| refused_settings(&error))
}

/// What the brokers answered, until the writer hears of it.
#[derive(Default)]
pub(super) struct Answers {
    heard: Mutex<Heard>,
    /// The last error that librdkafka spoke of.
    trouble: Mutex<String>,
}

/// Answers to records, by their numbers.
#[derive(Default)]
pub(super) struct Heard {
    /// They are written, or refused for good.
    pub(super) done: Vec<usize>,
    pub(super) refused: Vec<(usize, Reject)>,
    /// Why a record was given up.
    pub(super) failure: Option<KafkaError>,
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

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        match result {
            Ok(_) => lock(&self.heard).done.push(record),
            Err((error, _)) if is_about_row(error) => self.refuse(record, error),
            Err((error, _)) => {
                lock(&self.heard).failure.get_or_insert_with(|| error.clone());
            }
        }
    }
}

impl Answers {
    /// A record will never be taken.
    pub(super) fn refuse(&self, record: usize, error: &KafkaError) {
        let reject = Reject::new(Reason::RejectedBySink, error.to_string());
        let mut heard = lock(&self.heard);
        heard.refused.push((record, reject));
        heard.done.push(record);
    }

    /// What came since the last time.
    pub(super) fn take(&self) -> Heard {
        std::mem::take(&mut *lock(&self.heard))
    }

    /// The last trouble in librdkafka's words; empty if there was none.
    pub(super) fn trouble(&self) -> String {
        lock(&self.trouble).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this record will never be taken, while others may.
pub(super) fn is_about_row(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        InvalidMessage, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge,
    };
    let code = error.rdkafka_error_code();
    matches!(code, Some(MessageSizeTooLarge | InvalidMessageSize | InvalidMessage | InvalidRecord))
}

/// Whether there is no room for a record now.
pub(super) fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// Whether no record of the topic will be taken, however long one waits.
pub(super) fn is_for_good(error: &KafkaError) -> bool {
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
