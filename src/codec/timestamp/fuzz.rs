//! Any text is a time of the years that there are, or none.

use super::*;
use crate::testing::fuzz::Fuzz;

const SEEDS: [&str; 8] = [
    "2025-10-02T00:45:23.123456Z",
    "2025-10-02 00:45:23+07:00",
    "2025-10-02 0:45 Asia/Ho_Chi_Minh",
    "2025",
    "2025-10-02T12:00:01.5+07:00",
    "1759365923",
    "1759365923000123",
    "9999-12-31T23:59:59.999999+18:00",
];

const WORDS: &[&str] = &[
    "T",
    "Z",
    " ",
    "+",
    "-",
    ":",
    ".",
    "UTC",
    "GMT",
    "UT",
    "+18:00",
    "-18:00",
    "+00",
    "0000",
    "9999",
    "-0001",
    "10000",
    "02-29",
    "02-30",
    "12-31",
    "24:00",
    "23:59:60",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "now",
    "epoch",
    "\u{0}",
    "\u{a0}",
    "ä",
    "99999999999999999999",
];

#[test]
fn any_text_is_a_time_or_none() {
    let zones = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "+07:00"];
    let zones = zones.map(|name| Zone::named(name).unwrap());
    let fuzz = Fuzz {
        name: "timestamp",
        test: concat!(module_path!(), "::any_text_is_a_time_or_none"),
        seeds: SEEDS.map(|seed| seed.as_bytes().to_vec()).into(),
        words: WORDS,
        bytes_max: 80,
    };
    fuzz.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let mut understood = from_millis_text(&text).is_some();
        for zone in &zones {
            for extended in [false, true] {
                let time = parse(&text, zone, extended);
                assert_eq!(time, parse(&text, zone, extended));
                if let Some(time) = time {
                    assert_eq!(legal(time.micros()), Some(time), "{text:?}");
                }
                understood |= time.is_some();
            }
        }
        understood
    });
}
