//! Reading one partition: from librdkafka's queue into the engine's batch, never waiting.
//!
//! ```text
//! record ──► batch         end of partition ──► CaughtUp, if its leader answers
//! offset refused ──► ask the keeper, Waiting ──► verdict: read on, or the error that ends the job
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client::{Client, Seat, Verdict, is_offset_gone};
use super::keeper::Command;
use super::queue::Queue;
use crate::error::{Error, Result};
use crate::source::{Batch, Partition, Poll, Wake};
use crate::time::Time;

/// A partition of a topic that is being read.
pub(super) struct KafkaPartition {
    queue: Queue,
    client: Arc<Client>,
    seat: Arc<Seat>,
    keeper: Sender<Command>,
    number: u32,
    /// Offset of the next record; unknown before the first one of the earliest start.
    position: Option<i64>,
    /// Whether the end was behind the last thing that came out of the queue.
    at_end: bool,
    /// Positions that were gone, until a poll says so.
    lost: u64,
}

impl KafkaPartition {
    /// Begins to read at a place.
    ///
    /// # Errors
    ///
    /// librdkafka refuses; it asks nobody for that.
    pub(super) fn open(
        client: &Arc<Client>,
        keeper: Sender<Command>,
        number: u32,
        offset: Offset,
        wake: Wake,
    ) -> Result<KafkaPartition> {
        let list = client.at(number, offset)?;
        // In this order, and the seat before both: no record, wake or verdict is missed.
        let seat = Arc::new(Seat::new(wake.clone()));
        client.shared.add(number, seat.clone());
        let queue = Queue::cut(client, &client.topic, number, wake)
            .ok_or_else(|| no_queue(client, number))?;
        let refused = |error: KafkaError| refusal(client, number, &error);
        client.consumer().incremental_assign(&list).map_err(refused)?;
        let position = match offset {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let client = client.clone();
        Ok(KafkaPartition { queue, client, seat, keeper, number, position, at_end: false, lost: 0 })
    }

    /// Reads on elsewhere, after a position was refused.
    fn resume(&mut self, offset: i64) -> Result<()> {
        let list = self.client.at(self.number, Offset::Offset(offset))?;
        let refused = |error: KafkaError| refusal(&self.client, self.number, &error);
        self.client.consumer().incremental_unassign(&list).map_err(refused)?;
        self.queue.cut_again().ok_or_else(|| no_queue(&self.client, self.number))?;
        self.client.consumer().incremental_assign(&list).map_err(refused)?;
        let behind = self.position.map_or(0, |position| offset - position);
        self.lost += u64::try_from(behind).unwrap_or(0);
        self.position = Some(offset);
        self.at_end = false;
        Ok(())
    }

    /// What the keeper found, if it found something.
    fn obey(&mut self) -> Result<()> {
        match self.seat.verdict() {
            None => Ok(()),
            Some(Verdict::Fail(error)) => Err(error),
            Some(Verdict::Resume(offset)) => self.resume(offset),
        }
    }

    /// Asks the keeper; one that has ended asks nobody, for the source is gone then.
    fn ask(&self, command: Command) {
        let _ = self.keeper.send(command);
    }

    /// Whether everything that the leader had at the last fetch has been read. What is behind it
    /// is not known if the leader no longer answers: an outage is no idleness.
    fn caught_up(&self) -> bool {
        let read = || match (self.position, self.queue.watermarks()) {
            (Some(position), Some((_, high))) => high <= position,
            _ => false,
        };
        self.seat.leader_answers.load(Ordering::Relaxed) && (self.at_end || read())
    }
}

impl Partition for KafkaPartition {
    fn position(&self) -> Option<i64> {
        self.position
    }

    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        self.obey()?;
        batch.lost = std::mem::take(&mut self.lost);
        let mut trouble = None;
        while !batch.is_full() {
            let Some(message) = self.queue.next() else { break };
            match message.code() {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    let time = message.timestamp().map(Time::from_millis);
                    batch.push(message.offset(), time, message.key(), message.value());
                    self.position = Some(message.offset() + 1);
                    self.at_end = false;
                }
                // The offset here also counts the markers of transactions, which are no records.
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                    self.position = Some(message.offset());
                    self.at_end = true;
                }
                code => {
                    let words = message.value().map(|words| String::from_utf8_lossy(words).into());
                    trouble = Some((code, message.offset(), words.unwrap_or_default()));
                    break;
                }
            }
        }
        if let Some((code, offset, words)) = trouble {
            self.note(code, offset, words)?;
        }
        if let Some(position) = self.position {
            batch.next_offset = position;
        }
        Ok(match () {
            () if !batch.records.is_empty() => Poll::Ready,
            () if self.caught_up() => Poll::CaughtUp,
            () => Poll::Waiting,
        })
    }

    fn lag(&self) -> Option<u64> {
        let (low, high) = self.queue.watermarks()?;
        u64::try_from(high - self.position.unwrap_or(low.max(0))).ok().or(Some(0))
    }
}

impl KafkaPartition {
    /// Deals with an error that librdkafka put in the place of a record.
    fn note(&mut self, code: RDKafkaRespErr, offset: i64, words: String) -> Result<()> {
        let (topic, number) = (&self.client.topic, self.number);
        self.at_end = false;
        if is_offset_gone(code) {
            let begun = self.position.is_some();
            let offset = self.position.unwrap_or(offset);
            self.ask(Command::Lost { partition: number, offset, begun });
            return Ok(());
        }
        match RDKafkaErrorCode::from(code) {
            // Perhaps only a broker that has just started: the keeper looks several times.
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition => self.ask(Command::Look),
            RDKafkaErrorCode::TopicAuthorizationFailed => {
                return Err(Error::config(format!("{topic}/{number} may not be read: {words}"))
                    .hint("the user needs the right to read the topic"));
            }
            // librdkafka does not get past such a batch, and skipping it would lose it unseen.
            RDKafkaErrorCode::BadCompression
            | RDKafkaErrorCode::BadMessage
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::NotImplemented => {
                return Err(Error::config(format!(
                    "{topic}/{number} cannot be decoded at offset {offset}: {words}"
                ))
                .hint("start behind it with --from"));
            }
            _ => tracing::warn!(topic, partition = number, offset, "{words}"),
        }
        Ok(())
    }
}

fn refusal(client: &Client, number: u32, error: &KafkaError) -> Error {
    Error::bug(format!("kafka: {}/{number} cannot be assigned: {error}", client.topic))
}

fn no_queue(client: &Client, number: u32) -> Error {
    Error::bug(format!("kafka: no queue for {}/{number}", client.topic))
}
