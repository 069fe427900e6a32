//! `highwater letters`: the dead letters of a system, read from where its jobs have put them.
//!
//! `list` counts and shows them; `replay` (`replay.rs`) sends their records into their topics
//! again.

#[cfg(feature = "kafka")]
mod replay;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::Bound;
use super::progress::grouped;
use super::{Registry, log, run};
use crate::config::{Config, SinkBinding};
use crate::error::{Error, Result};
use crate::letter::{Letter, Reason};
use crate::letters::{Choice, Filed, read};
use crate::runtime::Dataflow;
use crate::sink::text::JsonNames;
use crate::source::generator::read_time;
use crate::text::Text;
use crate::time::Time;

/// What is to be done with letters.
#[derive(Debug, Subcommand)]
pub(super) enum Letters {
    /// Counts letters by source and reason, and shows some.
    List(List),
    /// Sends the records of letters into their topics again, each once however often it is begun.
    Replay(Replay),
}

// Which letters. No comment for clap, which would take it for that of the command.
#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    bound: Bound,
    /// Letters of this reason, such as `bad_json`; may be repeated.
    #[arg(long = "reason", value_name = "REASON", value_parser = parse_reason)]
    reasons: Vec<Reason>,
    /// Letters of this source; may be repeated.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// Letters of this partition; may be repeated.
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<u32>,
    /// Letters whose record is not older than this.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Time>,
    /// Letters whose record is older than this.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Time>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Shows so many letters, the first ones of the store.
    #[arg(long, value_name = "N", default_value_t = 0)]
    show: usize,
    /// Prints JSON; keys and values of records are base64.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,
    /// Sends them to this topic instead of their own.
    #[arg(long, value_name = "TOPIC")]
    to: Option<String>,
    /// Sends also what other views have used, and would count twice.
    #[arg(long)]
    used: bool,
    /// Sends what was sent fewer times than this.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    attempt: u32,
    /// The topic that says what was sent; `highwater.replayed.SYSTEM` if none is named.
    #[arg(long, value_name = "TOPIC")]
    journal: Option<String>,
    /// Says what would be sent, and sends nothing.
    #[arg(long)]
    dry_run: bool,
}

fn parse_reason(text: &str) -> Result<Reason, String> {
    let names = || Reason::ALL.map(Reason::name).join(", ");
    Reason::from_name(text).ok_or_else(|| format!("write one of {}", names()))
}

fn parse_time(text: &str) -> Result<Time, String> {
    read_time(text).map_err(|_| "write one like 2026-01-31T12:00:00Z".into())
}

/// Lists letters, or sends them again.
pub(super) fn letters(letters: &Letters, registry: Registry) -> Result<()> {
    let text = match letters {
        Letters::List(args) => list(args, registry)?,
        #[cfg(feature = "kafka")]
        Letters::Replay(args) => replay::replay(args, registry)?,
        #[cfg(not(feature = "kafka"))]
        Letters::Replay(_) => {
            return Err(Error::config("this build has no client of Kafka")
                .hint("build it with the Cargo feature `kafka`"));
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::storage(format!("cannot write to standard output: {error}")))
}

/// Where the letters of some jobs are, and which are meant.
struct Found {
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "this build cannot send"))]
    dataflows: Vec<(&'static Dataflow, Config)>,
    choice: Choice,
    stores: Vec<SinkBinding>,
}

impl Found {
    fn new(which: &Which, registry: Registry) -> Result<Found> {
        let args = which.bound.run();
        let mut dataflows = Vec::new();
        for dataflow in run::choose(args.system.as_deref(), &args.jobs, registry)? {
            dataflows.push((dataflow, run::load(dataflow, &args)?));
        }
        let mut stores: Vec<SinkBinding> = Vec::new();
        for (dataflow, config) in &dataflows {
            let store = config.letters_of(dataflow.name).ok_or_else(|| {
                Error::config(format!("no [dead_letters] in the files of `{}`", dataflow.name))
                    .hint("a job without keeps none: it shows the first five of each kind")
            })?;
            let place = |store: &SinkBinding| (store.kind.clone(), store.options.clone());
            if stores.iter().all(|known| place(known) != place(&store)) {
                stores.push(store);
            }
        }
        let choice = Choice {
            system: dataflows.first().map(|(first, _)| first.system.into()).unwrap_or_default(),
            reasons: which.reasons.clone(),
            sources: which.sources.iter().map(|name| Text::from(name.as_str())).collect(),
            partitions: which.partitions.clone(),
            since: which.since,
            until: which.until,
        };
        Ok(Found { dataflows, choice, stores })
    }

