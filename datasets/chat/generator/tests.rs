//! What the records of the chat system look like, and how often each kind comes.

use std::collections::{BTreeMap, BTreeSet};

use highwater::dataset::{COMMON_OPTIONS, Records, find};
use serde_json::Value;

use super::*;
use crate::GENERATORS;

const START: Time = Time::from_seconds(1_760_000_000);

/// Records of a data set with the options of a binding.
fn records(name: &str, options: &str, count: u64) -> Result<Vec<Made>> {
    let (kind, topics) = find(GENERATORS, name)?;
    let table = options.parse().expect("a table");
    let options = GeneratorOptions::read(kind, topics, &table, START)?;
    let mut records = Records::all((kind.make)(&options)?, Some(count));
    let mut made = Made::default();
    Ok(std::iter::from_fn(|| records.next(&mut made).then(|| made.clone())).collect())
}

fn made(name: &str, options: &str, count: u64) -> Vec<Made> {
    records(name, options, count).unwrap()
}

fn parsed(made: &Made) -> Value {
    serde_json::from_slice(&made.value).expect("a document")
}

/// Counts by the text of something.
fn counts<'m>(of: impl Iterator<Item = String> + 'm) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    of.for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}

#[test]
fn the_same_options_give_the_same_records_and_a_short_run_begins_a_long_one() {
    for dialect in ["dialect = \"producer\"", "dialect = \"job\""] {
        let options = format!("seed = 7\nlate = 0.1\nduplicates = 0.1\n{dialect}");
        let long = made("chat", &options, 2_000);
        assert_eq!(made("chat", &options, 2_000), long);
        assert_eq!(made("chat", &options, 500), long[..500]);
        assert_ne!(made("chat", &options.replace("seed = 7", "seed = 8"), 500), long[..500]);
    }
}

#[test]
fn the_mix_is_that_of_the_producer() {
    let made = made("chat", "seed = 1", 20_000);
    let counts = counts(made.iter().map(|made| made.topic.to_string()));
    let total: f64 = WEIGHTS.iter().sum();
    for (topic, weight) in WEIGHTS.iter().enumerate() {
        let expect = 20_000.0 * weight / total;
        let count = f64::from(counts[&topic.to_string()]);
        assert!((count - expect).abs() < 5.0 * expect.sqrt(), "topic {topic}: {count}, {expect}");
    }
}

#[test]
fn a_message_has_the_fields_of_its_dialect() {
    let check = |name: &str, options: &str, expect: &str| {
        for made in made(name, options, 300) {
            let document = parsed(&made);
            let fields: Vec<&str> =
                document.as_object().unwrap().keys().map(String::as_str).collect();
            let mut expect: Vec<&str> = expect.split(' ').collect();
            expect.sort();
            assert_eq!(fields, expect);
        }
    };
    let message = "message_id channel username user_id message emotes badges is_action bits \
        sentiment_hint timestamp metadata";
    check("chat.chat", "", message);
    let message = "event_id timestamp stream_id user_id username message emotes badges";
    check("chat.chat", "dialect = \"job\"", message);
    let viewers = "event_id channel viewer_count chatter_count follower_count subscriber_count \
        timestamp metadata";
    check("chat.viewer", "", viewers);
    let viewers = "event_id timestamp stream_id viewer_count unique_viewers peak_viewers";
    check("chat.viewer", "dialect = \"job\"", viewers);
}

