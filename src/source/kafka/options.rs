//! What a job file may say of a Kafka source, and the librdkafka settings made from it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use serde::{Deserialize, Deserializer};

use super::security::{self, apart};
use crate::config::DataLoss;
use crate::error::{Error, Result};
use crate::source::Start;
use crate::time::{Time, parse_duration};

/// The table `kafka` of a source.
///
/// ```
/// use highwater::source::Start;
/// use highwater::source::kafka::Options;
/// let text = r#"topic = "chat"
///               brokers = "localhost:9092"
///               start = "latest"
///               client = { "security.protocol" = "plaintext" }"#;
/// let options: Options = toml::from_str(text).expect("options");
/// assert_eq!(options.start, Start::Latest);
/// ```
///
/// The keys of [`Security`](super::Security) stand beside these; they are in `client` afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Options {
    /// Topic to read, all partitions of it.
    pub topic: String,
    /// Where to ask for the cluster: `host:port`, several separated by commas.
    pub brokers: String,
    /// Where reading begins without a checkpoint: `"earliest"`, `"latest"`, an offset for all
    /// partitions, offsets as `"0:15,1:20"`, or an RFC 3339 time, which is compared with the
    /// time that Kafka keeps of a record.
    #[serde(default, deserialize_with = "start")]
    pub start: Start,
    /// Group to which positions are published, for lag tools: those before which all sinks have
    /// confirmed everything. They are never read back. Off without it.
    #[serde(default)]
    pub group: Option<String>,
    /// How often the topic is looked up: new partitions, or that it was deleted.
    #[serde(default = "refresh_default", deserialize_with = "duration")]
    pub refresh: Duration,
    /// Further settings of librdkafka, such as `"security.protocol"`.
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

/// Settings of librdkafka by their names. They may be secret, so `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientSettings(pub BTreeMap<String, String>);

/// What the engine decides for a source.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Share of this source and process in `source.queue_bytes_max`: what librdkafka may hold
    /// for it, in bytes, over all partitions that this process reads.
    pub queue_bytes_max: usize,
    /// How many processes share the partitions.
    pub processes: usize,
    /// What to do about positions that are gone.
    pub data_loss: DataLoss,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { queue_bytes_max: 32 << 20, processes: 1, data_loss: DataLoss::Stop }
    }
}

/// Settings that the source itself depends on.
const RESERVED: &[&str] = &[
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "group.id",
    "log.queue",
    "metadata.broker.list",
    "statistics.interval.ms",
];

/// librdkafka assigns no partition without a group, although nothing is asked of it.
const NO_GROUP: &str = "highwater";

/// How often librdkafka says whether its brokers answer, in milliseconds: several rounds of
/// `fetch.wait.max.ms`, so that a broker that lives has answered in between.
pub(super) const STATISTICS_MS: u64 = 2_000;

impl Options {
    /// A topic that is read from its beginning.
    pub fn new(topic: &str, brokers: &str, client: &ClientSettings) -> Options {
        Options {
            topic: topic.to_owned(),
            brokers: brokers.to_owned(),
            start: Start::Earliest,
            group: None,
            refresh: refresh_default(),
            client: client.clone(),
        }
    }

    /// The settings of a client that reads no partition: it only looks.
    pub(super) fn look_config(&self) -> Result<ClientConfig> {
        client_config(&self.brokers, &self.client)
    }

    /// The settings of a client that reads so many partitions of the topic in this process.
    pub(super) fn read_config(&self, partitions: u32, setup: &Setup) -> Result<ClientConfig> {
        let mut config = self.look_config()?;
        let (enabled, disabled) = ("true", "false");
        for (name, value) in [
            ("group.id", self.group.as_deref().unwrap_or(NO_GROUP)),
            ("enable.auto.commit", disabled),
            ("enable.auto.offset.store", disabled),
            ("enable.partition.eof", enabled),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_committed"),
            // With a queue per partition both limits count per partition. Below them a fetch is
            // put off by `backoff`, which by default is a second: long enough to starve a reader.
            ("queued.max.messages.kbytes", &queue_kbytes(partitions, setup).to_string()),
            ("queued.min.messages", "20000"),
            ("fetch.queue.backoff.ms", "5"),
            ("fetch.wait.max.ms", "500"),
            // A greater record still arrives: a broker gives at least one batch. The bound keeps
            // a partition from holding much more than its share of the queue.
            ("fetch.message.max.bytes", "1048576"),
            ("statistics.interval.ms", &STATISTICS_MS.to_string()),
        ] {
            if !self.client.0.contains_key(name) {
                config.set(name, value);
            }
        }
        Ok(config)
    }
}

/// Settings of every client, with those of the user over them.
///
/// # Errors
///
/// No broker is named, or a setting is one that Highwater decides.
pub(crate) fn client_config(brokers: &str, settings: &ClientSettings) -> Result<ClientConfig> {
    if brokers.split(',').all(|broker| broker.trim().is_empty()) {
        let error = Error::config("kafka: `brokers` is empty");
        return Err(error.hint("write `host:port`, several separated by commas"));
    }
    security::check(settings)?;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "highwater")
        .set("log.connection.close", "false")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Info);
    for (name, value) in &settings.0 {
        if RESERVED.contains(&name.as_str()) {
            let error = Error::config(format!("kafka: `client` may not set `{name}`"));
            return Err(error.hint("Highwater sets it itself; see `start`, `group`, `data_loss`"));
        }
        config.set(name, value);
    }
    Ok(config)
}

/// What one partition's queue may hold, in KiB: at least one fetch, and never more than 64 MiB.
fn queue_kbytes(partitions: u32, setup: &Setup) -> usize {
    let here = (partitions as usize).div_ceil(setup.processes.max(1)).max(1);
    (setup.queue_bytes_max / 1_024 / here).clamp(256, 65_536)
}

