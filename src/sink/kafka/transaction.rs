//! One transaction of Kafka: the rows of a delivery and the marker that says so.
//!
//! librdkafka ends a transaction that has failed by an abort, of which the answer may be lost as
//! well. Here the producer is dropped instead: the next one has the same id, and the brokers end
//! whatever the earlier one has left open before they answer to it.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Options;
use super::marker::{Marker, is_about_group};
use super::messages::Messages;
use super::producer::{Answers, is_for_good};
use super::sending::{Sending, Stop};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::letter::Reject;
use crate::sink::Refusal;

/// How long one call waits for its answer, or records for the answer to one of them.
pub(super) const CALL_MAX: Duration = Duration::from_secs(5);

/// How much longer than it was told a call may take.
const GRACE: Duration = Duration::from_secs(1);

/// A producer that may begin transactions, and what its shard has delivered.
pub(super) struct Session {
    pub(super) producer: Arc<BaseProducer<Answers>>,
    pub(super) group: Arc<ConsumerGroupMetadata>,
    pub(super) marker: Marker,
}

/// Why a transaction was not committed, or is not known to be.
pub(super) enum Failure {
    /// Brokers refuse rows, by their numbers; those of other rows of the same request with them.
    Rows(Vec<(usize, Reject)>),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

impl Session {
    /// Commits records, all but those that were refused, with a marker. Adds to these what the
    /// client itself refuses.
    pub(super) fn commit(
        &self,
        options: &Options,
        messages: &Messages,
        refused: &mut Vec<Refusal>,
        marker: impl FnOnce(&mut Vec<Refusal>) -> Marker,
    ) -> Result<Marker, Failure> {
        let begun = Instant::now();
        let committed = self.records(options, messages, refused).and_then(|()| {
            failpoint!("kafka.before_marker");
            let marker = marker(refused);
            let list = marker.list(&options.topic).map_err(Stop::Error)?;
            self.send(list)?;
            failpoint!("kafka.before_commit");
            self.producer.commit_transaction(CALL_MAX)?;
            Ok(marker)
        });
        committed.map_err(|stop| self.failure(options, stop, begun))
    }

    /// Hands over the records and waits for the answers.
    fn records(
        &self,
        options: &Options,
        messages: &Messages,
        refused: &mut Vec<Refusal>,
    ) -> Result<(), Stop> {
        let mut sending = Sending::begin(&self.producer, CALL_MAX)?;
        let mut skipped = refused.iter().map(|refusal| refusal.row).collect::<Vec<_>>();
        skipped.sort_unstable();
        for record in 0..messages.len() {
            let (row, key, value) = messages.get(record);
            if skipped.binary_search(&row).is_ok() {
                continue;
            }
            let mut message = BaseRecord::with_opaque_to(&options.topic, row);
            (message.key, message.payload) = (key, value);
            let reject = sending.hand(message)?;
            refused.extend(reject.map(|reject| Refusal { row, reject }));
        }
        sending.all()
    }

    /// Adds the marker. librdkafka waits for ever if the coordinator of the group goes away at the
    /// wrong moment (its issues 5456 and 5511), so a thread does it, which is left behind then: the
    /// next producer fences this one, whatever it does when it wakes up.
    fn send(&self, marker: TopicPartitionList) -> Result<(), Stop> {
        let (producer, group) = (self.producer.clone(), self.group.clone());
        let (answer, answered) = mpsc::channel();
        let send = move || {
            let _ = answer.send(producer.send_offsets_to_transaction(&marker, &group, CALL_MAX));
        };
        let spawned = thread::Builder::new().name("kafka marker".into()).spawn(send);
        spawned.map_err(|error| Stop::Error(Error::unreachable(format!("no thread: {error}"))))?;
        Ok(answered.recv_timeout(CALL_MAX + GRACE).map_err(|_| Stop::Silence)??)
    }

    fn failure(&self, options: &Options, stop: Stop, begun: Instant) -> Failure {
        let words = self.producer.context().trouble();
        let trouble = Trouble { brokers: &options.brokers, words: &words };
        let error = match stop {
            Stop::Rows(rows) => return Failure::Rows(rows),
            Stop::Error(error) => return error.into(),
            Stop::Silence => return trouble.away("no answer").into(),
            Stop::Kafka(error) => error,
        };
        // An error that follows from a refused row may come before the answer to that.
        self.producer.poll(Duration::ZERO);
        let heard = self.producer.context().take();
        if !heard.refused.is_empty() {
            return Failure::Rows(heard.refused);
        }
        // Brokers that end a transaction as it took too long speak as if another had begun.
        let took = begun.elapsed();
        if options.transaction_timeout <= took && is_fenced(code_of(&self.producer, &error)) {
            let why = format!("a transaction took {} s, and was ended", took.as_secs());
            return Error::unreachable(why)
                .hint("raise `transaction_timeout` of the sink")
                .within(format!("kafka at {}", options.brokers))
                .into();
        }
        trouble.of(&self.producer, &error).into()
    }
}

/// Makes errors of librdkafka's.
pub(super) struct Trouble<'a> {
    pub(super) brokers: &'a str,
    /// What it said last.
    pub(super) words: &'a str,
}

impl Trouble<'_> {
    /// What an error of a producer means.
    pub(super) fn of(&self, producer: &BaseProducer<Answers>, error: &KafkaError) -> Error {
        self.judge(code_of(producer, error), error)
    }

    /// What an error means.
    pub(super) fn with(&self, error: &KafkaError) -> Error {
        self.judge(error.rdkafka_error_code(), error)
    }

    fn judge(&self, code: Option<RDKafkaErrorCode>, error: &KafkaError) -> Error {
        use RDKafkaErrorCode as Code;
        let place = || format!("kafka at {}", self.brokers);
        let refused = |why: &str| Error::config(format!("{why}: {error}")).within(place());
        match code {
            code if is_fenced(code) => {
                Error::fenced("a later attempt delivers these rows").within(place())
            }
            Some(Code::InvalidTransactionTimeout) => {
                refused("brokers allow no transaction so long").hint(
                    "lower `transaction_timeout` of the sink, or raise their \
                       `transaction.max.timeout.ms`",
                )
            }
            Some(Code::TransactionalIdAuthorizationFailed) => {
                refused("transactions are not allowed")
            }
            Some(Code::UnsupportedFeature | Code::UnsupportedVersion) => {
                refused("these brokers have no transactions").hint("leave `exactly_once` out")
            }
            Some(code) if is_about_group(code) => refused("the group of the sink cannot be used"),
            _ if is_for_good(error) => refused("the topic cannot be written"),
            _ => self.away(&error.to_string()),
        }
    }

    fn away(&self, error: &str) -> Error {
        let words = if self.words.is_empty() { error } else { self.words };
        Error::unreachable(format!("kafka at {} does not answer: {words}", self.brokers))
            .hint("is it running, and is `brokers` right?")
    }
}

/// The code of an error; of one that says that the producer is of no use any more, why.
fn code_of(producer: &BaseProducer<Answers>, error: &KafkaError) -> Option<RDKafkaErrorCode> {
    let fatal = producer.client().fatal_error().map(|(code, _)| code);
    fatal.or_else(|| error.rdkafka_error_code())
}

fn is_fenced(code: Option<RDKafkaErrorCode>) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Some(Fenced | ProducerFenced | InvalidProducerEpoch))
}
