//! Sends dead letters into topics again, each once, however often that is begun and killed.
//!
//! ```text
//!            ┌ records of some letters ─► their topics
//! one transaction                                           both or neither
//!            └ the same letters' names ─► the journal
//! ```
//!
//! The journal is a compacted topic whose keys are the letters that were sent. It is read before
//! anything is sent, behind the end of whatever another replay has left open: the name of the
//! journal is the transactional id, so who begins last keeps all others from going on. So it does
//! not matter in which order letters come, from which store, or which answer of a broker was lost.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Options;
use super::producer::{Answers, transactional};
use super::read::records;
use super::sending::{Sending, Stop};
use super::transaction::{CALL_MAX, Failure, Trouble};
use crate::error::{Error, Kind, Result};
use crate::failpoint::failpoint;
use crate::letter::Reject;
use crate::letters::parcel::Parcel;
use crate::source::kafka::{Admin, ClientSettings};

/// How long an answer to a record is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(30);

const AGAIN: &str = "begin again: what was sent is not sent twice";

/// A cluster, and the journal of what was sent there.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Where to ask for it.
    pub brokers: String,
    /// Settings of the client.
    pub client: ClientSettings,
    /// The topic of the journal.
    pub journal: String,
}

/// What is known of a letter: how often it was sent.
#[derive(Serialize, Deserialize)]
struct Entry {
    attempt: u32,
}

/// A name, short: the journal may have many.
type Short = [u8; 16];

fn short(identity: &[u8]) -> Short {
    let mut short = Short::default();
    short.copy_from_slice(&Sha256::digest(identity)[..16]);
    short
}

/// The letters that were sent before, and how often.
#[derive(Default)]
pub struct Journal(BTreeMap<Short, u32>);

impl Journal {
    /// Reads what was sent; nobody is kept from sending more.
    ///
    /// # Errors
    ///
    /// `Unreachable`: nobody answers.
    pub fn read(cluster: &Cluster) -> Result<Journal> {
        let Cluster { brokers, client, journal } = cluster;
        if Admin::new(brokers, client)?.partitions(journal)? == 0 {
            return Ok(Journal::default());
        }
        let mut sent = BTreeMap::new();
        records(brokers, journal, client, &mut |key, value| {
            let entry = value.and_then(|value| serde_json::from_slice::<Entry>(value).ok());
            let (Some(key), Some(Entry { attempt })) = (key, entry) else {
                let error = format!("topic `{journal}` has records that no replay has written");
                return Err(Error::config(error).hint("name another topic with --journal"));
            };
            let known = sent.entry(short(key)).or_insert(0);
            *known = attempt.max(*known);
            Ok(())
        })?;
        Ok(Journal(sent))
    }

    /// How often a letter was sent.
    pub fn attempts(&self, identity: &str) -> u32 {
        self.0.get(&short(identity.as_bytes())).copied().unwrap_or(0)
    }

    /// How many letters were sent.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of some letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many were sent; those that are neither sent nor refused had been before.
    pub sent: usize,
    /// Which ones brokers refuse for good, by their index.
    pub refused: Vec<(usize, Reject)>,
}

/// Sends letters to the topics of a cluster.
pub struct Replay {
    cluster: Cluster,
    options: Options,
    journal: Journal,
    session: Option<BaseProducer<Answers>>,
    /// How many partitions the topics have.
    partitions: BTreeMap<String, u32>,
}

impl Replay {
    /// Makes the journal if it is not there, keeps other replays from going on, and reads what they
    /// have sent.
    ///
    /// # Errors
    ///
    /// `Unreachable`: nobody answers. `Config`: the cluster refuses.
    pub fn begin(cluster: Cluster) -> Result<Replay> {
        let Cluster { brokers, client, journal } = &cluster;
        let compact = [("cleanup.policy", "compact")];
        Admin::new(brokers, client)?.create_topic_with(journal, 1, &compact)?;
        let options = Options::of(journal, brokers, client);
        let (partitions, journal) = (BTreeMap::new(), Journal::default());
        let mut replay = Replay { cluster, options, journal, session: None, partitions };
        replay.open()?;
        Ok(replay)
    }

