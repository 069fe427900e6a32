//! Layers, precedence, environment.

mod fuzz;
mod mistakes;

use std::time::Duration;

use super::*;
use crate::objects::S3Options;
use crate::sink::Accepts;
use crate::time::{hours, millis, minutes, seconds};

const KINDS: Kinds = Kinds {
    sources: &["file", "generator", "kafka"],
    sinks: &["blackhole", "console", "kafka", "parquet", "postgres"],
};

/// The embedded bindings of the chat system.
const CHAT: &str = r#"
dataflow = "chat"

[parameters]
threshold = 3.0

[source.chat]
generator = { dataset = "chat.chat", rate = 2_000, seed = 7 }

[source.viewers]
generator = { dataset = "chat.viewer", rate = 50, seed = 7 }

[sink.chat_summary_minute]
console = { rows = 10 }

[sink.moments]
console = { rows = 10 }
"#;

/// What a cluster lays over them.
const CLUSTER: &str = r#"
[source.chat]
kafka = { topic = "telemetra.events.chat", brokers = "${KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}" }
idle_timeout = "60s"            # off by default: idle partitions hold the frontier

[view.chat_summary_minute]
key = ["stream_id", "window_start"]
engine = "hash"                 # or "differential"

[[sink.chat_summary_minute]]
postgres = { url = "$POSTGRES_URL", table = "chat_summary_minute" }
stamp = "processed_at"

[[sink.chat_summary_minute]]
parquet = { path = "s3://views/chat_summary_minute" }
rows = "final"

[dead_letters]
kafka = { topic = "chat.dead_letters", brokers = "${KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}" }

[checkpoint]
every = "1s"
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "POSTGRES_URL" => Some("postgres://db/telemetra".into()),
        "RATE" => Some("1500".into()),
        "OFF" => Some("off".into()),
        "TRUE" => Some("true".into()),
        _ => None,
    }
}

