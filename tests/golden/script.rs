//! Reads a golden script, and writes it back with other expectations.
//!
//! ```text
//! # a comment                                a line of its own, anywhere above `----`
//! set zscore.baseline = "inclusive"          a block of arguments, before the first step
//!
//! chat                                       a port, with words of its own behind it
//! 12:00:05 s1 ann "love this pog"            its events
//! frontier 12:00:10                          nothing before this time will come, from any port
//! ----
//! chat_summary_minute  s1 11:59:10..12:00:10  chat_count=1
//! ```
//!
//! Steps are blocks between blank lines. A step may end with `end` (of all input) or `stop`; it is
//! then the last one.

use std::fs;
use std::path::{Path, PathBuf};

use highwater::config::Parameters;
use highwater::time::{Millis, Time, days_from_civil};

/// A script.
pub(super) struct Script {
    path: PathBuf,
    lines: Vec<String>,
    pub(super) parameters: Parameters,
    pub(super) steps: Vec<Step>,
}

/// What comes in, and which rows are to come out before anything else comes in.
#[derive(Default)]
pub(super) struct Step {
    pub(super) inputs: Vec<Input>,
    pub(super) expected: Vec<String>,
    /// Index of the line `----`.
    dashes: usize,
}

/// What comes in.
pub(super) enum Input {
    /// A line below the line of a port.
    Event { port: String, event: String },
    /// Nothing before it will come.
    Frontier(Millis),
    /// Nothing will come at all.
    End,
    /// The job is asked to stop.
    Stop,
}

impl Script {
    /// Reads a file; `ports` are the words that begin the line of a port.
    pub(super) fn read(path: &Path, ports: &[&str]) -> Script {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (mut arguments, mut steps) = (String::new(), Vec::new());
        let mut at = 0;
        for block in lines.split(|line| line.trim().is_empty()) {
            let place = |line: usize| format!("{}:{}", path.display(), at + line + 1);
            match block.iter().position(|line| line == "----") {
                Some(dashes) => {
                    let (inputs, expected) = (&block[..dashes], &block[dashes + 1..]);
                    let inputs = read_inputs(inputs, ports).unwrap_or_else(|(line, why)| {
                        panic!("{}: {why}", place(line));
                    });
                    let expected = expected.to_vec();
                    steps.push(Step { inputs, expected, dashes: at + dashes });
                }
                None => {
                    for (line, text) in block.iter().enumerate() {
                        let set = text.strip_prefix("set ");
                        assert!(
                            set.is_some() || text.starts_with('#'),
                            "{}: neither `set` nor a step with `----`",
                            place(line)
                        );
                        arguments += set.unwrap_or_default();
                        arguments += "\n";
                    }
                }
            }
            at += block.len() + 1;
        }
        assert!(!steps.is_empty(), "{}: it has no step", path.display());
        let table: toml::Table = arguments.parse().unwrap();
        Script { path: path.into(), lines, parameters: Parameters::new(&table), steps }
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// Whether it ends with the end of all input.
    pub(super) fn has_end(&self) -> bool {
        let last = self.steps.last().and_then(|step| step.inputs.last());
        matches!(last, Some(Input::End))
    }

    /// Writes other expectations into the file.
    pub(super) fn rewrite(&self, expected: &[Vec<String>]) {
        let (mut text, mut at) = (String::new(), 0);
        for (step, expected) in self.steps.iter().zip(expected) {
            for line in self.lines[at..=step.dashes].iter().chain(expected) {
                text += line;
                text += "\n";
            }
            at = step.dashes + 1 + step.expected.len();
        }
        for line in &self.lines[at..] {
            text += line;
            text += "\n";
        }
        fs::write(&self.path, text).unwrap();
    }
}

/// The inputs of a step, or the line that is none and why.
fn read_inputs(lines: &[String], ports: &[&str]) -> Result<Vec<Input>, (usize, String)> {
    let (mut inputs, mut port) = (Vec::new(), None);
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let wrong = |why: &str| (index, format!("{why}: {line}"));
        if matches!(inputs.last(), Some(Input::End | Input::Stop)) {
            return Err(wrong("nothing may follow the end"));
        }
        let word = line.split(' ').next().unwrap_or_default();
        match word {
            "end" => inputs.push(Input::End),
            "stop" => inputs.push(Input::Stop),
            "frontier" => {
                let time = line.strip_prefix("frontier ").and_then(clock);
                let time = time.ok_or_else(|| wrong("it has no time"))?;
                inputs.push(Input::Frontier(time.floor_ms()));
            }
            word if ports.contains(&word) => port = Some(line.clone()),
            _ => {
                let port = port.clone().ok_or_else(|| wrong("no port stands above it"))?;
                inputs.push(Input::Event { port, event: line.clone() });
            }
        }
    }
    Ok(inputs)
}

/// The day of all scripts, in days since 1970.
const DAY: i64 = days_from_civil(2026, 3, 1);

/// A time of the day: `12:00:05`, `12:00:05.250`.
pub(super) fn clock(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':').map(|part| part.parse::<i64>().ok());
    let mut next = || parts.next().flatten();
    let seconds = next()? * 3_600 + next()? * 60 + next()?;
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(Time::from_micros((DAY * 86_400 + seconds) * 1_000_000 + micros))
}

/// A time as scripts write it.
pub(super) fn clock_text(time: Time) -> String {
    let text = time.to_string();
    let (day, rest) = text.split_once('T').unwrap();
    let rest = rest.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    // Trailing zeros of the seconds are not those of a fraction.
    let rest = if rest.len() < 8 { &text[11..19] } else { rest };
    let is_today = time.seconds().div_euclid(86_400) == DAY;
    if is_today { rest.to_owned() } else { format!("{day}T{rest}Z") }
}

/// The words of a line; what stands in quotes is one, with its quotes.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in line.chars() {
        if letter == ' ' && !quoted {
            words.push(String::new());
            continue;
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        words.last_mut().unwrap().push(letter);
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn words_in_quotes_are_one_word() {
    assert_eq!(words(r#"a  "b c" d="e \" f""#), ["a", r#""b c""#, r#"d="e \" f""#]);
}

#[test]
fn times_are_read_and_written() {
    for text in ["12:00:05", "12:00:05.25", "00:00:00", "23:59:50", "12:10:00.000001"] {
        assert_eq!(clock_text(clock(text).unwrap()), text);
    }
    assert_eq!(clock("12:00"), None);
    assert_eq!(clock_text(Time::from_seconds(60)), "1970-01-01T00:01:00Z");
}