    /// What was sent so far, by this replay and earlier ones.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Sends letters as their attempt number `attempt`, all or nothing but for those that are
    /// refused for good. What was sent as often is left out. An error may come behind the success:
    /// the same call sends nothing twice.
    ///
    /// # Errors
    ///
    /// `Unreachable`: nobody answers. `Fenced`: another replay has begun. `Config`: a topic is not
    /// there, or cannot be written.
    pub fn send(&mut self, parcels: &[Parcel], attempt: u32) -> Result<Sent> {
        let identities: Vec<String> = parcels.iter().map(Parcel::identity).collect();
        self.open()?;
        let due = |index: &usize| self.journal.attempts(&identities[*index]) < attempt;
        let mut due: Vec<usize> = (0..parcels.len()).filter(due).collect();
        // A store may hold a letter twice.
        due.sort_by_key(|index| &identities[*index]);
        due.dedup_by_key(|index| &identities[*index]);
        due.sort_unstable();
        for parcel in parcels {
            self.look_at(&parcel.topic)?;
        }
        match self.commit(parcels, &identities, &due, attempt) {
            Ok(()) => Ok(Sent { sent: due.len(), refused: vec![] }),
            Err(Failure::Rows(rows)) if due.len() == 1 => {
                let refused = rows.into_iter().take(1).map(|(_, reject)| (due[0], reject));
                Ok(Sent { sent: 0, refused: refused.collect() })
            }
            // Which of a request it was nobody says.
            Err(Failure::Rows(_)) => {
                let mut all = Sent::default();
                for index in due {
                    let alone = self.send(&parcels[index..=index], attempt)?;
                    all.sent += alone.sent;
                    all.refused.extend(alone.refused.into_iter().map(|(_, why)| (index, why)));
                }
                Ok(all)
            }
            Err(Failure::Other(error)) => Err(error),
        }
    }

    /// Opens a session, unless one is open: ends what others have left open, and reads what was
    /// sent behind that.
    fn open(&mut self) -> Result<()> {
        if self.session.is_some() {
            return Ok(());
        }
        let producer = transactional(&self.options, &self.cluster.journal, false)?;
        producer.init_transactions(CALL_MAX).map_err(|error| self.trouble(&producer, &error))?;
        failpoint!("replay.before_journal");
        self.journal = Journal::read(&self.cluster)?;
        self.session = Some(producer);
        Ok(())
    }

    fn look_at(&mut self, topic: &str) -> Result<()> {
        if !self.partitions.contains_key(topic) {
            let Cluster { brokers, client, .. } = &self.cluster;
            let found = crate::source::kafka::look_at(brokers, topic, client)?;
            self.partitions.insert(topic.to_owned(), found);
        }
        Ok(())
    }

    /// Sends some letters and their names by one transaction.
    fn commit(
        &mut self,
        parcels: &[Parcel],
        identities: &[String],
        due: &[usize],
        attempt: u32,
    ) -> Result<(), Failure> {
        let Some(producer) = self.session.take() else {
            return Err(Error::bug("letters are sent without a session").into());
        };
        if due.is_empty() {
            self.session = Some(producer);
            return Ok(());
        }
        let entry = serde_json::to_vec(&Entry { attempt })
            .map_err(|error| Error::bug(format!("an entry is no JSON: {error}")))?;
        let done = self.transaction(&producer, due, |record, of| match of {
            Of::Letter => self.letter(record, &parcels[record], attempt),
            Of::Journal => {
                let name = identities[record].as_bytes();
                let record = BaseRecord::with_opaque_to(self.cluster.journal.as_str(), record);
                record.partition(0).key(name).payload(&*entry)
            }
        });
        // A producer that has failed is dropped: the next one ends what it has left open.
        done.map_err(|stop| self.failure(&producer, stop))?;
        for index in due {
            self.journal.0.insert(short(identities[*index].as_bytes()), attempt);
        }
        self.session = Some(producer);
        Ok(())
    }

