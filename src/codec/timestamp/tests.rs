//! Every row of the table of texts, the clock changes, and numbers.

use super::*;

const BASE: i64 = 1_759_365_923_000_000;

fn utc(text: &str, extended: bool) -> Option<i64> {
    parse(text, &Zone::utc(), extended).map(Time::micros)
}

fn accepts(text: &str, micros: i64) {
    for extended in [false, true] {
        assert_eq!(utc(text, extended), Some(micros), "{text:?}, extended: {extended}");
    }
}

fn refuses(text: &str) {
    for extended in [false, true] {
        assert_eq!(utc(text, extended), None, "{text:?}, extended: {extended}");
    }
}

#[test]
fn full_times_are_cut_to_microseconds() {
    for mark in ["T", " "] {
        let text = format!("2025-10-02{mark}00:45:23");
        accepts(&text, BASE);
        accepts(&format!("{text}.1"), BASE + 100_000);
        accepts(&format!("{text}.123"), BASE + 123_000);
        accepts(&format!("{text}.123456"), BASE + 123_456);
        accepts(&format!("{text}.123456789"), BASE + 123_456);
        accepts(&format!("{text}.123456Z"), BASE + 123_456);
    }
}

#[test]
fn a_zone_may_follow() {
    let hours = |n: i64| n * 3_600_000_000;
    for (zone, east) in [
        ("Z", 0),
        (" Z", 0),
        ("+00:00", 0),
        ("+07:00", 7),
        ("+0700", 7),
        ("+07", 7),
        ("+7", 7),
        ("-05:00", -5),
        (" UTC", 0),
        (" GMT", 0),
        ("UTC+7", 7),
        (" +07:00", 7),
        (" Asia/Ho_Chi_Minh", 7),
        ("Asia/Ho_Chi_Minh", 7),
    ] {
        accepts(&format!("2025-10-02 00:45:23{zone}"), BASE - hours(east));
        accepts(&format!("2025-10-02T0:45:23.5{zone}"), BASE + 500_000 - hours(east));
    }
    accepts("2025-10-02T00:45:23+05:30", BASE - hours(5) - hours(1) / 2);
}

#[test]
fn a_zone_after_minutes_is_an_extended_form() {
    assert_eq!(utc("2025-10-02T00:45Z", true), Some(BASE - 23_000_000));
    assert_eq!(utc("2025-10-02T00:45Z", false), None);
}

#[test]
fn what_is_left_out_is_zero() {
    let day = 1_759_363_200_000_000;
    accepts("2025-10-02 00:45", BASE - 23_000_000);
    accepts("2025-10-02T00:45", BASE - 23_000_000);
    accepts("2025-10-02 00", day);
    accepts("2025-10-02", day);
    accepts("2025-10", day - 86_400_000_000);
    accepts("2025", 1_735_689_600_000_000);
}

#[test]
fn parts_may_have_one_digit_and_spaces_may_surround() {
    accepts("2025-10-2 0:5:3", 1_759_363_503_000_000);
    accepts("2025-1-2", 1_735_776_000_000_000);
    accepts("  2025-10-02 00:45:23\t ", BASE);
}

#[test]
fn texts_that_are_no_times() {
    for text in [
        "12:30:00",
        "T12:30",
        "25:00:00",
        "2025-13-01 00:00:00",
        "2025-00-01",
        "2025-02-30",
        "2025-02-29",
        "2025-10-02 24:00:00",
        "2025-10-02 00:45:60",
        "2025-10-02 00:60:00",
        "2025/10/02 00:45:23",
        "10/02/2025",
        "2025-10-02t00:45:23",
        "2025-10-02T00:45:23z",
        "",
        " ",
        "-",
        "2025-",
        "2025-10-",
        "2025-10-02T",
        "2025-10-02 00:",
        "2025-10-02 00:45:",
        "2025-10-02 00:45:233",
        "2025-10-02  00:45:23",
        "025-10-02",
        "12025-10-02",
        "0000-01-01",
        "2025-10-02 00:45:23+19:00",
        "2025-10-02 00:45:23+07:60",
        "2025-10-02 00:45:23+",
        "2025-10-02 00:45:23 Asia/Nowhere",
        "2025-10-02 00:45:23 asia/ho_chi_minh",
        "2025-10-02 00:45:23 utc",
        "2025-10-02 00:45.5",
        "2025-10-02 00Z",
        "2025-10-02Z",
        "2025-10-0é 00:45:23",
        "2025-10-02 00:45:2é",
        "５",
        "99999",
        "NaN",
    ] {
        refuses(text);
    }
}

