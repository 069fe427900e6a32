//! Any bytes are events, or refused with a reason, with every set of options.

use super::*;
use crate::testing::fuzz::Fuzz;

const WORDS: &[&str] = &[
    "\"text\":",
    "\"i32\":",
    "\"i64\":",
    "\"f64\":",
    "\"bool\":",
    "\"list\":[",
    "\"numbers\":[",
    "\"time\":",
    "\"millis\":",
    "\"moment\":",
    "\"levels\":[{",
    "\"level\":{\"price\":",
    "null",
    "true",
    "false",
    "NaN",
    "-Infinity",
    "1e400",
    "-0.0",
    "9223372036854775808",
    "\"2025-10-02T00:45:23Z\"",
    "\\ud800",
    "\\u0000",
    "\\",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\u{feff}",
    "\u{2028}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":",
];

const SEEDS: [&str; 4] = [
    r#"{"text":"a","i32":1,"i64":2,"f64":3.5,"bool":true,"list":["x",null],"numbers":[1,2]}"#,
    r#"{"time":"2025-10-02 00:45:23.5","millis":1759365923000,"moment":"2025-10-02T00:45:23Z"}"#,
    r#"{"levels":[{"price":1.5},{"price":"2"}],"level":{"price":null},"other":{"deep":[[1]]}}"#,
    r#"[{"price":1},{"price":2.5e3}]"#,
];

const BYTES_MAX: usize = 4_096;

#[test]
fn any_bytes_are_events_or_a_reason() {
    let limited = |options| Options { message_bytes_max: BYTES_MAX, depth_max: 8, ..options };
    let options = [plain(), null_row(), strict(), Options { keep_nan: true, ..Options::default() }];
    let options = options.map(limited);
    let fuzz = Fuzz {
        name: "json",
        test: concat!(module_path!(), "::any_bytes_are_events_or_a_reason"),
        seeds: SEEDS.map(|seed| seed.as_bytes().to_vec()).into(),
        words: WORDS,
        bytes_max: BYTES_MAX,
    };
    fuzz.run(|bytes| {
        let mut understood = false;
        for options in &options {
            let (all, ..) = outcome::<All>(Some(bytes), options);
            let (levels, ..) = outcome::<Level>(Some(bytes), options);
            if BYTES_MAX < bytes.len() {
                assert!(all.is_err_and(|reject| reject.reason == Reason::TooLarge));
                continue;
            }
            let too_large = |reject: &Reject| reject.reason == Reason::TooLarge;
            assert!(!all.as_ref().is_err_and(too_large), "{} bytes may come", bytes.len());
            // A row of NULLs is what is left of anything.
            let sound = all.is_ok() || levels.is_ok();
            understood |= sound && options.errors == BadDocument::DeadLetter;
        }
        understood
    });
}