    /// Gives each chosen letter to `take`; says what was none.
    fn each(&self, take: &mut dyn FnMut(Letter) -> Result<()>) -> Result<()> {
        for store in &self.stores {
            let unreadable = read(store, &mut |filed: Filed| match self.choice.takes(&filed) {
                true => take(filed.letter),
                false => Ok(()),
            })?;
            if let Some(first) = unreadable.first {
                let (rows, place) = (unreadable.rows, &store.place);
                log::say(&format!("{place}: {rows} rows are no letters; the first: {first}"));
            }
        }
        Ok(())
    }
}

/// Letters that are alike.
struct Count {
    letters: u64,
    /// Times of their records.
    times: Option<(Time, Time)>,
    /// What was wrong with the first.
    detail: String,
}

type Counts = BTreeMap<(Text, Reason, Option<Text>), Count>;

fn list(args: &List, registry: Registry) -> Result<String> {
    let found = Found::new(&args.which, registry)?;
    let (mut counts, mut shown) = (Counts::new(), Vec::new());
    found.each(&mut |letter| {
        add(&mut counts, &letter);
        if shown.len() < args.show {
            shown.push(letter);
        }
        Ok(())
    })?;
    Ok(match args.json {
        true => as_json(&counts, &shown, &found.choice.system),
        false => as_text(&counts, &shown),
    })
}

fn add(counts: &mut Counts, letter: &Letter) {
    let Letter { source, reason, place, detail, record_time, event_time, .. } = letter;
    let count = counts.entry((source.clone(), *reason, place.clone())).or_insert_with(|| Count {
        letters: 0,
        times: None,
        detail: detail.clone(),
    });
    count.letters += 1;
    if let Some(time) = record_time.or(*event_time) {
        let (first, last) = count.times.unwrap_or((time, time));
        count.times = Some((first.min(time), last.max(time)));
    }
}

fn as_text(counts: &Counts, shown: &[Letter]) -> String {
    let mut text = format!(
        "{:<20} {:<16} {:<20} {:>10}  {:<27}  {:<27}  what was wrong with the first\n",
        "source", "reason", "place", "letters", "first", "last"
    );
    for ((source, reason, place), Count { letters, times, detail }) in counts {
        let time = |time: Option<Time>| time.map_or("-".into(), |time| time.to_string());
        let (first, last) = (times.map(|times| times.0), times.map(|times| times.1));
        let source = if source.is_empty() { "-" } else { source };
        let _ = writeln!(
            text,
            "{source:<20} {:<16} {:<20} {:>10}  {:<27}  {:<27}  {}",
            reason.name(),
            place.as_deref().unwrap_or("-"),
            grouped(*letters),
            time(first),
            time(last),
            detail.escape_debug(),
        );
    }
    let all: u64 = counts.values().map(|count| count.letters).sum();
    let _ = writeln!(text, "{} letters", grouped(all));
    for letter in shown {
        let Letter { source, position, reason, detail, key, value, place, .. } = letter;
        let bytes = |bytes: &Option<Vec<u8>>| match bytes {
            None => "none".into(),
            Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        };
        let place = place.as_deref().map_or(String::new(), |place| format!(" at {place}"));
        let element = match position.element {
            0 => String::new(),
            element => format!(" element {element}"),
        };
        let _ = writeln!(
            text,
            "\n{source} partition {} offset {}{element}: {}{place}: {}\n  key   {}\n  value {}",
            position.partition,
            position.offset,
            reason.name(),
            detail.escape_debug(),
            bytes(key),
            bytes(value),
        );
    }
    text
}

fn as_json(counts: &Counts, shown: &[Letter], system: &str) -> String {
    let counts = counts.iter().map(|((source, reason, place), count)| {
        let time = |time: Time| time.to_string();
        json!({
            "source": source.as_str(),
            "reason": reason.name(),
            "place": place.as_deref(),
            "letters": count.letters,
            "first": count.times.map(|times| time(times.0)),
            "last": count.times.map(|times| time(times.1)),
            "detail": count.detail,
        })
    });
    let counts: Vec<Value> = counts.collect();
    let all: u64 = counts.iter().filter_map(|count| count["letters"].as_u64()).sum();
    let schema = Letter::schema();
    let names = JsonNames::new(schema.columns.iter().map(|column| column.name.as_str()));
    let shown = shown.iter().map(|letter| {
        let mut object = Vec::new();
        names.object(&letter.cells(system), &mut object);
        serde_json::from_slice::<Value>(&object).unwrap_or_default()
    });
    let shown: Vec<Value> = shown.collect();
    format!("{:#}\n", json!({ "letters": all, "counts": counts, "shown": shown }))
}
