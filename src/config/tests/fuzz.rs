//! Any job file is a configuration, or an error with its place.

use super::*;
use crate::error::Kind;
use crate::testing::fuzz::Fuzz;

const WORDS: &[&str] = &[
    "[source.chat]\n",
    "[sink.moments]\n",
    "[[sink.moments]]\n",
    "[view.\"*\"]\n",
    "[flow]\n",
    "[checkpoint]\n",
    "[cluster]\n",
    "[connect]\n",
    "[parameters]\n",
    "[dead_letters]\n",
    "every",
    "path",
    "tick",
    "keep",
    "kafka",
    "console",
    "generator",
    " = ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    ".",
    "#",
    "true",
    "1e999",
    "-9223372036854775808",
    "0x10",
    "1979-05-27",
    "nan",
    "\"1ms\"",
    "\"99999999999999h\"",
    "\"10m\"",
    "\"64MiB\"",
    "\"99999999999GiB\"",
    "${RATE}",
    "${MISSING:-$",
    "$RATE",
    "${",
    "{view}",
    "{job}",
    "\\u0000",
    "\"off\"",
    "a.a.a.a.a.a",
];

const MORE: &str = r#"
dataflow = "chat"
connect = { attempts = 3, every = "1s" }
flow = { tick = "5ms", tick_max = "80ms", ticks_in_flight_max = 32 }
checkpoint = { every = "1s", path = "s3://b/c", keep = 3, s3 = { endpoint = "http://s:1" } }
cluster = { silence_max = "15s", frame_bytes_max = "64MiB" }
[source."*"]
lateness = "10s"
future_skew = "off"
file = { path = "${RATE:-x}" }
[[sink.moments]]
console = {}
rows = "updates"
[view.moments]
key = ["a", "b"]
engine = "differential"
"#;

#[test]
fn any_job_file_is_a_configuration_or_an_error_with_its_place() {
    let fuzz = Fuzz {
        name: "config",
        test: concat!(
            module_path!(),
            "::any_job_file_is_a_configuration_or_an_error_with_its_place"
        ),
        seeds: [CHAT, MORE].map(|seed| seed.as_bytes().to_vec()).into(),
        words: WORDS,
        bytes_max: 8_192,
    };
    fuzz.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        // The first line as one of the command line, too.
        let set = text.lines().next().unwrap_or_default().to_owned();
        let _ = load(&[CHAT], &[&set]);
        let config = match load(&[&text], &[]) {
            Ok(config) => config,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Config, "{error}");
                assert!(!error.message().is_empty() && error.to_string().len() < 20_000);
                return false;
            }
        };
        let read = [
            config.source("chat").err(),
            config.sinks("moments").err(),
            config.view("moments").err(),
        ];
        for error in read.into_iter().flatten() {
            assert_eq!(error.kind(), Kind::Config, "{error}");
        }
        true
    });
}
