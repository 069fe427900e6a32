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

mod batches;
mod messages;
mod producer;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{Accepts, Common, Guarantee, Shard, Sink, View, Writer};
use crate::error::{Error, Kind, Result};
use crate::source::kafka::{Admin, ClientSettings, apart, look_at};
use messages::Form;
use producer::producer;
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

const fn partitions() -> u32 {
    3
}

const fn linger() -> Duration {
    Duration::from_millis(5)
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
    // Made to see whether it can be.
    producer(&options)?;
    let form = Form::new(view)?;
    Ok(Box::new(KafkaSink { options: Arc::new(options), form, updates: common.updates }))
}

struct KafkaSink {
    options: Arc<Options>,
    form: Form,
    updates: bool,
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
        if self.form.has_key() { Guarantee::Idempotent } else { Guarantee::AtLeastOnce }
    }

    fn check(&mut self) -> Result<()> {
        if self.updates && !self.form.has_key() {
            let topic = &self.options.topic;
            let why = format!("topic `{topic}` gets updates, and its view has no key");
            return Err(Error::config(why).hint(
                "name the columns of the key in `key` of the view, or set `rows = \"final\"`",
            ));
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
        let policy = if self.updates { "compact" } else { "delete" };
        let settings = [("cleanup.policy", policy)];
        let made = Admin::new(brokers, client)?.create_topic_with(topic, *partitions, &settings)?;
        Ok(vec![format!("topic `{topic}` with {made} partitions, cleanup.policy={policy}")])
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        Ok(Box::new(KafkaWriter::new(self.options.clone(), self.form.clone())?))
    }
}
