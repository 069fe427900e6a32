//! Settings of the replaced system that change nothing here as parameters: taken, and named once.

use highwater::prelude::*;

/// Those settings, and why or what instead.
pub(super) const IGNORED: &[Ignored] = &[
    instead("kafka.bootstrap_servers", "set KAFKA_BOOTSTRAP_SERVERS, or `brokers` of the sources"),
    instead("kafka.topics.*", "set `topic` of the source"),
    instead("kafka.starting_offsets", "set KAFKA_STARTING_OFFSETS, or `start` of the sources"),
    instead(
        "kafka.max_offsets_per_trigger",
        "set it in [source.\"*\"], or MAX_OFFSETS_PER_TRIGGER",
    ),
    instead("kafka.fetch_min_bytes", "set `client.\"fetch.min.bytes\"` of the sources"),
    instead("kafka.group_id", "set `group` of the sources"),
    instead("minio.*", "no sink writes to S3 yet"),
    instead("paths.output", "set the path or table of the sinks"),
    instead("paths.checkpoint", "set `path` in [checkpoint]"),
    instead("windows.medium", "no view has such windows"),
    instead("windows.long", "no view has such windows"),
    instead("spark.executor_*", "set the workers with -w, of each process"),
    instead("spark.num_executors", "set the processes with -n"),
    instead("spark.driver_memory", "there is no driver"),
    instead("spark.shuffle_partitions", "work is sharded by worker"),
    instead("spark.default_parallelism", "work is sharded by worker"),
    instead("spark.streaming_checkpoint_interval", "set `every` in [checkpoint]"),
    instead("spark.*", "there is no Spark"),
    instead("output.trigger_interval", "set it in [sink.\"*\"], or TRIGGER_INTERVAL"),
    instead("output.*", "the sinks say where and how rows are written"),
    instead("stateful.enable_state_store", "state is kept in memory"),
    instead("stateful.state_store_provider", "state is kept in memory"),
];

const fn instead(name: &'static str, why: &'static str) -> Ignored {
    Ignored { name, why }
}
