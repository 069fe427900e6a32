//! Environment names of the replaced systems: accepted, and named once where they change nothing.
//!
//! A variable reaches a job only through `$NAME` and `${NAME:-default}` in its files, so a file
//! says by itself what it depends on. A dataflow lists the names its users may still have set.

use super::Config;

/// A variable that a replaced system knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvironmentName {
    /// Its name; with `*` at the end, all names that begin so.
    pub name: &'static str,
    /// What it changes where a job file refers to it; `None` if there is nothing to change.
    pub effect: Option<&'static str>,
}

/// What the deployments of the replaced systems have in common, and names of some of them.
pub const ENVIRONMENT: &[EnvironmentName] = &[
    effect("KAFKA_BOOTSTRAP_SERVERS", "brokers of Kafka sources and sinks"),
    effect("KAFKA_STARTING_OFFSETS", "where Kafka sources begin at the first start"),
    effect("KAFKA_SECURITY_PROTOCOL", "TLS and SASL of the Kafka client"),
    effect("KAFKA_SASL_MECHANISM", "SASL of the Kafka client"),
    effect("KAFKA_SASL_JAAS_CONFIG", "user and password of the Kafka client"),
    effect("MAX_OFFSETS_PER_TRIGGER", "records per topic and trigger interval"),
    effect("TRIGGER_INTERVAL", "longest time between two writes of a sink"),
    effect("WATERMARK_DELAY", "lateness of the sources"),
    effect("WINDOW_DURATION", "size of the window"),
    effect("SLIDE_DURATION", "step of the sliding window"),
    effect("POSTGRES_URL", "server and database of the PostgreSQL sinks"),
    effect("POSTGRES_USER", "user of the PostgreSQL sinks"),
    effect("POSTGRES_PASSWORD", "password of the PostgreSQL sinks"),
    effect("POSTGRES_PASSWORD_FILE", "file with the password of the PostgreSQL sinks"),
    effect("POSTGRES_SSL_MODE", "whether PostgreSQL sinks speak TLS"),
    effect("POSTGRES_SSL_CERT", "certificate of the PostgreSQL client"),
    effect("POSTGRES_SSL_KEY", "key of the PostgreSQL client"),
    effect("POSTGRES_SSL_ROOT_CERT", "authority that signed the PostgreSQL server"),
    effect("CHECKPOINT_LOCATION", "store of the checkpoints"),
    effect("OUTPUT_PATH", "folder of file sinks"),
    effect("TOPIC_NAME", "topic of the shop"),
    effect("EVENTS_PER_SECOND", "rate of the generator of the shop"),
    effect("HBASE_HOST", "Thrift server of HBase sinks"),
    effect("HBASE_PORT", "port of that server"),
    effect("HBASE_WRITE_ENABLED", "whether rows go to HBase"),
    effect("DEBUG_CONSOLE_ENABLED", "whether rows are shown"),
    effect("ANOMALY_THRESHOLD", "z-score that makes a moment"),
    effect("MINIO_ENDPOINT", "server of S3 paths"),
    effect("MINIO_ACCESS_KEY", "user of S3 paths"),
    effect("MINIO_SECRET_KEY", "password of S3 paths"),
    effect("SPARK_UI_PORT", "port of the web interface"),
    ineffective("SPARK_MASTER"),
    ineffective("SPARK_DRIVER_MEMORY"),
    ineffective("SPARK_EXECUTOR_MEMORY"),
    ineffective("SPARK_EXECUTOR_CORES"),
    ineffective("SPARK_EVENTLOG_ENABLED"),
    ineffective("SPARK_EVENTLOG_DIR"),
    ineffective("DEV_MODE"),
    ineffective("DOCKER_*"),
];

const fn effect(name: &'static str, effect: &'static str) -> EnvironmentName {
    EnvironmentName { name, effect: Some(effect) }
}

const fn ineffective(name: &'static str) -> EnvironmentName {
    EnvironmentName { name, effect: None }
}

impl Config {
    /// One sentence for each known variable that is set and changes nothing: because it has no
    /// effect here, or because no value of this job refers to it. `set` are the names of the
    /// environment.
    pub fn notices<'a>(
        &self,
        known: &[EnvironmentName],
        set: impl IntoIterator<Item = &'a str>,
    ) -> Vec<String> {
        set.into_iter()
            .filter(|name| !self.variables.contains(name))
            .filter_map(|name| Some(notice(name, known.iter().find(|known| known.covers(name))?)))
            .collect()
    }
}

impl EnvironmentName {
    /// Whether it speaks of this variable.
    fn covers(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.name,
        }
    }
}

fn notice(name: &str, known: &EnvironmentName) -> String {
    match known.effect {
        None => format!("the environment variable {name} has no effect"),
        Some(effect) => format!(
            "the environment variable {name} ({effect}) is set, but no value of this job refers \
             to it; write ${name} in a job file to use it"
        ),
    }
}