#[test]
fn emotes_are_those_of_the_text_and_distinct() {
    let messages = made("chat.chat", "seed = 3", 3_000);
    let mut found = BTreeSet::new();
    for message in messages.iter().map(parsed) {
        let emotes: Vec<&str> =
            message["emotes"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
        assert_eq!(emotes.iter().collect::<BTreeSet<_>>().len(), emotes.len());
        let text = message["message"].as_str().unwrap();
        assert!(emotes.iter().all(|emote| text.contains(emote)) && text.len() <= 500, "{text}");
        assert!(!text.contains("{}"));
        let bits = message["bits"].as_u64().unwrap();
        assert_eq!(text.ends_with(&format!(" (cheered {bits} bits)")), 0 < bits);
        found.extend(emotes.into_iter().map(str::to_string));
    }
    assert_eq!(found.len(), 23);
}

#[test]
fn users_follow_zipf_or_are_new_each_time() {
    let users = |options: &str| {
        let messages = made("chat.chat", options, 3_000);
        counts(messages.iter().map(|made| parsed(made)["user_id"].as_str().unwrap().into()))
    };
    let few = users("users = 20");
    assert_eq!(few.len(), 20);
    // The first of 20 has a share of 1 / 3.6.
    assert!((750..920).contains(few.values().max().unwrap()), "{few:?}");
    assert!(2_990 < users("users = 0").len());
    assert!(few.keys().all(|id| (11..=12).contains(&id.len())), "{few:?}");
}

#[test]
fn a_share_of_messages_is_negative() {
    let messages = made("chat.chat", "negative = 0.25", 4_000);
    let hints =
        counts(messages.iter().map(|made| parsed(made)["sentiment_hint"].as_str().unwrap().into()));
    assert!((900..1_100).contains(&hints["negative"]), "{hints:?}");
}

#[test]
fn every_partition_gets_records_and_a_channel_keeps_to_its_partitions() {
    let check = |options: &str, expect: &[(&str, &[u32])]| {
        let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for made in made("chat.viewer", options, 600) {
            let key = String::from_utf8(made.key.clone()).unwrap();
            assert_eq!(parsed(&made)["channel"], key.as_str());
            found.entry(key).or_default().insert(made.partition);
        }
        let found: Vec<(&str, Vec<u32>)> =
            found.iter().map(|(key, set)| (key.as_str(), set.iter().copied().collect())).collect();
        let expect: Vec<(&str, Vec<u32>)> =
            expect.iter().map(|(key, set)| (*key, set.to_vec())).collect();
        assert_eq!(found, expect);
    };
    check("", &[("demo_stream", &[0, 1, 2])]);
    check("channels = \"a, b\"", &[("a", &[0, 2]), ("b", &[1])]);
    check("channels = [\"a\", \"b\"]\npartitions = 1", &[("a", &[0]), ("b", &[0])]);
    check(
        "channels = \"a,\\\"b\\\\,c,d\"",
        &[("\"b\\", &[1]), ("a", &[0]), ("c", &[2]), ("d", &[0])],
    );
    check("keys = 2", &[("stream_0000", &[0, 2]), ("stream_0001", &[1])]);
}

#[test]
fn a_partition_can_be_made_alone_from_any_offset() {
    let options = "seed = 5\nchannels = \"a,b,c,d\"\nduplicates = 0.3";
    let all = made("chat.chat", options, 3_000);
    let (kind, topics) = find(GENERATORS, "chat.chat").unwrap();
    let table = options.parse().unwrap();
    let options = GeneratorOptions::read(kind, topics, &table, START).unwrap();
    let generator = (kind.make)(&options).unwrap();
    for index in 0..3 {
        let mut records = Records::partition(generator.clone(), Some(3_000), (index, 3), 100);
        let mut made = Made::default();
        let mine = std::iter::from_fn(|| records.next(&mut made).then(|| made.clone()));
        assert!(mine.eq(all.iter().filter(|made| made.partition == index).skip(100).cloned()));
    }
}

#[test]
fn each_fault_shows_in_its_share() {
    let options = "rate = 100\nlate = 0.1\nduplicates = 0.1\nbad_json = 0.1\nnull_fields = 0.1\n\
        no_time = 0.1\nfuture = 0.1\ndisorder = \"2s\"";
    let all = made("chat.chat", options, 6_000);
    let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for made in &all {
        let document = serde_json::from_slice::<Value>(&made.value);
        let repeated = seen.insert(made.value.clone(), 1).is_some();
        let behind = made.time.map(|time| (made.due.micros() - time.micros()) / 1_000_000);
        let nulls = |document: &Value| {
            document.as_object().unwrap().iter().filter(|(_, value)| value.is_null()).count()
        };
        match made.fault {
            None => assert!(!repeated && (0..=2).contains(&behind.unwrap())),
            Some(Fault::Late) => assert!((120..=240).contains(&behind.unwrap())),
            Some(Fault::Duplicate) => assert!(repeated),
            Some(Fault::BadJson) => assert!(document.is_err() && made.time.is_none()),
            Some(Fault::NullField) => assert_eq!(nulls(&document.unwrap()), 1),
            Some(Fault::NoTime) => {
                let time = &document.unwrap()["timestamp"];
                assert!((time.is_null() || time == "not a time") && made.time.is_none());
            }
            Some(Fault::Future) => assert_eq!(behind, Some(-3_600)),
        }
    }
    let counts = counts(all.iter().map(|made| format!("{:?}", made.fault)));
    assert_eq!(counts.len(), 7);
    assert!(counts.iter().all(|(f, n)| f == "None" || (500..700).contains(n)), "{counts:?}");
}

#[test]
fn streams_start_with_a_run_and_end_with_it() {
    let options = "channels = \"a,b\"\nevents = 400\nseed = 2";
    let all = made("chat", options, 400);
    let events: Vec<(String, String)> = all
        .iter()
        .filter(|made| made.topic == STREAM_META)
        .map(|made| {
            let document = parsed(made);
            let text = |field: &str| document[field].as_str().unwrap().to_string();
            (text("event_type"), text("channel"))
        })
        .collect();
    let pair = |kind: &str, channel: &str| (kind.to_string(), channel.to_string());
    assert_eq!(events[..2], [pair("stream_start", "a"), pair("stream_start", "b")]);
    assert_eq!(events[events.len() - 2..], [pair("stream_end", "a"), pair("stream_end", "b")]);
    let none = made("chat", "produce_stream_meta = false", 400);
    assert!(none.iter().all(|made| made.topic != STREAM_META));
}

#[test]
fn the_topics_that_no_job_reads_are_documents_too() {
    for name in ["chat.transactions", "chat.stream_meta"] {
        let all = made(name, "", 500);
        let field = if name.ends_with('s') { "transaction_type" } else { "event_type" };
        let kinds = counts(all.iter().map(|made| parsed(made)[field].as_str().unwrap().into()));
        assert_eq!(kinds.len(), if name.ends_with('s') { 5 } else { 4 }, "{kinds:?}");
        assert!(all.iter().all(|made| made.time.is_some()));
    }
    let all = made("chat.transactions", "null_fields = 1.0", 200);
    assert!(all.iter().all(|made| parsed(made).as_object().unwrap().values().any(Value::is_null)));
}

#[test]
fn options_that_cannot_be_are_refused() {
    let check = |options: &str, expect: &str| {
        let error = records("chat", options, 1).unwrap_err().to_string();
        assert!(error.contains(expect), "{options}: {error}");
    };
    check("channels = \"\"", "`channels` has an empty name");
    check("channels = []", "`channels` has an empty name");
    check("users = 1_000_001", "write 0 for a new user");
    check("message_variants = 0", "`message_variants` is 1 to 50");
    check("negative = 2.0", "a share is 0 to 1");
    check("spikes = 90", "`spikes` is 90");
    check("dialect = \"mine\"", "unknown variant");
    check(
        "produce_chat = false\nproduce_viewer = false\nproduce_transactions = false\n\
         produce_stream_meta = false",
        "no topic",
    );
    check("chanels = \"a\"", "there is `channels`");
}

#[test]
fn the_documented_defaults_are_those_that_hold() {
    let silent = made("chat", "", 500);
    for option in OPTIONS.iter().chain(COMMON_OPTIONS).filter(|o| !o.default.is_empty()) {
        let bare = option.default.parse::<f64>().is_ok() || option.default == "true";
        let value = if bare { option.default.into() } else { format!("{:?}", option.default) };
        let said = made("chat", &format!("{} = {value}", option.name), 500);
        assert_eq!(said, silent, "{}", option.name);
    }
}