#[test]
fn counts_are_extended_forms() {
    for (text, micros) in [
        ("1759365923", BASE),
        ("1759365923001", BASE + 1_000),
        ("1759365923001002", BASE + 1_002),
        ("1759365923001002003", BASE + 1_002),
        (" 1759365923 ", BASE),
    ] {
        assert_eq!(utc(text, true), Some(micros), "{text}");
        assert_eq!(utc(text, false), None, "{text}");
    }
    for text in ["175936592", "17593659230", "175936592300", "9999999999999999999", "-1759365923"] {
        refuses(text);
    }
}

#[test]
fn numbers_are_seconds_or_told_apart_by_magnitude() {
    let check = |count, extended, expect| {
        assert_eq!(from_number(count, extended).map(Time::micros), expect, "{count} {extended}");
    };
    check(5, true, Some(5_000_000));
    check(5, false, Some(5_000_000));
    check(-1, true, Some(-1_000_000));
    check(9_999_999_999, false, Some(9_999_999_999_000_000));
    check(1_759_365_923_000, true, Some(BASE));
    check(1_759_365_923_000, false, None);
    check(1_759_365_923_000_000, true, Some(BASE));
    check(1_759_365_923_000_000_999, true, Some(BASE));
    check(i64::MAX, true, Some(i64::MAX / 1_000));
    check(i64::MIN, true, Some(i64::MIN.div_euclid(1_000)));
    check(i64::MAX, false, None);
}

#[test]
fn milliseconds_as_text() {
    let check = |text: &str, expect: Option<i64>| {
        assert_eq!(from_millis_text(text).map(Time::micros), expect, "{text:?}");
    };
    check("1759365923000", Some(BASE));
    check(" 12 ", Some(12_000));
    check("12.7", Some(12_000));
    check("-5", Some(-5_000));
    for text in ["", " ", "x", "12x", "1e3", ".5", "12.x", "--5", "99999999999999999999"] {
        check(text, None);
    }
}

#[test]
fn only_the_years_1_to_9999_are_times() {
    accepts("0001-01-01", Time::MIN.micros());
    accepts("9999-12-31 23:59:59.999999", Time::MAX.micros());
    refuses("0001-01-01 00:00:00+01:00");
    refuses("9999-12-31 23:59:59-01:00");
}

#[test]
fn a_skipped_local_time_moves_forward_by_the_gap() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let skipped = parse("2025-03-30 02:30:00.25", &berlin, false).unwrap();
    assert_eq!(skipped.to_string(), "2025-03-30T01:30:00.250000Z");
}

#[test]
fn a_local_time_that_occurs_twice_is_the_earlier() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let twice = parse("2025-10-26 02:30:00", &berlin, false).unwrap();
    assert_eq!(twice.to_string(), "2025-10-26T00:30:00.000000Z");
}

#[test]
fn a_zone_in_the_text_wins() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    assert_eq!(parse("2025-10-02T00:45:23Z", &berlin, false).map(Time::micros), Some(BASE));
}

#[test]
fn zones_have_names() {
    for (name, expect) in [
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("asia/ho_chi_minh", "Asia/Ho_Chi_Minh"),
        ("+07:00", "+07:00"),
        ("+00:00", "UTC"),
    ] {
        assert_eq!(Zone::named(name).unwrap().to_string(), expect);
    }
    assert_eq!(Zone::named("UTC").unwrap(), Zone::utc());
    let seven = Zone::named("+07:00").unwrap();
    let local = parse("2025-10-02 07:45:23", &seven, false);
    assert_eq!(local.map(Time::micros), Some(BASE));
    assert!(Zone::named("Mars/Olympus").unwrap_err().contains("`Mars/Olympus`"));
}
