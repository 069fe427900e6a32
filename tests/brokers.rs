//! Three brokers of which the leader is killed again and again while a job delivers by
//! transactions: a reader of its own, Kafka's console consumer in another process, finds each row
//! once and in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use highwater::source::kafka::{Admin, ClientSettings};
use highwater::testing::{Dice, KafkaCluster, Scratch, or_skip};
use serde_json::Value;

use crate::binary::highwater;
use crate::cluster::support::{Running, sorted, until};

const LIMIT: Duration = Duration::from_secs(120);
const TOPIC: &str = "brokers.rows";
const PARTITIONS: u32 = 3;

const CHAT: &str = "source.chat.generator={dataset=\"chat.chat\",seed=7,burst=\"1m\",rate=20,\
                    keys=20,events=80000,start=\"2026-01-01T00:00:00Z\"}";

const VIEWERS: &str = "source.viewers.generator={dataset=\"chat.viewer\",rate=1,seed=7,events=2000,\
                       start=\"2026-01-01T00:00:00Z\"}";

/// How many leaders are killed in a row: five, or `HIGHWATER_KILLS`.
fn kills() -> u32 {
    let set = std::env::var("HIGHWATER_KILLS").ok().and_then(|kills| kills.parse().ok());
    set.unwrap_or(5)
}

/// How many brokers are stopped cleanly behind that: one, or with `HIGHWATER_KILLS` each in turn.
fn bounces() -> u32 {
    let all = std::env::var_os("HIGHWATER_KILLS").is_some();
    if all { KafkaCluster::NODES } else { 1 }
}

/// Chat with two workers, of which the summaries go to a sink.
fn chat(sink: &str) -> Command {
    let mut command = highwater();
    command.args(["run", "chat", "-w", "2"]);
    let sink = format!("sink.chat_summary_minute={{rows=\"final\",{sink}}}");
    for set in [CHAT, VIEWERS, "sink.moments.blackhole={}", "sink.alerts.blackhole={}", &sink] {
        command.args(["--set", set]);
    }
    command
}

/// The same into the topic, by transactions, at a rate.
fn delivering(dir: &Path, brokers: &str, rate: &str) -> Command {
    let topic = format!("kafka={{topic=\"{TOPIC}\",brokers=\"{brokers}\"}}");
    let mut command = chat(&format!("exactly_once=true,{topic}"));
    let path = format!("checkpoint.path={:?}", dir.join("checkpoints"));
    let rate = format!("source.\"*\".max_rate_per_partition={rate}");
    for set in [&*path, "checkpoint.every=100ms", &rate] {
        command.args(["--set", set]);
    }
    command
}

/// The rows that another process finds committed, by partition and in their order there.
fn rows(cluster: &mut KafkaCluster) -> BTreeMap<String, Vec<String>> {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let arguments = [
        ["--topic", TOPIC],
        ["--isolation-level", "read_committed"],
        ["--timeout-ms", "8000"],
        ["--formatter-property", "print.partition=true"],
        ["--formatter-property", "print.value=true"],
    ];
    let arguments: Vec<&str> =
        arguments.into_iter().flatten().chain(["--from-beginning"]).collect();
    let text = cluster.node(1).tool(class, &arguments).expect("the console consumer");
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (partition, row) = line.split_once('\t').expect("partition and row");
        rows.entry(partition.to_owned()).or_default().push(row.to_owned());
    }
    rows
}

/// Rows of a stream in a partition that come behind a later one.
fn out_of_order(rows: &BTreeMap<String, Vec<String>>) -> usize {
    let mut latest: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut count = 0;
    for (partition, rows) in rows {
        for row in rows {
            let row: Value = serde_json::from_str(row).expect("a row");
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            let (stream, start) = ((partition.clone(), text("stream_id")), text("window_start"));
            let last = latest.entry(stream).or_default();
            count += usize::from(start < *last);
            *last = start.max(std::mem::take(last));
        }
    }
    count
}

