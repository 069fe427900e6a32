//! Kafka: a topic as a source, and a writer for generators and tests.
//!
//! A source is one librdkafka consumer that is assigned its partitions (it joins no group), a
//! keeper thread for whatever waits for a broker, and a publisher thread where a group is named.
//! Each topic of a worker has a client of its own: queue limits are set per client. Sharing one
//! among the topics of a worker would save some sleeping threads and connections.
//!
//! ```text
//!              ┌ queue 0 ─► partition 0 ┐ batch reads, no waiting
//!  librdkafka ─┤ queue 1 ─► partition 1 ├──────────────────────────► the worker
//!              └ main queue ─► keeper ──┘ verdicts, partition count
//! ```
//!
//! What it makes of trouble: a broker that is away is waited for, without end; partitions that
//! appear are taken up. A topic that is deleted, made anew or has fewer partitions, and an offset
//! that is no longer there, end the job with a plain message (exit 65).

mod client;
mod keeper;
mod options;
mod partition;
mod produce;
mod publish;
mod queue;
mod security;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) use client::{log_line, refused_settings};
pub(crate) use options::client_config;
pub use options::{ClientSettings, Options, Setup, parse_start};
pub use produce::{Admin, Outgoing, Producer};
pub use security::Security;
pub(crate) use security::apart;

use self::client::{Client, Look};
use self::keeper::{Duty, Handle};
use self::partition::KafkaPartition;
use self::publish::Publisher;
use crate::config::DataLoss;
use crate::error::{Error, Result};
use crate::hash;
use crate::source::{Connector, Partition, Source, Start, Wake};

/// A topic, as one worker reads it.
pub struct KafkaSource {
    // Dropped first, as it publishes the last positions.
    publisher: Option<Publisher>,
    keeper: Handle,
    client: Arc<Client>,
    opened: BTreeSet<u32>,
}

/// A topic that a source is bound to in this process.
pub struct KafkaConnector {
    options: Options,
    queue_bytes_max: usize,
    data_loss: DataLoss,
    threads: usize,
}

impl KafkaConnector {
    /// Binds a topic; `queue_bytes_max` is for all `threads` of this process, each of which has a
    /// client of its own.
    pub fn new(
        options: Options,
        queue_bytes_max: usize,
        data_loss: DataLoss,
        threads: usize,
    ) -> KafkaConnector {
        KafkaConnector { options, queue_bytes_max, data_loss, threads }
    }
}

impl Connector for KafkaConnector {
    fn check(&self) -> Result<()> {
        look(&self.options).map(drop)
    }

    fn open(&self, _worker: usize, peers: usize) -> Result<Box<dyn Source>> {
        let setup = Setup {
            queue_bytes_max: self.queue_bytes_max / self.threads.max(1),
            processes: peers,
            data_loss: self.data_loss,
        };
        Ok(Box::new(KafkaSource::connect(&self.options, setup)?))
    }
}

/// Looks whether the topic is there, without reading it: how many partitions it has.
///
/// # Errors
///
/// `Unreachable`: nobody answered within two seconds; ask again later. `Config`: the topic is not
/// there or may not be read, or the settings are refused.
pub fn look(options: &Options) -> Result<u32> {
    look_at(&options.brokers, &options.topic, &options.client)
}

/// As [`look`], for anybody who knows the topic.
///
/// # Errors
///
/// As [`look`].
pub fn look_at(brokers: &str, topic: &str, settings: &ClientSettings) -> Result<u32> {
    let client = Client::new(&client_config(brokers, settings)?, topic, brokers)?;
    match client.look()? {
        Look::There(partitions) => Ok(partitions),
        Look::Gone(error) => Err(error),
    }
}

impl KafkaSource {
    /// Connects, in a single try: it returns within some seconds also if nobody answers.
    ///
    /// # Errors
    ///
    /// As [`look`].
    pub fn connect(options: &Options, setup: Setup) -> Result<KafkaSource> {
        let partitions = look(options)?;
        let config = options.read_config(partitions, &setup)?;
        let client = Arc::new(Client::new(&config, &options.topic, &options.brokers)?);
        let group = options.group.as_deref();
        let publisher = group.map(|group| Publisher::start(client.clone(), group)).transpose()?;
        let keeper = keeper::start(Duty {
            client: client.clone(),
            partitions,
            refresh: options.refresh,
            data_loss: setup.data_loss,
        })?;
        Ok(KafkaSource { publisher, keeper, client, opened: BTreeSet::new() })
    }
}

impl Source for KafkaSource {
    /// The number that the keeper saw last; asks nobody.
    fn partitions(&mut self) -> Result<u32> {
        self.keeper.findings.check()?;
        Ok(self.keeper.findings.partitions.load(Ordering::Relaxed))
    }

    /// Asks the broker only for [`Start::Latest`] and [`Start::Time`], two seconds at most each.
    fn open(&mut self, partition: u32, from: &Start, wake: Wake) -> Result<Box<dyn Partition>> {
        let known = self.partitions()?;
        let name = self.name(partition);
        if known <= partition {
            return Err(Error::config(format!("{name} is not there: the topic has {known}")));
        }
        if let Start::Offsets(offsets) = from
            && let Some((missing, _)) = offsets.iter().find(|(number, _)| known <= *number)
        {
            let error = format!("{} is not there: the topic has {known}", self.name(*missing));
            return Err(Error::config(error).hint("see `start` and --from"));
        }
        if !self.opened.insert(partition) {
            return Err(Error::bug(format!("{name} was opened twice")));
        }
        let opened = self.client.resolve(partition, from).and_then(|offset| {
            let commands = self.keeper.commands.clone();
            KafkaPartition::open(&self.client, commands, partition, offset, wake)
        });
        if opened.is_err() {
            self.opened.remove(&partition);
        }
        Ok(Box::new(opened?))
    }

    fn log(&self) -> Option<u64> {
        self.keeper.findings.id.map(|(high, low)| hash::of(&(high, low)))
    }

    fn name(&self, partition: u32) -> String {
        format!("{}/{partition}", self.client.topic)
    }

    /// Publishes the positions to the group, if there is one; the answer is seen by a later call.
    fn committed(&mut self, positions: &[(u32, i64)]) -> Result<()> {
        match &self.publisher {
            Some(publisher) if !positions.is_empty() => publisher.publish(positions),
            _ => Ok(()),
        }
    }
}
