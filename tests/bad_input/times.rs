//! The table of event times: every spelling in the event-time field of every wire type.
//!
//! What is a time depends on the form of the field: text, milliseconds in a text, or milliseconds
//! as a number.

use highwater::codec::timestamp::Zone;
use highwater::codec::{BadDocument, Options};
use highwater::config::{Config, Kinds};
use highwater::sink::kinds::SINK_NAMES;
use highwater::source::kinds::SOURCE_NAMES;
use highwater::time::Time;
use highwater_dataflows::DATAFLOWS;

use super::wire::{Kind, TYPES, Type, plain};

/// 2025-10-02T00:45:23Z.
const BASE: i64 = 1_759_365_923_000_000;
const HOUR: i64 = 3_600_000_000;
/// 2025-10-02T00:00:00Z.
const DAY: i64 = 1_759_363_200_000_000;

/// A time in a text: the spelling, microseconds as Spark reads it, and as extended forms are read.
struct Spelling(&'static str, Option<i64>, Option<i64>);

const fn both(text: &'static str, micros: i64) -> Spelling {
    Spelling(text, Some(micros), Some(micros))
}

const fn none(text: &'static str) -> Spelling {
    Spelling(text, None, None)
}

const fn extended(text: &'static str, micros: i64) -> Spelling {
    Spelling(text, None, Some(micros))
}

/// Times that name their zone, and what is none.
const ANYWHERE: &[Spelling] = &[
    both("2025-10-02T00:45:23Z", BASE),
    both("2025-10-02 00:45:23Z", BASE),
    both("2025-10-02T00:45:23.123456+00:00", BASE + 123_456),
    both("2025-10-02T00:45:23.123456789+00:00", BASE + 123_456),
    both("2025-10-02T00:45:23+07:00", BASE - 7 * HOUR),
    both("2025-10-02T00:45:23+0700", BASE - 7 * HOUR),
    both("2025-10-02T00:45:23+07", BASE - 7 * HOUR),
    both("2025-10-02 00:45:23 UTC", BASE),
    both("2025-10-02 00:45:23 Asia/Ho_Chi_Minh", BASE - 7 * HOUR),
    extended("1759365923", BASE),
    extended("1759365923001", BASE + 1_000),
    extended("1759365923001002", BASE + 1_002),
    extended("1759365923001002003", BASE + 1_002),
    none("12:30:00"),
    none("T12:30"),
    none("25:00:00"),
    none("2025-13-01 00:00:00"),
    none("2025-02-30"),
    none("2025-10-02 24:00:00"),
    none("2025-10-02 00:45:60"),
    none("2025/10/02 00:45:23"),
    none("10/02/2025"),
    none("2025-10-02t00:45:23"),
    none("2025-10-02T00:45:23z"),
    none(""),
    none("soon"),
    none("175936592"),
    none("0000-12-31 23:59:59Z"),
    none("10000-01-01 00:00:00Z"),
];

/// Times without a zone, as they are in UTC.
const LOCAL: &[(&str, i64)] = &[
    ("2025-10-02 00:45:23", BASE),
    ("2025-10-02T00:45:23", BASE),
    ("2025-10-02T00:45:23.123456", BASE + 123_456),
    ("2025-10-02 00:45:23.123456789", BASE + 123_456),
    ("2025-10-02 00:45", BASE - 23_000_000),
    ("2025-10-02 00", DAY),
    ("2025-10-02", DAY),
    ("2025-10", DAY - 24 * HOUR),
    ("2025", 1_735_689_600_000_000),
    ("2025-10-2 0:5:3", DAY + 303_000_000),
    ("  2025-10-02 00:45:23 ", BASE),
];

/// The types whose event time is of some form.
fn timed(kinds: &[Kind]) -> Vec<(&'static Type, usize)> {
    let types = TYPES.iter().filter_map(|one| {
        let (name, kind) = one.time.filter(|(_, kind)| kinds.contains(kind))?;
        let index = one.fields.iter().position(|field| *field == (name, kind))?;
        Some((one, index))
    });
    types.collect()
}

/// Checks the event time of a record, and that nothing else depends on it.
fn check(one: &Type, index: usize, json: &str, options: &Options, micros: Option<i64>) {
    let record = one.document_with("", |at, _| (at == index).then(|| json.into()));
    let outcome = one.decode(&record, options);
    let place = format!("{}: {json}, {options:?}", one.name);
    assert_eq!(outcome.result, Ok(1), "{place}");
    assert_eq!(outcome.times, [micros.map(Time::from_micros)], "{place}");
}

fn zoned(name: &str, extended_times: bool) -> Options {
    Options { naive_tz: Zone::named(name).unwrap(), extended_times, ..plain() }
}

const IN_TEXT: &[Kind] = &[Kind::Time, Kind::TextTime, Kind::WrittenTime];

#[test]
fn every_system_that_has_its_times_in_texts_reads_every_row_of_the_table() {
    let types = timed(IN_TEXT);
    assert_eq!(types.len(), 2 + 6 + 1 + 1, "chat, e-learning, campus, shop");
    for (one, index) in types {
        for is_extended in [false, true] {
            for zone in ["UTC", "Asia/Ho_Chi_Minh", "America/New_York"] {
                for errors in [BadDocument::DeadLetter, BadDocument::NullRow] {
                    let options = Options { errors, ..zoned(zone, is_extended) };
                    for Spelling(text, spark, extended) in ANYWHERE {
                        let micros = if is_extended { extended } else { spark };
                        check(one, index, &format!("\"{text}\""), &options, *micros);
                    }
                }
            }
            for (zone, east) in [("UTC", 0), ("Asia/Ho_Chi_Minh", 7), ("+07:00", 7)] {
                let options = zoned(zone, is_extended);
                for (text, micros) in LOCAL {
                    let micros = Some(micros - east * HOUR);
                    check(one, index, &format!("\"{text}\""), &options, micros);
                }
            }
        }
    }
}

#[test]
fn a_local_time_that_is_skipped_moves_forward_and_one_that_occurs_twice_is_the_earlier() {
    for (one, index) in timed(IN_TEXT) {
        let check = |text: &str, utc: &str| {
            let options = zoned("Europe/Berlin", true);
            let record = |text: &str| format!("\"{text}\"");
            let utc = highwater::codec::timestamp::parse(utc, &Zone::utc(), false).unwrap();
            check(one, index, &record(text), &options, Some(utc.micros()));
        };
        check("2025-03-30 02:30:00.25", "2025-03-30 01:30:00.25");
        check("2025-10-26 02:30:00", "2025-10-26 00:30:00");
        check("2025-10-26 03:00:00", "2025-10-26 02:00:00");
    }
}

#[test]
fn a_number_is_seconds_of_the_timestamp_type_and_a_text_elsewhere() {
    let seconds = [("5", 5_000_000), ("1759365923", BASE), ("-5", -5_000_000)];
    for (one, index) in timed(&[Kind::Time]) {
        for (json, micros) in seconds {
            check(one, index, json, &zoned("UTC", false), Some(micros));
            check(one, index, json, &zoned("UTC", true), Some(micros));
        }
        // By magnitude, where Spark takes the number for seconds beyond the year 9999.
        check(one, index, "1759365923001", &zoned("UTC", false), None);
        check(one, index, "1759365923001", &zoned("UTC", true), Some(BASE + 1_000));
        check(one, index, "5.5", &zoned("UTC", true), None);
    }
    for (one, index) in timed(&[Kind::TextTime, Kind::WrittenTime]) {
        for json in ["5", "-5", "5.5", "true", "{}", "[2025]", "null"] {
            check(one, index, json, &zoned("UTC", false), None);
            check(one, index, json, &zoned("UTC", true), None);
        }
        check(one, index, "1759365923", &zoned("UTC", false), None);
        check(one, index, "1759365923", &zoned("UTC", true), Some(BASE));
        check(one, index, "1759365923001", &zoned("UTC", true), Some(BASE + 1_000));
        check(one, index, "2025", &zoned("UTC", false), Some(1_735_689_600_000_000));
    }
}

#[test]
fn milliseconds_in_a_text_may_have_spaces_and_a_fraction() {
    let types = timed(&[Kind::TextMillis]);
    assert_eq!(types.len(), 1, "polymarket_trade");
    for (one, index) in types {
        for options in [zoned("UTC", false), zoned("Asia/Ho_Chi_Minh", true)] {
            let check = |json, micros| check(one, index, json, &options, micros);
            check("\"1759365923001\"", Some(BASE + 1_000));
            check("1759365923001", Some(BASE + 1_000));
            check("\" 12 \"", Some(12_000));
            check("\"12.7\"", Some(12_000));
            check("12.7", Some(12_000));
            check("\"-12\"", Some(-12_000));
            let others =
                ["\"abc\"", "\"\"", "\" \"", "\"12x\"", "\"1e3\"", "\"2025-10-02\"", "true", "{}"];
            others.iter().for_each(|other| check(other, None));
            // Beyond the years 1 to 9999, and beyond 64 bits.
            check("\"253402300800000\"", None);
            check("\"99999999999999999999\"", None);
        }
    }
}

#[test]
fn milliseconds_of_candles_are_whole_numbers() {
    let types = timed(&[Kind::Millis]);
    assert_eq!(types.len(), 1, "binance");
    for (one, index) in types {
        for options in [zoned("UTC", false), zoned("Asia/Ho_Chi_Minh", true)] {
            let check = |json, micros| check(one, index, json, &options, micros);
            check("1759365923001", Some(BASE + 1_000));
            check("-1", Some(-1_000));
            let others = ["\"1759365923001\"", "1759365923001.5", "1.5e12", "true", "[1]", "null"];
            others.iter().for_each(|other| check(other, None));
            check("253402300800000", None);
            check("9223372036854775807", None);
        }
    }
}

#[test]
fn a_record_without_its_time_has_none() {
    for one in TYPES {
        let outcome = one.decode("{}", &plain());
        assert_eq!(outcome.times, [None], "{}", one.name);
    }
}

#[test]
fn times_without_a_zone_are_in_the_zone_of_their_system() {
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: SINK_NAMES };
    for dataflow in DATAFLOWS {
        let kafka = dataflow.overlays.iter().find(|(name, _)| name.ends_with("kafka.toml"));
        for files in [&[dataflow.file][..], &[dataflow.file, *kafka.unwrap()]] {
            let config = Config::load(kinds, files, &[], &[], &|_| None).unwrap();
            let table: toml::Table = dataflow.file.1.parse().unwrap();
            let ports = table["source"].as_table().unwrap().keys().filter(|port| *port != "*");
            for port in ports {
                let source = config.source(port).unwrap();
                let is_campus = dataflow.system == "campus";
                let expected = if is_campus { "Asia/Ho_Chi_Minh" } else { "UTC" };
                let found = source.codec.naive_tz.name();
                assert_eq!(found, expected, "{}: {port}", dataflow.system);
            }
        }
    }
}
