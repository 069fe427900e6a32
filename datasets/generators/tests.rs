//! What holds for every topic of every generator, and the bytes of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use highwater::codec::timestamp::{Zone, parse};
use highwater::dataset::{Fault, Generator, GeneratorOptions, Made, Records, find};
use highwater::error::Result;
use highwater::time::Time;
use serde_json::Value;

use crate::GENERATORS;
use crate::random::hash;

pub(super) const START: Time = Time::from_seconds(1_760_000_000);

/// All faults, each in a tenth of the records.
const FAULTS: &str = "seed = 7\nlate = 0.1\nduplicates = 0.1\nbad_json = 0.1\nnull_fields = 0.1\n\
    no_time = 0.1\nfuture = 0.1\ndisorder = \"2s\"\n";

/// Each topic, the field with its time, and the hash of its records with all faults.
const TOPICS: &[(&str, &str, u64)] = &[
    ("campus.auth", "timestamp", 0xb780_6c6f_c2a7_5437),
    ("campus.assessment", "timestamp", 0xd657_6514_e77a_92f2),
    ("campus.video", "timestamp", 0xb16b_4d42_d8f4_bb7e),
    ("campus.course", "timestamp", 0x2195_1221_fc0f_e09e),
    ("campus.profile", "timestamp", 0x8912_c3d4_3489_9a44),
    ("campus.notification", "timestamp", 0x64bf_906b_1998_911e),
    ("elearning.auth", "timestamp", 0xa42d_a16f_39d6_9d15),
    ("elearning.assessment", "timestamp", 0xba40_ce09_71e7_ead3),
    ("elearning.video", "timestamp", 0x0c55_7401_5c22_f7c3),
    ("elearning.course", "timestamp", 0xf3ce_0003_0abd_45b8),
    ("elearning.profile", "timestamp", 0x47a9_23d2_4d2d_f700),
    ("elearning.notification", "timestamp", 0xed5c_7d71_d1ca_55bf),
    ("market.binance", "snapshot_time", 0xd782_ffdd_6bf2_de3a),
    ("market.polymarket_trade", "timestamp", 0xe025_d7f8_d437_8c25),
    ("market.polymarket_metadata", "updatedAt", 0x27a2_258f_c433_5ad4),
    ("shop.events", "timestamp", 0xeec0_1b00_5bd9_e642),
];

pub(super) fn generator(name: &str, options: &str) -> Result<(Arc<dyn Generator>, Option<u64>)> {
    let (kind, topics) = find(GENERATORS, name)?;
    let table = options.parse().expect("a table");
    let options = GeneratorOptions::read(kind, topics, &table, START)?;
    Ok(((kind.make)(&options)?, options.events))
}

fn collect(mut records: Records) -> Vec<Made> {
    let mut made = Made::default();
    std::iter::from_fn(|| records.next(&mut made).then(|| made.clone())).collect()
}

/// Records of a data set with the options of a binding.
pub(super) fn made(name: &str, options: &str, count: u64) -> Vec<Made> {
    let (generator, _) = generator(name, options).unwrap();
    collect(Records::all(generator, Some(count)))
}

pub(super) fn parsed(made: &Made) -> Value {
    serde_json::from_slice(&made.value).expect("a document")
}

/// The text of a field; empty without it.
pub(super) fn text<'d>(document: &'d Value, field: &str) -> &'d str {
    document[field].as_str().unwrap_or_default()
}

/// Counts by the text of something.
pub(super) fn counts(of: impl Iterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    of.for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}

/// Checks that each text comes about as often as its weight says, and no other.
pub(super) fn check_shares(found: &BTreeMap<String, u32>, weights: &[(&str, f64)]) {
    let names: BTreeSet<&str> = weights.iter().map(|(name, _)| *name).collect();
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let count: u32 = found.values().sum();
    for (name, weight) in weights {
        let (expect, found) = (f64::from(count) * weight / total, f64::from(found[*name]));
        assert!(
            (found - expect).abs() < 0.03 * f64::from(count).max(expect),
            "{name}: {found}, {expect}"
        );
        assert!((found / expect - 1.0).abs() < 0.2, "{name}: {found} instead of {expect}");
    }
}

fn digest(records: &[Made]) -> u64 {
    let bytes = |made: &Made| [&made.key[..], &[0], &made.value[..], &[0]].concat();
    let all = records.iter().flat_map(bytes);
    all.fold(0, |sum, byte| hash(sum, byte.into()))
}

#[test]
fn the_bytes_of_every_topic_are_pinned() {
    let found: Vec<(&str, u64)> =
        TOPICS.iter().map(|(name, ..)| (*name, digest(&made(name, FAULTS, 2_000)))).collect();
    let expect: Vec<(&str, u64)> = TOPICS.iter().map(|(name, _, hash)| (*name, *hash)).collect();
    assert_eq!(found, expect);
}

#[test]
fn a_short_run_begins_a_long_one_and_a_seed_makes_another() {
    let systems = GENERATORS.iter().map(|kind| kind.name);
    for name in systems.chain(TOPICS.iter().map(|(name, ..)| *name)) {
        let long = made(name, FAULTS, 1_000);
        assert_eq!(made(name, FAULTS, 300), long[..300], "{name}");
        assert_ne!(made(name, &FAULTS.replace("= 7", "= 8"), 300), long[..300], "{name}");
    }
}