/// Reads where to begin, as `kafka.start` and `--from` write it.
///
/// # Errors
///
/// A sentence that names the text and the forms.
///
/// ```
/// use highwater::source::Start;
/// use highwater::source::kafka::parse_start;
/// assert_eq!(parse_start("0:15,1:20"), Ok(Start::Offsets(vec![(0, 15), (1, 20)])));
/// assert!(parse_start("yesterday").unwrap_err().contains("`yesterday`"));
/// ```
pub fn parse_start(text: &str) -> Result<Start, String> {
    let text = text.trim();
    match text {
        "earliest" => return Ok(Start::Earliest),
        "latest" => return Ok(Start::Latest),
        _ => {}
    }
    if let Ok(offset) = text.parse::<u32>().map(i64::from).or_else(|_| text.parse::<i64>()) {
        return if offset < 0 { Err(wrong_start(text)) } else { Ok(Start::Offset(offset)) };
    }
    if let Some(offsets) = parse_offsets(text) {
        return Ok(Start::Offsets(offsets));
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| wrong_start(text))?;
    Ok(Start::Time(Time::from_micros(time.as_microsecond())))
}

fn wrong_start(text: &str) -> String {
    format!(
        "`{text}` is no place to start: write \"earliest\", \"latest\", an offset, offsets as \
         \"0:15,1:20\", or a time as \"2026-01-31T12:00:00Z\""
    )
}

/// `partition:offset`, separated by commas.
fn parse_offsets(text: &str) -> Option<Vec<(u32, i64)>> {
    let pair = |pair: &str| {
        let (partition, offset) = pair.split_once(':')?;
        let offset: i64 = offset.trim().parse().ok()?;
        (0 <= offset).then_some((partition.trim().parse().ok()?, offset))
    };
    text.split(',').map(pair).collect()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(i64),
    Fraction(f64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Flag(flag) => flag.fmt(f),
            Scalar::Number(number) => number.fmt(f),
            Scalar::Fraction(number) => number.fmt(f),
            Scalar::Text(text) => text.fmt(f),
        }
    }
}

fn start<'de, D: Deserializer<'de>>(input: D) -> Result<Start, D::Error> {
    let scalar = Scalar::deserialize(input)?;
    parse_start(&scalar.to_string()).map_err(serde::de::Error::custom)
}

fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(input)?).map_err(serde::de::Error::custom)
}

const fn refresh_default() -> Duration {
    Duration::from_secs(5)
}

impl<'de> Deserialize<'de> for ClientSettings {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<ClientSettings, D::Error> {
        let settings = BTreeMap::<String, Scalar>::deserialize(input)?;
        let text = |(name, value): (String, Scalar)| (name, value.to_string());
        Ok(ClientSettings(settings.into_iter().map(text).collect()))
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Options, String> {
        toml::from_str(&format!("topic = \"t\"\nbrokers = \"b:1\"\n{more}"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_start_is_a_word_an_offset_offsets_or_a_time() {
        let check = |text: &str, expect: Start| {
            assert_eq!(parse(&format!("start = {text}")).expect(text).start, expect);
        };
        check("\"earliest\"", Start::Earliest);
        check("\"latest\"", Start::Latest);
        check("17", Start::Offset(17));
        check("\"17\"", Start::Offset(17));
        check("\"1:5, 0:3\"", Start::Offsets(vec![(1, 5), (0, 3)]));
        check("\"1970-01-01T00:00:01.5Z\"", Start::Time(Time::from_micros(1_500_000)));
        check("\"1970-01-01T02:00:00+02:00\"", Start::Time(Time::from_micros(0)));
    }

    #[test]
    fn what_is_no_start_is_refused_with_the_forms() {
        for text in ["\"now\"", "-1", "\"0:-1\"", "\"0:1,\"", "\"2026-01-01\"", "true"] {
            let error = parse(&format!("start = {text}")).expect_err(text);
            assert!(error.contains("an offset"), "{error}");
        }
    }

    #[test]
    fn defaults_are_earliest_without_a_group() {
        let options = parse("").unwrap();
        assert_eq!((options.start, options.group), (Start::Earliest, None));
        assert_eq!(options.refresh, Duration::from_secs(5));
    }

    #[test]
    fn unknown_fields_are_refused_by_name() {
        assert!(parse("topics = \"t\"").unwrap_err().contains("topics"));
    }

    #[test]
    fn settings_of_the_client_pass_and_win_but_for_those_that_are_ours() {
        let options = parse("client = { \"fetch.wait.max.ms\" = 50, debug = \"topic\" }").unwrap();
        let config = options.read_config(4, &Setup::default()).unwrap();
        assert_eq!(config.get("fetch.wait.max.ms"), Some("50"));
        assert_eq!(config.get("debug"), Some("topic"));
        let options = parse("client = { \"group.id\" = \"g\" }").unwrap();
        let error = options.read_config(4, &Setup::default()).unwrap_err();
        assert!(error.to_string().contains("`group.id`"), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let options = parse("client = { \"sasl.password\" = \"hunter2\" }").unwrap();
        let shown = format!("{options:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_queue_budget_is_divided_among_the_partitions_of_a_process() {
        let check = |partitions, processes, expect| {
            let setup = Setup { processes, ..Setup::default() };
            assert_eq!(queue_kbytes(partitions, &setup), expect);
        };
        check(1, 1, 32_768);
        check(4, 1, 8_192);
        check(4, 2, 16_384);
        check(1_000, 1, 256);
        check(0, 0, 32_768);
    }
}