    fn failure(&self, producer: &BaseProducer<Answers>, stop: Stop) -> Failure {
        match stop {
            Stop::Rows(rows) => Failure::Rows(rows),
            Stop::Error(error) => error.into(),
            Stop::Kafka(error) => self.trouble(producer, &error).into(),
            Stop::Silence => {
                let error = format!("no answer within {} s", ANSWER_MAX.as_secs());
                Error::unreachable(error).hint(AGAIN).into()
            }
        }
    }

    /// The record of a letter, into the partition it came from if there is one.
    fn letter<'p>(
        &self,
        record: usize,
        parcel: &'p Parcel,
        attempt: u32,
    ) -> BaseRecord<'p, [u8], [u8], usize> {
        let (partition, offset, element) = parcel.at;
        let mut made = BaseRecord::with_opaque_to(parcel.topic.as_str(), record);
        made.key = parcel.key.as_deref();
        made.payload = parcel.value.as_deref();
        made.timestamp = parcel.time.map(|time| time.floor_ms().0);
        let known = self.partitions.get(&parcel.topic).copied().unwrap_or(0);
        if partition < known {
            made.partition = i32::try_from(partition).ok();
        }
        let mut headers = OwnedHeaders::new()
            .insert(Header { key: "highwater.letter.source", value: Some(parcel.source.as_str()) })
            .insert(Header { key: "highwater.letter.reason", value: Some(parcel.reason.name()) });
        let numbers = [
            ("highwater.letter.partition", Some(partition.to_string())),
            ("highwater.letter.offset", Some(offset.to_string())),
            ("highwater.letter.element", element.map(|element| element.to_string())),
            ("highwater.letter.attempt", Some(attempt.to_string())),
        ];
        for (key, value) in &numbers {
            if let Some(value) = value {
                headers = headers.insert(Header { key, value: Some(value.as_str()) });
            }
        }
        made.headers(headers)
    }

    fn transaction<'p>(
        &self,
        producer: &BaseProducer<Answers>,
        due: &[usize],
        make: impl Fn(usize, Of) -> BaseRecord<'p, [u8], [u8], usize>,
    ) -> Result<(), Stop> {
        let mut sending = Sending::begin(producer, ANSWER_MAX)?;
        failpoint!("replay.begun");
        for (number, index) in due.iter().enumerate() {
            for of in [Of::Letter, Of::Journal] {
                if let Some(reject) = sending.hand(make(*index, of))? {
                    return Err(Stop::Rows(vec![(*index, reject)]));
                }
            }
            if number == due.len() / 2 {
                sending.all()?;
                failpoint!("replay.half_sent");
            }
        }
        sending.all()?;
        failpoint!("replay.before_commit");
        producer.commit_transaction(CALL_MAX)?;
        failpoint!("replay.after_commit");
        Ok(())
    }

    fn trouble(
        &self,
        producer: &BaseProducer<Answers>,
        error: &rdkafka::error::KafkaError,
    ) -> Error {
        let words = producer.context().trouble();
        let trouble = Trouble { brokers: &self.cluster.brokers, words: &words };
        let error = trouble.of(producer, error);
        match error.kind() {
            Kind::Fenced => Error::new(Kind::Fenced, "another replay of these letters has begun")
                .hint("wait for it, then begin again: what it has sent is not sent twice")
                .within(format!("kafka at {}", self.cluster.brokers)),
            Kind::Unreachable => error.hint(AGAIN),
            _ => error,
        }
    }
}

/// What a record is.
#[derive(Clone, Copy)]
enum Of {
    Letter,
    Journal,
}
