//! Hands records to a producer, batch behind batch, and hears the answer to each of them later.
//!
//! librdkafka keeps what it was given and tries again without end, in order. So a call that finds
//! that no answer has come for too long says `Unreachable` and forgets nothing: the next one goes
//! on where it stopped. Only when a record was given up is the producer made anew, and what is not
//! known to be written is handed over again (`batches.rs`).

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::Options;
use super::batches::{Batches, Record};
use super::messages::Form;
use super::producer::{Answers, Heard, is_about_row, is_for_good, is_full, producer};
use crate::error::{Error, Result};
use crate::row::Rows;
use crate::sink::file::now;
use crate::sink::{Refusal, Writer};

/// How long no answer may come before a call says so.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(2);

/// The pause between two looks at the answers. librdkafka's binding waits for all of the time it is
/// given, also when answers come at once, and spins over the last millisecond of it.
const PAUSE: Duration = Duration::from_micros(500);

/// How many records are handed over between two looks at the answers.
const SENDS_PER_LOOK: usize = 512;

/// How often the queue looks for answers at least: requests leave once a linger.
const LOOK_MAX: Duration = Duration::from_millis(5);

/// Writes to one topic.
pub(super) struct KafkaWriter {
    options: Arc<Options>,
    form: Form,
    producer: BaseProducer<Answers>,
    batches: Batches,
    /// `write` failed: the last batch is that of its rows, which will be given again.
    interrupted: bool,
    /// A record was given up, and the producer is not made anew yet.
    has_given_up: bool,
    silence: Silence,
}

impl KafkaWriter {
    pub(super) fn new(options: Arc<Options>, form: Form) -> Result<KafkaWriter> {
        let producer = producer(&options)?;
        Ok(KafkaWriter {
            options,
            form,
            producer,
            batches: Batches::default(),
            interrupted: false,
            has_given_up: false,
            silence: Silence::new(),
        })
    }

    /// Whether rows wait for their answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Hands over every record that was not; waits while there is no room.
    fn hand_over(&mut self) -> Result<()> {
        let mut sends = 0_usize;
        while let Some(Record { number, key, value }) = self.batches.next() {
            let mut record: BaseRecord<'_, [u8], [u8], usize> =
                BaseRecord::with_opaque_to(&self.options.topic, number);
            (record.key, record.payload) = (key, value);
            match self.producer.send(record) {
                Ok(()) => self.batches.handed(),
                Err((error, _)) if is_about_row(&error) => {
                    self.producer.context().refuse(number, &error);
                    self.batches.handed();
                }
                Err((error, _)) if is_full(&error) => self.pause()?,
                Err((error, _)) => return Err(self.failed(&error)),
            }
            sends += 1;
            if sends.is_multiple_of(SENDS_PER_LOOK) {
                self.look()?;
            }
        }
        Ok(())
    }

    /// Waits until the oldest batch is answered, but not longer than until then.
    fn hear(&mut self, until: Instant) -> Result<Option<Vec<Refusal>>> {
        self.look()?;
        // Unless the last producer gave up, all was handed over before.
        self.hand_over()?;
        loop {
            if let Some(refusals) = self.batches.pop() {
                return Ok(Some(refusals));
            }
            // While brokers are silent, a call is over when one speaks, or says that none does.
            let over = until <= Instant::now() && !self.silence.was_noticed;
            if over && !self.silence.is_too_long() || self.batches.is_empty() {
                return Ok(None);
            }
            self.pause()?;
        }
    }

    /// Takes the answers that are there.
    fn look(&mut self) -> Result<()> {
        loop {
            self.producer.poll(Duration::ZERO);
            let Heard { done, refused, failure } = self.producer.context().take();
            self.batches.hear(&done, refused);
            if let Some(error) = failure {
                self.has_given_up = true;
                return Err(self.failed(&error));
            }
            if done.is_empty() {
                return Ok(());
            }
            self.silence = Silence::new();
        }
    }

    /// Waits for a moment; no longer if no answer has come for too long.
    fn pause(&mut self) -> Result<()> {
        if self.silence.is_too_long() {
            self.silence = Silence { was_noticed: true, ..Silence::new() };
            let trouble = self.producer.context().trouble();
            return Err(self.away(&match trouble.is_empty() {
                true => format!("no answer within {} s", SILENCE_MAX.as_secs()),
                false => trouble,
            }));
        }
        thread::sleep(PAUSE);
        self.look()
    }

    /// Makes a call; when it finds that records are lost, they will be handed over again.
    fn attempt<T>(&mut self, call: impl FnOnce(&mut KafkaWriter) -> Result<T>) -> Result<T> {
        let outcome = call(self);
        let fatal = || self.producer.client().fatal_error().is_some();
        if outcome.is_err() && (self.has_given_up || fatal()) {
            // What is still on its way there has the order of the old producer, and the new one
            // writes all of it again: the last record of each key is the right one again.
            self.producer = producer(&self.options)?;
            self.batches.again();
            (self.has_given_up, self.silence) = (false, Silence::new());
        }
        outcome
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
}

impl Writer for KafkaWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        if !self.interrupted {
            if self.batches.is_empty() {
                self.silence = Silence::new();
            }
            self.batches.push(self.form.messages(rows, now()));
        }
        self.interrupted = true;
        self.attempt(KafkaWriter::hand_over)?;
        self.interrupted = false;
        Ok(vec![])
    }

    fn answers_later(&self) -> Option<Duration> {
        Some(self.options.linger.min(LOOK_MAX))
    }

    fn answer(&mut self, until: Instant) -> Result<Option<Vec<Refusal>>> {
        self.attempt(|writer| writer.hear(until))
    }
}

/// How long no answer has come.
struct Silence {
    until: Instant,
    /// A call has said so, and nothing has come since.
    was_noticed: bool,
}

impl Silence {
    fn new() -> Silence {
        Silence { until: Instant::now() + SILENCE_MAX, was_noticed: false }
    }

    fn is_too_long(&self) -> bool {
        self.until < Instant::now()
    }
}
