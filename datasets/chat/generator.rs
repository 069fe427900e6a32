//! The generator of the chat system: its options, and which record goes where.
//!
//! A record's type is drawn by weight among the topics that are written. The rate counts records
//! that are really sent, so the thinning of transactions and meta events is part of the weights.
//!
//! Record *n* lies in partition *n* mod partitions. A channel has one partition when there are at
//! least as many channels as partitions; with fewer, the partitions are shared among the channels
//! and the records of a channel go round its partitions. Otherwise partitions would stay empty and
//! hold the watermark, as they would with the one channel of the default and Kafka's own
//! partitioner.

use std::sync::Arc;
use std::time::Duration;

use highwater::dataset::{
    Fault, Generator, GeneratorKind, GeneratorOptions, Made, OptionKind, TopicKind, duration,
};
use highwater::error::{Error, Result};
use highwater::time::Time;
use serde::Deserialize;

use super::records::{Content, Draft, Writer};
use super::words::TEMPLATES;
use crate::generators::{Names, option};
use crate::plan::{Bursts, Fill, Plan, Planned};
use crate::random::{Random, Weighted, shared};

/// The data set `chat`.
pub const KIND: GeneratorKind = GeneratorKind {
    name: "chat",
    about: "Chat messages and viewer counts of live streams, with donations and stream events.",
    topics: TOPICS,
    options: OPTIONS,
    make,
};

const TOPICS: &[TopicKind] = &[
    topic("telemetra.events.chat", "chat"),
    topic("telemetra.events.viewer", "viewer"),
    topic("telemetra.events.transactions", "transactions"),
    topic("telemetra.events.stream_meta", "stream_meta"),
];

/// Indexes into [`TOPICS`].
const CHAT: usize = 0;
const VIEWER: usize = 1;
const TRANSACTIONS: usize = 2;
const STREAM_META: usize = 3;

/// Share of each topic in a tick of the replaced producer, which sends only 5 % of the
/// transactions and 2 % of the meta events that it draws.
const WEIGHTS: [f64; 4] = [0.70, 0.20, 0.05 * 0.05, 0.05 * 0.02];

/// Records a second.
const RATE: f64 = 10.0;
/// Greatest population of users.
const USERS_MAX: u32 = 1_000_000;

const fn topic(name: &'static str, short: &'static str) -> TopicKind {
    TopicKind { name, short, partitions: 3, key: "channel", settings: &[] }
}

const OPTIONS: &[OptionKind] = &[
    option("rate", &["RATE_PER_SEC", "PRODUCER_RATE_PER_SEC"], "10.0", "Records a second."),
    option(
        "channels",
        &["CHANNELS", "PRODUCER_CHANNELS"],
        "demo_stream",
        "Names of the channels, as a list or with commas between; `keys` makes them up instead.",
    ),
    option("users", &[], "2000", "How many users, Zipf; 0 is a new one for each message."),
    option("message_variants", &["MESSAGE_VARIANTS"], "50", "Takes the first so many templates."),
    option("negative", &[], "0.0", "Share of messages with a word of the negative lexicon."),
    option("spikes", &[], "0.0", "Bursts an hour, each of 20 times the rate for 30 s."),
    option("burst", &[], "", "When the first burst begins, after the start; without it at random."),
    option("dialect", &[], "producer", "Whose field names: `producer` or `job`."),
    option("produce_chat", &["PRODUCE_CHAT"], "true", "Whether messages are written."),
    option("produce_viewer", &["PRODUCE_VIEWER"], "true", "Whether viewer counts are written."),
    option("produce_transactions", &["PRODUCE_TRANSACTIONS"], "true", "Whether these are written."),
    option("produce_stream_meta", &["PRODUCE_STREAM_META"], "true", "Whether these are written."),
];

/// The options of its own; [`OPTIONS`] says what they are.
#[derive(Deserialize)]
#[serde(default)]
struct Own {
    channels: Channels,
    users: u32,
    message_variants: usize,
    negative: f64,
    spikes: f64,
    #[serde(deserialize_with = "duration")]
    burst: Option<Duration>,
    dialect: Names,
    produce_chat: bool,
    produce_viewer: bool,
    produce_transactions: bool,
    produce_stream_meta: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Channels {
    List(Vec<String>),
    Text(String),
}

impl Default for Own {
    fn default() -> Own {
        Own {
            channels: Channels::Text("demo_stream".into()),
            users: 2_000,
            message_variants: 50,
            negative: 0.0,
            spikes: 0.0,
            burst: None,
            dialect: Names::Producer,
            produce_chat: true,
            produce_viewer: true,
            produce_transactions: true,
            produce_stream_meta: true,
        }
    }
}

impl Own {
    fn channels(&self, keys: Option<u32>) -> Result<Vec<String>> {
        let names: Vec<String> = match (keys, &self.channels) {
            (Some(keys), _) => (0..keys).map(|key| format!("stream_{key:04}")).collect(),
            (None, Channels::List(names)) => names.clone(),
            (None, Channels::Text(names)) => {
                names.split(',').map(|name| name.trim().to_string()).collect()
            }
        };
        if names.is_empty() || names.iter().any(String::is_empty) {
            let error = Error::config("`channels` has an empty name, or none");
            return Err(error.hint("write names with commas between"));
        }
        Ok(names)
    }

    fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.negative) {
            let message = format!("`negative` is {}, but a share is 0 to 1", self.negative);
            return Err(Error::config(message));
        }
        if USERS_MAX < self.users {
            let message = format!("`users` is {}, above {USERS_MAX}", self.users);
            return Err(Error::config(message).hint("write 0 for a new user for each message"));
        }
        if self.message_variants == 0 || TEMPLATES.len() < self.message_variants {
            let message = format!("there are no {} templates", self.message_variants);
            return Err(Error::config(message)
                .hint(format!("`message_variants` is 1 to {}", TEMPLATES.len())));
        }
        Ok(())
    }
}

fn make(options: &GeneratorOptions) -> Result<Arc<dyn Generator>> {
    let own: Own = options.own()?;
    own.check()?;
    let produced =
        [own.produce_chat, own.produce_viewer, own.produce_transactions, own.produce_stream_meta];
    let topics: Vec<usize> = (0..TOPICS.len())
        .filter(|topic| options.topics.contains(topic) && produced[*topic])
        .collect();
    if topics.is_empty() {
        let error = Error::config("no topic of data set `chat` is left to write");
        return Err(error.hint("set one of the options `produce_…` to true"));
    }
    let channels = own.channels(options.keys)?;
    let plan = Plan::new(options, RATE, Bursts { per_hour: own.spikes, first: own.burst })?;
    let partitions = options.partitions.unwrap_or(TOPICS[CHAT].partitions);
    let chat = Chat {
        plan: plan.clone(),
        weights: Weighted::new(topics.iter().map(|topic| WEIGHTS[*topic])),
        partitions: u64::from(partitions),
        ends: options.events.map(|events| events.saturating_sub(channels.len() as u64)),
        writer: Writer::new(Content {
            templates: own.message_variants,
            negative: own.negative,
            users: own.users,
            for_job: own.dialect == Names::Job,
            channels,
            seed: options.seed,
            start: options.start,
        }),
        topics,
    };
    Ok(Arc::new(Planned::new(plan, partitions, chat)))
}

struct Chat {
    plan: Plan,
    /// The topics that are written, and their weights.
    topics: Vec<usize>,
    weights: Weighted,
    partitions: u64,
    /// From which record on the streams end, if there is an end.
    ends: Option<u64>,
    writer: Writer,
}

impl Fill for Chat {
    fn fill(&self, number: u64, fault: Option<Fault>, made: &mut Made) {
        let mut random = self.plan.random(number);
        let (topic, channel, boundary) = match self.boundary(number) {
            Some((channel, boundary)) => (STREAM_META, channel, Some(boundary)),
            None => {
                let topic = self.topics[self.weights.draw(&mut random)];
                (topic, self.channel(number, &mut random), None)
            }
        };
        let draft = Draft {
            number,
            channel,
            time: self.plan.time(number, fault),
            fault,
            shape: self.plan.shape(number),
        };
        made.topic = topic;
        made.partition = (number % self.partitions) as u32;
        made.key.extend_from_slice(self.writer.name(channel).as_bytes());
        let out = &mut made.value;
        let time: Option<Time> = match topic {
            CHAT => self.writer.message(&draft, &mut random, out),
            VIEWER => self.writer.viewers(&draft, &mut random, out),
            TRANSACTIONS => self.writer.transaction(&draft, &mut random, out),
            _ => self.writer.stream_event(&draft, boundary, &mut random, out),
        };
        made.time = time.filter(|_| fault != Some(Fault::BadJson));
    }
}

impl Chat {
    /// The first records of a run with stream events are the starts of the streams and the last
    /// ones their ends: index of the channel, and type of the event.
    fn boundary(&self, number: u64) -> Option<(usize, &'static str)> {
        if self.topics.last() != Some(&STREAM_META) {
            return None;
        }
        if number < self.writer.channels() {
            return Some((number as usize, "stream_start"));
        }
        let end = self.ends.filter(|end| *end <= number)?;
        let channel = (number - end) % self.writer.channels();
        Some((channel as usize, "stream_end"))
    }

    /// A channel of the record's partition.
    #[inline]
    fn channel(&self, number: u64, random: &mut Random) -> usize {
        let part = (number % self.partitions, self.partitions);
        shared(self.writer.channels(), part, random) as usize
    }
}

#[cfg(test)]
mod tests;
