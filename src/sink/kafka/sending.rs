//! [`Sending`]: the records of one transaction that are on their way.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::producer::{Answers, Heard, is_about_row, is_full};
use crate::error::Error;
use crate::letter::{Reason, Reject};

/// The pause between two looks at the answers, as in `writer.rs`.
const PAUSE: Duration = Duration::from_micros(500);

const SENDS_PER_LOOK: usize = 512;

/// Records that were handed over in a transaction and are not all answered.
pub(super) struct Sending<'p> {
    producer: &'p BaseProducer<Answers>,
    /// How long no answer may come.
    patience: Duration,
    until: Instant,
    sent: usize,
    answered: usize,
}

/// What ends a transaction.
pub(super) enum Stop {
    /// Brokers refuse records, by their numbers.
    Rows(Vec<(usize, Reject)>),
    /// The client says so.
    Kafka(KafkaError),
    /// Nobody says anything.
    Silence,
    Error(Error),
}

impl From<KafkaError> for Stop {
    fn from(error: KafkaError) -> Stop {
        Stop::Kafka(error)
    }
}

impl Sending<'_> {
    /// Begins a transaction.
    pub(super) fn begin(
        producer: &BaseProducer<Answers>,
        patience: Duration,
    ) -> Result<Sending<'_>, Stop> {
        // What an earlier transaction has left would be mistaken for an answer to this one.
        producer.context().take();
        producer.begin_transaction()?;
        let until = Instant::now() + patience;
        Ok(Sending { producer, patience, until, sent: 0, answered: 0 })
    }

    /// Hands a record over, once there is room; or says why the client itself refuses it.
    pub(super) fn hand(
        &mut self,
        mut record: BaseRecord<'_, [u8], [u8], usize>,
    ) -> Result<Option<Reject>, Stop> {
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((error, _)) if is_about_row(&error) => {
                    return Ok(Some(Reject::new(Reason::RejectedBySink, error)));
                }
                Err((error, same)) if is_full(&error) => {
                    record = same;
                    self.wait()?;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(SENDS_PER_LOOK) {
            self.look()?;
        }
        Ok(None)
    }

    /// Waits until each record is answered.
    pub(super) fn all(&mut self) -> Result<(), Stop> {
        while self.answered < self.sent {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Stop> {
        thread::sleep(PAUSE);
        self.look()?;
        if self.until < Instant::now() { Err(Stop::Silence) } else { Ok(()) }
    }

    /// Counts the answers that are there.
    fn look(&mut self) -> Result<(), Stop> {
        loop {
            self.producer.poll(Duration::ZERO);
            let Heard { done, refused, failure } = self.producer.context().take();
            if !refused.is_empty() {
                return Err(Stop::Rows(refused));
            }
            if let Some(error) = failure {
                return Err(error.into());
            }
            if done.is_empty() {
                return Ok(());
            }
            self.answered += done.len();
            self.until = Instant::now() + self.patience;
        }
    }
}