fn load(layers: &[&str], sets: &[&str]) -> Result<Config> {
    let names = ["chat.toml", "over.toml", "last.toml"];
    let base: Vec<(&str, &str)> = names.into_iter().zip(layers.iter().copied()).collect();
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Config::load(KINDS, &base, &[], &sets, &env)
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_embedded_bindings_need_nothing() -> Result<()> {
    let config = load(&[CHAT], &[])?;
    assert_eq!(config.dataflow, "chat");
    assert_eq!(config.connect, Connect { attempts: 60, every: seconds(2) });
    assert_eq!(config.flow.tick, millis(5));
    assert_eq!(config.flow.tick_max, millis(80));
    assert_eq!(config.flow.ticks_in_flight_max, 32);
    let (every, age_max) = (seconds(1), minutes(10));
    assert_eq!(
        config.checkpoint,
        Checkpoint { every, path: None, s3: S3Options::default(), keep: 3, age_max }
    );
    assert!(config.dead_letters.is_none());
    assert_eq!(config.parameters().f64("threshold", 0.0)?, 3.0);

    let source = config.source("chat")?;
    assert_eq!(source.kind, "generator");
    assert_eq!(source.options["rate"].as_integer(), Some(2_000));
    assert_eq!(source.place, "chat.toml:8: source.chat.generator");
    assert_eq!(source.lateness_over(minutes(1).into()), minutes(1).into());
    assert_eq!(source.idle_timeout, None);
    assert_eq!(source.future_skew, FutureSkew::AtMost(minutes(5)));
    assert_eq!(source.catch_up_skew, Some(seconds(60)));
    assert_eq!(source.data_loss, DataLoss::Stop);
    assert_eq!(source.naive_tz, "UTC");
    assert_eq!(source.queue_bytes_max, 32 << 20);
    assert_eq!(source.batch, Default::default());

    let sinks = config.sinks("moments")?;
    assert_eq!(sinks.len(), 1);
    assert_eq!(sinks[0].kind, "console");
    assert_eq!(sinks[0].retry_max, minutes(10));
    assert_eq!(sinks[0].queue_rows_max, 100_000);

    let view = config.view("moments")?;
    assert_eq!((view.engine, view.forget_after), (Engine::Hash, None));
    config.check_names(&names(&["chat", "viewers"]), &names(&["chat_summary_minute", "moments"]))
}

#[test]
fn an_overlay_replaces_bindings_and_keeps_the_rest() -> Result<()> {
    let config = load(&[CHAT, CLUSTER], &[])?;
    let source = config.source("chat")?;
    assert_eq!(source.kind, "kafka");
    assert_eq!(source.options["brokers"].as_str(), Some("localhost:9092"));
    assert_eq!(source.options.len(), 2);
    assert_eq!(source.idle_timeout, Some(seconds(60)));
    assert_eq!(config.source("viewers")?.kind, "generator");

    let sinks = config.sinks("chat_summary_minute")?;
    assert_eq!(sinks.len(), 2);
    assert_eq!(sinks[0].kind, "postgres");
    assert_eq!(sinks[0].options["url"].as_str(), Some("postgres://db/telemetra"));
    assert_eq!(sinks[0].stamp.as_deref(), Some("processed_at"));
    assert_eq!((sinks[1].kind.as_str(), sinks[1].rows), ("parquet", Some(Accepts::Final)));
    assert_eq!(config.view("chat_summary_minute")?.key, ["stream_id", "window_start"]);

    let letters = config.dead_letters.expect("a binding");
    assert_eq!((letters.kind.as_str(), letters.queue_rows_max), ("kafka", 10_000));
    assert_eq!(letters.place, "over.toml:19: dead_letters.kafka");
    Ok(())
}

/// Layers, the name asked for, and what its source is bound to with its `lateness`.
#[test]
fn a_named_table_wins_in_its_file_and_a_later_file_wins_over_it() {
    let check = |layers: &[&str], sets: &[&str], expect: (&str, Option<Duration>)| {
        let layers: Vec<String> =
            layers.iter().map(|layer| format!("dataflow = 'x'\n{layer}")).collect();
        let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
        let source = load(&layers, sets).and_then(|config| config.source("a")).unwrap();
        assert_eq!((source.kind.as_str(), source.lateness), expect, "{layers:?} {sets:?}");
    };
    let (one, two, three) = (Some(seconds(1)), Some(seconds(2)), Some(seconds(3)));
    let named = "[source.a]\nkafka = {}\nlateness = '1s'";
    let all = "[source.'*']\nfile = {}\nlateness = '2s'";
    let both = format!("{named}\n{all}");

    check(&[named], &[], ("kafka", one));
    check(&[all], &[], ("file", two));
    check(&[&both], &[], ("kafka", one));
    check(&[all, named], &[], ("kafka", one));
    check(&[named, all], &[], ("file", two));
    check(&[named, "[source.'*']\nlateness = '3s'"], &[], ("kafka", three));
    check(&[named, "[source.'*']\nfile = {}"], &[], ("file", one));
    check(&[&both, "[source.a]\nlateness = '3s'"], &[], ("kafka", three));
    check(&[&both], &["source.\"*\".lateness=3s"], ("kafka", three));
    check(&[&both], &["source.a.lateness=3s", "source.'*'.lateness=2s"], ("kafka", two));
    check(&[&both], &["source.a.generator={}"], ("generator", one));
}

/// Layers of sinks, and the kinds that the view has in the end, with their `stamp`.
#[test]
fn arrays_replace_and_a_binding_for_all_replaces_arrays() {
    let check = |layers: &[&str], expect: &[(&str, &str)]| {
        let layers: Vec<String> =
            layers.iter().map(|layer| format!("dataflow = 'x'\n{layer}")).collect();
        let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
        let sinks = load(&layers, &[]).and_then(|config| config.sinks("v")).unwrap();
        let found: Vec<(&str, &str)> = sinks
            .iter()
            .map(|sink| (sink.kind.as_str(), sink.stamp.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expect, "{layers:?}");
    };
    let one = "[sink.v]\nconsole = {}\nstamp = 'a'";
    let two = "[[sink.v]]\nkafka = {}\nstamp = 'b'\n[[sink.v]]\npostgres = {}";
    let all = "[sink.'*']\nblackhole = {}";
    let stamp = "[sink.'*']\nstamp = 'c'";

    check(&[one], &[("console", "a")]);
    check(&[one, two], &[("kafka", "b"), ("postgres", "")]);
    check(&[two, one], &[("console", "a")]);
    check(&[two, all], &[("blackhole", "")]);
    check(&[two, stamp], &[("kafka", "c"), ("postgres", "c")]);
    check(&[stamp, two], &[("kafka", "b"), ("postgres", "c")]);
    check(&[two, "[sink.v]\nstamp = 'd'"], &[("kafka", "d"), ("postgres", "d")]);
    check(
        &[one, "[[sink.'*']]\nkafka = {}\n[[sink.'*']]\nconsole = {}"],
        &[("kafka", ""), ("console", "")],
    );
    check(&[all, one], &[("console", "a")]);
}

#[test]
fn a_set_takes_toml_or_bare_text_and_goes_on_inside_a_binding() -> Result<()> {
    let sets = [
        "source.chat.generator.rate=5",
        "source.chat.generator.note=fast and loose",
        "source.\"*\".max_rate_per_partition=1500",
        "source.viewers.kafka={ topic = 'v' }",
        "parameters.zscore.baseline=inclusive",
        "connect.every = \"7s\"",
        "checkpoint.every=250ms",
        "checkpoint.path=/var/lib/highwater",
        "sink.'*'.console.where='a=b'",
        "source.depth_max=9",
    ];
    let config = load(&[CHAT], &sets)?;
    let source = config.source("chat")?;
    assert_eq!(source.options["rate"].as_integer(), Some(5));
    assert_eq!(source.options["note"].as_str(), Some("fast and loose"));
    assert_eq!(source.options["dataset"].as_str(), Some("chat.chat"));
    assert_eq!(
        source.place,
        "chat.toml:8, --set source.chat.generator.rate, \
        --set source.chat.generator.note: source.chat.generator"
    );
    assert_eq!(source.max_rate_per_partition, Some(1_500));
    assert_eq!(source.codec.depth_max, 9);
    assert_eq!(config.source("viewers")?.options.len(), 1);
    let baselines = ["exclusive", "inclusive"];
    let mut parameters = config.parameters();
    assert_eq!(parameters.choice("zscore.baseline", &baselines, "exclusive")?, "inclusive");
    assert_eq!(config.connect.every, seconds(7));
    assert_eq!(config.checkpoint.every, millis(250));
    assert_eq!(config.checkpoint.path, Some("/var/lib/highwater".into()));
    assert_eq!(config.sinks("moments")?[0].options["where"].as_str(), Some("a=b"));
    assert_eq!(config.sinks("moments")?[0].options["rows"].as_integer(), Some(10));
    Ok(())
}

#[test]
fn names_and_numbers_come_into_a_binding_as_text() -> Result<()> {
    let over = "
        [source.'*']
        kafka = { topic = '{system}.{source}', group = '{view}' }
        max_rate_per_partition = '$RATE'
        max_offsets_per_trigger = '${NONE:-off}'
        idle_timeout = '$OFF'
        future_skew = 'off'
        lateness_rule = 'strict'
        json = { errors = 'null_row', nan = 'nan', types = 'reject' }
        json.nan = 'null'
        dedup = { field = 'event_id', memory = '1h' }
        message_bytes_max = '2MiB'
        [sink.'*']
        parquet = { path = '/data/${DAY:-{view}}/{view}', parts = ['{view}', 'b$$'] }
        formula_guard = '$TRUE'
        exactly_once = true
    ";
    let over = over.replace("        json.nan = 'null'\n", "");
    let config = load(&[CHAT, &over], &["source.viewers.json.nan=null"])?;
    let source = config.source("viewers")?;
    assert_eq!(source.options["topic"].as_str(), Some("chat.viewers"));
    assert_eq!(source.options["group"].as_str(), Some("{view}"));
    assert_eq!(source.max_rate_per_partition, Some(1_500));
    assert_eq!(source.max_offsets_per_trigger, None);
    assert_eq!((source.idle_timeout, source.future_skew), (None, FutureSkew::Off));
    assert!(source.lateness_over(seconds(3).into()).is_strict());
    assert_eq!(source.codec.errors, crate::codec::BadDocument::NullRow);
    assert!(!source.codec.keep_nan);
    assert!(config.source("chat")?.codec.keep_nan);
    assert_eq!(source.codec.message_bytes_max, 2 << 20);
    let dedup = Dedup { field: "event_id".into(), memory: Some(hours(1)) };
    assert_eq!(source.dedup, Some(dedup));
    let sink = config.sinks("moments")?.remove(0);
    assert_eq!(sink.options["path"].as_str(), Some("/data/moments/moments"));
    assert_eq!(sink.options["parts"].to_string(), r#"["moments", "b$"]"#);
    assert!(sink.formula_guard && sink.exactly_once);
    Ok(())
}

#[test]
fn an_unset_variable_harms_only_who_uses_it() -> Result<()> {
    let over = "
        [source.chat]
        kafka = { topic = '$NONE' }
        lateness = '$NONE'
    ";
    let config = load(&[CHAT, over], &[])?;
    assert_eq!(config.source("viewers")?.kind, "generator");
    assert_eq!(
        config.source("chat").unwrap_err().to_string(),
        "over.toml:3: source.chat: `kafka.topic` needs the environment variable NONE, \
         it is not set\n  hint: set it, or give it a default: ${NONE:-…}",
    );
    let sets = ["source.chat.kafka.topic=chat", "source.chat.lateness=1s"];
    assert_eq!(load(&[CHAT, over], &sets)?.source("chat")?.lateness, Some(seconds(1)));
    Ok(())
}

#[test]
fn a_file_on_disk_is_laid_over_the_embedded_ones() -> Result<()> {
    let path = std::env::temp_dir().join(format!("highwater-config-{}.toml", std::process::id()));
    std::fs::write(&path, "[source.chat]\nlateness = '4s'\n").unwrap();
    let loaded =
        Config::load(KINDS, &[("chat.toml", CHAT)], std::slice::from_ref(&path), &[], &env);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(loaded?.source("chat")?.lateness, Some(seconds(4)));
    Ok(())
}

#[test]
fn variables_of_the_replaced_systems_are_named_where_they_change_nothing() -> Result<()> {
    let config = load(&[CHAT, CLUSTER], &[])?;
    let set = ["POSTGRES_URL", "DOCKER_TAG", "HOME", "ANOMALY_THRESHOLD", "DEV_MODE"];
    assert_eq!(
        config.notices(ENVIRONMENT, set),
        [
            "the environment variable DOCKER_TAG has no effect",
            "the environment variable ANOMALY_THRESHOLD (z-score that makes a moment) is set, but \
             no value of this job refers to it; write $ANOMALY_THRESHOLD in a job file to use it",
            "the environment variable DEV_MODE has no effect",
        ],
    );
    Ok(())
}

#[test]
fn compatibility_is_a_layer_like_any_other() -> Result<()> {
    let config = load(&[CHAT, COMPAT, "[source.chat]\ndialect = 'auto'"], &[])?;
    let (chat, viewers) = (config.source("chat")?, config.source("viewers")?);
    assert!(viewers.codec.keep_nan && !viewers.codec.extended_times);
    assert_eq!(viewers.codec.dialect, crate::codec::Dialect::Strict);
    assert_eq!(chat.codec.dialect, crate::codec::Dialect::Auto);
    assert_eq!(chat.kind, "generator");
    Ok(())
}