#[test]
fn every_topic_of_a_system_has_its_name_in_the_table() {
    let names = GENERATORS.iter().filter(|kind| kind.name != "chat").flat_map(|kind| {
        kind.topics.iter().map(move |topic| format!("{}.{}", kind.name, topic.short))
    });
    let found: BTreeSet<String> = names.collect();
    assert_eq!(found, TOPICS.iter().map(|(name, ..)| name.to_string()).collect());
}

#[test]
fn a_partition_can_be_made_alone_from_any_offset() {
    for (name, ..) in TOPICS {
        for of in [1, 3, 4] {
            let options = format!("partitions = {of}\n{FAULTS}");
            let all = made(name, &options, 600);
            for index in 0..of {
                let (generator, _) = generator(name, &options).unwrap();
                let part = Records::partition(generator, Some(600), (index, of), 50);
                let mine = all.iter().filter(|made| made.partition == index).skip(50);
                assert!(collect(part).iter().eq(mine), "{name} {index} of {of}");
            }
        }
    }
}

#[test]
fn a_key_keeps_to_its_partition_and_keys_are_as_many_as_asked_for() {
    for (name, ..) in TOPICS.iter().filter(|(name, ..)| !name.starts_with("market")) {
        let mut places: BTreeMap<Vec<u8>, BTreeSet<u32>> = BTreeMap::new();
        for made in made(name, "keys = 30\npartitions = 2", 3_000) {
            places.entry(made.key).or_default().insert(made.partition);
        }
        assert!(places.values().all(|partitions| partitions.len() == 1), "{name}");
        // Some topics are the students' alone, of whom there are 25.
        assert!([25, 30].contains(&places.len()), "{name} has {} keys", places.len());
        assert!(made(name, "keys = 1", 100).windows(2).all(|two| two[0].key == two[1].key));
    }
}

/// The time that a reader finds in a document, or in the last one of an array.
fn time_of(document: &Value, field: &str, zone: &Zone) -> Option<Time> {
    let document = document.as_array().and_then(|all| all.last()).unwrap_or(document);
    match &document[field] {
        Value::String(text) => parse(text, zone, true),
        Value::Number(millis) => Some(Time::from_micros(millis.as_i64()? * 1_000)),
        _ => None,
    }
}

#[test]
fn each_fault_shows_in_its_share() {
    for (name, field, _) in TOPICS {
        let zone = if name.starts_with("campus") { "Asia/Ho_Chi_Minh" } else { "UTC" };
        let zone = Zone::named(zone).unwrap();
        let all = made(name, &format!("rate = 100\n{FAULTS}"), 3_000);
        let mut seen: BTreeSet<(u32, Vec<u8>)> = BTreeSet::new();
        for made in &all {
            let document = serde_json::from_slice::<Value>(&made.value);
            let repeated = !seen.insert((made.partition, made.value.clone()));
            let behind = made.time.map(|time| made.due.micros() - time.micros());
            let within = |least: i64, most: i64| {
                let behind = behind.expect("a time") / 1_000_000;
                assert!((least..=most).contains(&behind), "{name}: {made:?}");
            };
            match made.fault {
                Some(Fault::BadJson) => assert!(document.is_err() && made.time.is_none()),
                _ => assert_eq!(
                    time_of(&document.unwrap(), field, &zone),
                    made.time,
                    "{name}: {made:?}"
                ),
            }
            match made.fault {
                None | Some(Fault::NullField) => within(-1, 3),
                Some(Fault::Late) => within(120, 241),
                Some(Fault::Duplicate) => assert!(repeated),
                Some(Fault::NoTime) => assert!(made.time.is_none()),
                Some(Fault::Future) => within(-3_600, -3_597),
                Some(Fault::BadJson) => {}
            }
        }
        let counts = counts(all.iter().map(|made| format!("{:?}", made.fault)));
        assert_eq!(counts.len(), 7, "{name}");
        let fine = |(fault, count): (&String, &u32)| fault == "None" || (230..370).contains(count);
        assert!(counts.iter().all(fine), "{name}: {counts:?}");
    }
}

/// How many values of a document are null, at any depth.
fn nulls(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Array(all) => all.iter().map(nulls).sum(),
        Value::Object(all) => all.values().map(nulls).sum(),
        _ => 0,
    }
}

#[test]
fn a_field_is_null_in_records_that_are_to_have_one() {
    for (name, ..) in TOPICS {
        let plain = made(name, "seed = 3", 300);
        let faulty = made(name, "seed = 3\nnull_fields = 1.0", 300);
        let more =
            |(plain, faulty): (&Made, &Made)| (nulls(&parsed(faulty))) == nulls(&parsed(plain)) + 1;
        assert!(plain.iter().zip(&faulty).all(more), "{name}");
    }
}

#[test]
fn the_documented_defaults_are_those_that_hold() {
    for kind in GENERATORS {
        let silent = made(kind.name, "", 200);
        for option in kind.options.iter().filter(|option| !option.default.is_empty()) {
            let bare = option.default.parse::<f64>().is_ok() || option.default == "true";
            let value = if bare { option.default.into() } else { format!("{:?}", option.default) };
            let said = made(kind.name, &format!("{} = {value}", option.name), 200);
            assert_eq!(said, silent, "{}: {}", kind.name, option.name);
        }
    }
}
