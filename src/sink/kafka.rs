//! The Kafka sink: the rows of a view as JSON records of a topic.
//!
//! ```text
//! write(rows) ─► records ─► producer ─► brokers        idempotent, acks = all
//!                  │            │
//!                  │            ▼ answers, in any order
//! answer() ◄── batches on their way, the oldest first; kept until each record is answered
//! ```
//!
//! Batches follow one another without waiting for answers; librdkafka keeps their order.
//!
//! The key of a record is the JSON of the view's name and of its key columns, the value the JSON of
//! the whole row; a row that is taken back is a record without a value. So in a compacted topic the
//! last record of a key is the row, however often it was written. A view without key columns writes
//! records without a key.
//!
//! A broker that is away is waited for: what was handed to the client stays there, in order, and is
//! written once. Only a crash of this process, or a client that gave up for good, leaves records
//! that the next try writes again.
//!
//! With `exactly_once` rows are delivered by epoch once their checkpoint is published
//! (`courier.rs`), in one transaction with a marker of the epoch (`marker.rs`): readers that ask
//! for committed records see each row once. Rows of a table, of which one may go again, are
//! delivered by epoch without it, too, but not in transactions (`plain.rs`).

mod batches;
mod courier;
mod marker;
mod messages;
mod plain;
mod producer;
mod read;
pub mod replay;
mod sending;
#[cfg(test)]
mod tests;
mod transaction;
pub mod txn;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::courier::{Courier, Route};
use super::{Accepts, Common, Guarantee, Shard, Sink, View, Writer};
use crate::checkpoint::SinkReceipt;
use crate::error::{Error, Kind, Result};
use crate::source::kafka::{Admin, ClientSettings, apart, look_at};
use courier::KafkaCourier;
use messages::Form;
use plain::PlainCourier;
use producer::{producer, transactional};
pub(crate) use read::read;
use writer::KafkaWriter;

/// Options of the Kafka sink. The keys of [`Security`](crate::source::kafka::Security) stand beside
/// these; they are in `client` afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Options {
    /// The topic; `{view}` and `{system}` in it stand for the names. Views may share one.
    pub topic: String,
    /// Where to ask for the cluster: `host:port`, several separated by commas.
    pub brokers: String,
    /// How many partitions `check --create` gives a topic that is missing.
    #[serde(default = "partitions")]
    pub partitions: u32,
    /// How long the client waits for more records of a request. A millisecond at least: without a
    /// pause nearly every record is a request of its own.
    #[serde(default = "linger", deserialize_with = "crate::config::duration")]
    pub linger: Duration,
    /// With `exactly_once`: how long a transaction may stay open before the brokers end it. Their
    /// `transaction.max.timeout.ms` is the longest.
    #[serde(default = "transaction_timeout", deserialize_with = "crate::config::duration")]
    pub transaction_timeout: Duration,
    /// Further settings of librdkafka, such as `"compression.type"`.
    #[serde(default)]
    pub client: ClientSettings,
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Options, D::Error> {
        let (security, mut options) = apart(input, |rest| Options::deserialize(rest))?;
        security.add_to(&mut options.client).map_err(serde::de::Error::custom)?;
        Ok(options)
    }
}

impl Options {
    /// The defaults, for a topic.
    fn of(topic: &str, brokers: &str, client: &ClientSettings) -> Options {
        Options {
            topic: topic.to_owned(),
            brokers: brokers.to_owned(),
            partitions: partitions(),
            linger: linger(),
            transaction_timeout: transaction_timeout(),
            client: client.clone(),
        }
    }
}

const fn partitions() -> u32 {
    3
}

const fn linger() -> Duration {
    Duration::from_millis(5)
}

const fn transaction_timeout() -> Duration {
    Duration::from_secs(60)
}

/// Binds a topic to a view; connects to nothing yet.
///
/// # Errors
///
/// Settings that librdkafka refuses or that the sink decides itself.
pub fn open(options: Options, view: &View, common: &Common) -> Result<Box<dyn Sink>> {
    if options.linger < Duration::from_millis(1) {
        return Err(Error::config("`linger` of a kafka sink is below a millisecond")
            .hint("write \"1ms\" to \"5ms\": the brokers are flooded with requests otherwise"));
    }
    if common.exactly_once && common.updates && !common.takes_back {
        let why = "updates of windows would be seen once an epoch with `exactly_once`, which is";
        return Err(Error::config(format!("{why} for rows that are final, or of a table"))
            .hint("set `rows = \"final\"`, or leave `exactly_once` out"));
    }
    // Made to see whether it can be.
    match common.exactly_once {
        true => transactional(&options, "highwater", false).map(drop)?,
        false => producer(&options).map(drop)?,
    }
    let form = Form::new(view)?;
    Ok(Box::new(KafkaSink { options: Arc::new(options), form, common: *common, keeps: false }))
}

struct KafkaSink {
    options: Arc<Options>,
    form: Form,
    common: Common,
    /// Whether its job keeps checkpoints.
    keeps: bool,
}

impl KafkaSink {
    fn look(&self) -> Result<u32> {
        look_at(&self.options.brokers, &self.options.topic, &self.options.client)
    }
}

impl Sink for KafkaSink {
    fn accepts(&self) -> Accepts {
        if self.form.has_key() { Accepts::Updates } else { Accepts::Final }
    }

    fn guarantee(&self) -> Guarantee {
        match self.form.has_key() {
            _ if self.common.exactly_once => Guarantee::ExactlyOnce,
            true => Guarantee::Idempotent,
            false => Guarantee::AtLeastOnce,
        }
    }

    fn resume(&mut self, _receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.keeps = true;
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        if self.common.updates && !self.form.has_key() {
            let topic = &self.options.topic;
            let why = format!("topic `{topic}` gets updates, and its view has no key");
            return Err(Error::config(why).hint(
                "name the columns of the key in `key` of the view, or set `rows = \"final\"`",
            ));
        }
        if self.common.exactly_once && !self.keeps {
            let topic = &self.options.topic;
            let why = format!("topic `{topic}`: `exactly_once` needs a job with checkpoints");
            return Err(Error::config(why)
                .hint("set `checkpoint.path`, or leave `exactly_once` of the sink out"));
        }
        self.look().map(drop)
    }

    /// A topic of updates is compacted, so that it keeps the last row of each key.
    fn create(&mut self) -> Result<Vec<String>> {
        match self.look() {
            Ok(_) => return Ok(vec![]),
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(_) => {}
        }
        let Options { topic, brokers, partitions, client, .. } = &*self.options;
        let policy = if self.common.updates { "compact" } else { "delete" };
        let settings = [("cleanup.policy", policy)];
        let made = Admin::new(brokers, client)?.create_topic_with(topic, *partitions, &settings)?;
        Ok(vec![format!("topic `{topic}` with {made} partitions, cleanup.policy={policy}")])
    }

    fn courier(&mut self, route: Route) -> Result<Option<Box<dyn Courier>>> {
        let (options, form) = (self.options.clone(), self.form.clone());
        if self.common.exactly_once {
            return Ok(Some(Box::new(KafkaCourier::new(options, form, route))));
        }
        if self.common.takes_back {
            return Ok(Some(Box::new(PlainCourier::new(KafkaWriter::new(options, form)?))));
        }
        Ok(None)
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        Ok(Box::new(KafkaWriter::new(self.options.clone(), self.form.clone())?))
    }
}
