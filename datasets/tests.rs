//! Tests that the samples are what the generators make and that all checksums of the cards hold.
//!
//! `HIGHWATER_REWRITE=1 cargo test -p highwater-datasets samples` writes the samples anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::dataset::{GeneratorOptions, Made, Records, find};
use highwater::time::{Time, days_from_civil};

/// Two channels, with which the samples of `chat` are made.
macro_rules! chat {
    ($options:literal) => {
        concat!("channels = \"demo_stream,night_shift\"\nseed = 7\n", $options)
    };
}

/// File, data set and options of each sample; the card has the same as a command.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("chat.jsonl", "chat.chat", chat!("rate = 0.2\nevents = 48\ndisorder = \"8s\"")),
    ("viewers.jsonl", "chat.viewer", chat!("rate = 0.1\nevents = 24\ndisorder = \"3s\"")),
    (
        "elearning_auth.jsonl",
        "elearning.auth",
        "seed = 7\nrate = 0.2\nevents = 30\ndisorder = \"2s\"",
    ),
    (
        "elearning_assessment.jsonl",
        "elearning.assessment",
        "seed = 7\nrate = 0.2\nevents = 40\ndisorder = \"2s\"",
    ),
    (
        "elearning_video.jsonl",
        "elearning.video",
        "seed = 7\nrate = 0.2\nevents = 40\ndisorder = \"2s\"",
    ),
    (
        "elearning_course.jsonl",
        "elearning.course",
        "seed = 7\nrate = 0.2\nevents = 30\ndisorder = \"2s\"",
    ),
    (
        "elearning_profile.jsonl",
        "elearning.profile",
        "seed = 7\nrate = 0.1\nevents = 20\ndisorder = \"2s\"",
    ),
    (
        "elearning_notification.jsonl",
        "elearning.notification",
        "seed = 7\nrate = 0.2\nevents = 30\ndisorder = \"2s\"",
    ),
    ("campus.jsonl", "campus", "seed = 7\nrate = 0.5\nevents = 100\ndisorder = \"2s\""),
    ("binance.jsonl", "market.binance", "seed = 7\nrate = 0.2\nevents = 48\ndisorder = \"0s\""),
    (
        "polymarket_trade.jsonl",
        "market.polymarket_trade",
        "seed = 7\nrate = 0.1\nevents = 30\ndisorder = \"0s\"",
    ),
    (
        "polymarket_metadata.jsonl",
        "market.polymarket_metadata",
        "seed = 7\nrate = 0.03\nevents = 8\ndisorder = \"0s\"",
    ),
    ("shop.jsonl", "shop.events", "seed = 7\nrate = 0.2\nevents = 48\ndisorder = \"3s\""),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn generated(name: &str, options: &str) -> String {
    let (kind, topics) = find(crate::GENERATORS, name).unwrap();
    let table = options.parse().unwrap();
    let start = Time::from_seconds(days_from_civil(2025, 10, 2) * 86_400);
    let options = GeneratorOptions::read(kind, topics, &table, start).unwrap();
    let mut records = Records::all((kind.make)(&options).unwrap(), options.events);
    let (mut made, mut lines) = (Made::default(), String::new());
    while records.next(&mut made) {
        writeln!(lines, "{}", std::str::from_utf8(&made.value).unwrap()).unwrap();
    }
    lines
}

#[test]
fn samples_are_what_the_generators_make() {
    for (file, name, options) in SAMPLES {
        let (path, lines) = (folder().join(file), generated(name, options));
        if std::env::var_os("HIGHWATER_REWRITE").is_some() {
            std::fs::write(&path, &lines).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines, "{file}");
    }
}

/// Checks the lines of a card that hold a sha256 and, behind it, a file below the card's folder.
fn check_card(card: &Path, count: usize) {
    let folder = card.parent().unwrap();
    let text = std::fs::read_to_string(card).unwrap();
    let is_sum = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let sums: Vec<(&str, PathBuf)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split([' ', '|', '`']).filter(|word| !word.is_empty());
            Some((words.find(is_sum)?, folder.join(words.next()?)))
        })
        .collect();
    assert_eq!(sums.len(), count, "sums in {}", card.display());
    let command = Command::new("sha256sum").args(sums.iter().map(|(_, file)| file)).output();
    let Ok(output) = command else {
        println!("not checked, as there is no command sha256sum: {}", card.display());
        return;
    };
    let found = String::from_utf8(output.stdout).unwrap();
    let found: Vec<&str> = found.lines().filter_map(|line| line.split(' ').next()).collect();
    let expect: Vec<&str> = sums.iter().map(|(sum, _)| *sum).collect();
    assert_eq!(found, expect, "{}", card.display());
}

#[test]
fn the_checksums_of_the_cards_hold() {
    check_card(&folder().join("README.md"), SAMPLES.len());
    let real = crate::real::folder();
    check_card(&real.join("zeek-wrccdc/SOURCE.txt"), 32);
    check_card(&real.join("kafka-broker-logs/SOURCE.txt"), 62);
}