/// Waits until each partition has a leader and so many copies in sync; the leader of the first one.
fn in_sync(admin: &Admin, copies: usize) -> u32 {
    let mut leader = 0;
    until(LIMIT, || {
        let leaders = admin.leaders(TOPIC).unwrap_or_default();
        leader = leaders.get(&0).map_or(0, |(leader, _)| u32::try_from(*leader).unwrap_or(0));
        leaders.len() == PARTITIONS as usize && leaders.values().all(|(_, isr)| copies <= *isr)
    });
    leader
}

/// Kills the leader again and again, then stops brokers cleanly, while a job runs.
fn disturb(cluster: &mut KafkaCluster, admin: &Admin, job: &mut Running) {
    let begun = Instant::now();
    let ends = || admin.end_offsets(TOPIC).map(|ends| ends.values().sum::<i64>()).unwrap_or(0);
    until(LIMIT, || 0 < ends());
    let mut dice = Dice::new();
    for kill in 0..kills() {
        let leader = in_sync(admin, 2);
        std::thread::sleep(Duration::from_millis(dice.between(0, 500)));
        cluster.node(leader).kill();
        assert!(!job.has_ended(), "{}", job.err());
        // Another one leads and rows go on while it is away.
        let before = ends();
        until(LIMIT, || in_sync(admin, 1) != leader && before < ends());
        cluster.node(leader).restart().expect("the broker comes back");
        eprintln!("kill {kill}: broker {leader}, at {:.1} s", begun.elapsed().as_secs_f64());
    }
    for id in 1..=bounces() {
        in_sync(admin, 2);
        cluster.node(id).restart().expect("the broker comes back");
        assert!(!job.has_ended(), "{}", job.err());
    }
    in_sync(admin, 3);
    eprintln!("bounced at {:.1} s", begun.elapsed().as_secs_f64());
}

#[test]
fn rows_are_committed_once_and_in_order_however_often_the_leader_dies() {
    let dir = Scratch::new("brokers-job");
    let calm = dir.path().join("calm.jsonl");
    let undisturbed = Running::start(chat(&format!("file={{path={calm:?}}}")), dir.path(), "calm");
    let scratch = Scratch::new("brokers");
    let Some(mut cluster) = or_skip(KafkaCluster::start(&scratch.path().join("kafka"))) else {
        return;
    };
    let brokers = cluster.brokers();
    let admin = Admin::new(&brokers, &ClientSettings::default()).unwrap();
    admin
        .create_topic_with(TOPIC, PARTITIONS, &[("min.insync.replicas", "2")])
        .expect("a topic with three copies");
    in_sync(&admin, 3);
    let undisturbed = undisturbed.end(LIMIT);
    assert_eq!(undisturbed.code, Some(0), "{}", undisturbed.err);

    // Slow enough to outlive all kills; stopped behind them.
    let mut job = Running::start(delivering(dir.path(), &brokers, "100"), dir.path(), "slow");
    disturb(&mut cluster, &admin, &mut job);
    job.signal("TERM");
    let stopped = job.end(LIMIT);
    assert_eq!(stopped.code, Some(0), "{}", stopped.err);
    let fast = delivering(dir.path(), &brokers, "\"off\"");
    let ended = Running::start(fast, dir.path(), "fast").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("from checkpoint "), "{}", ended.err);

    let (expected, found) = (sorted(&calm), rows(&mut cluster));
    let mut all: Vec<String> = found.values().flatten().cloned().collect();
    all.sort();
    let lost = expected.iter().filter(|row| all.binary_search(row).is_err()).count();
    let twice = all.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let swapped = out_of_order(&found);
    eprintln!("{} rows: {lost} lost, {twice} twice, {swapped} out of order", all.len());
    assert_eq!((lost, twice, swapped), (0, 0, 0));
    assert!(100 < expected.len() && all == expected, "{} of {}", all.len(), expected.len());
}
