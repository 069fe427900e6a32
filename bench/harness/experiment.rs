//! Experiments, as files: a question, what is unfair about it, and a grid of trials.

mod grid;

use std::path::Path;

use highwater::error::{Error, Result, nearest};
use serde::Deserialize;

use crate::engines::{self, Input, RowsWanted};
use crate::workloads::Workload;

/// Experiments that come with the harness.
pub const ALL: &[(&str, &str)] = &[
    ("smoke", include_str!("../experiments/smoke.toml")),
    ("backlog", include_str!("../experiments/backlog.toml")),
    ("latency", include_str!("../experiments/latency.toml")),
    ("start", include_str!("../experiments/start.toml")),
    ("nexmark", include_str!("../experiments/nexmark.toml")),
    ("elearning", include_str!("../experiments/elearning.toml")),
    ("systems", include_str!("../experiments/systems.toml")),
    ("transfers", include_str!("../experiments/transfers.toml")),
    ("windows", include_str!("../experiments/windows.toml")),
    ("scaling", include_str!("../experiments/scaling.toml")),
    ("ablation", include_str!("../experiments/ablation.toml")),
];

/// The fewest events of a scaled backlog, and the fewest seconds of a scaled load.
const EVENTS_MIN: u64 = 10_000;
const SECONDS_MIN: u64 = 6;

/// An experiment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name, that of its file.
    #[serde(skip)]
    pub name: String,
    /// Its text, as it was read.
    #[serde(skip)]
    pub text: String,
    /// What it answers.
    pub question: String,
    /// What is unfair about it, and to whom.
    #[serde(default)]
    pub unfair: Vec<String>,
    /// About how long it takes on two cores.
    pub minutes: u64,
    /// Backlogs that are read from their beginning to their end.
    #[serde(default)]
    pub backlog: Vec<Backlog>,
    /// Loads that come while the engine runs.
    #[serde(default)]
    pub live: Vec<Live>,
}

/// A backlog of some sizes, and who reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backlog {
    /// What is computed.
    pub query: Workload,
    /// Parameters of the query `windows`, where they differ from its own.
    #[serde(default)]
    pub windows: toml::Table,
    /// Other values of these parameters, one of which is changed at a time.
    #[serde(default)]
    pub vary: toml::Table,
    /// What is computed at each point of that grid, or else the query alone.
    #[serde(skip)]
    pub points: Vec<Workload>,
    /// Sizes, in events.
    pub events: Vec<u64>,
    /// How often each engine reads each size.
    #[serde(default = "once")]
    pub rounds: usize,
    /// Who.
    pub engines: Vec<String>,
    /// Threads that compute.
    #[serde(default = "once")]
    pub workers: usize,
}

/// An open loop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// What is computed.
    pub query: Workload,
    /// Which rows are written.
    pub rows: RowsWanted,
    /// Events a second.
    pub rate: u64,
    /// How long events are sent.
    pub seconds: u64,
    /// How much of it, from the beginning, is not measured.
    pub warmup: u64,
    /// How long the engine is watched with nothing to do, before.
    #[serde(default)]
    pub idle: u64,
    /// How often.
    #[serde(default = "once")]
    pub rounds: usize,
    /// Who.
    pub engines: Vec<String>,
    /// Threads that compute.
    #[serde(default = "once")]
    pub workers: usize,
}

/// One run of one engine.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its place in the experiment.
    pub number: usize,
    /// Which part of the experiment it is of, such as `backlog 1`.
    pub part: String,
    /// Who.
    pub engine: String,
    /// What is computed.
    pub query: Workload,
    /// Which rows are written.
    pub rows: RowsWanted,
    /// Events in all.
    pub events: u64,
    /// Its place in the order ABBA.
    pub round: usize,
    /// Threads that compute.
    pub workers: usize,
    /// The load, if it is not a backlog.
    pub load: Option<Load>,
}

/// An open loop, scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Events a second.
    pub rate: u64,
    /// How long.
    pub seconds: u64,
    /// Not measured, of these.
    pub warmup: u64,
    /// Watched with nothing to do, before.
    pub idle: u64,
}

const fn once() -> usize {
    1
}

impl Experiment {
    /// The experiment of a name, or of a file whose name ends in `.toml`.
    ///
    /// # Errors
    ///
    /// There is none, or it says something unknown.
    pub fn named(name: &str) -> Result<Experiment> {
        if name.ends_with(".toml") {
            let text = std::fs::read_to_string(name)
                .map_err(|error| Error::config(format!("cannot read {name}: {error}")))?;
            let stem = Path::new(name).file_stem().unwrap_or_default();
            return Experiment::parse(&stem.to_string_lossy(), &text);
        }
        if let Some((name, text)) = ALL.iter().find(|(known, _)| *known == name) {
            return Experiment::parse(name, text);
        }
        let names = ALL.iter().map(|(name, _)| *name);
        let near = nearest(name, names.clone());
        let hint = if near.is_empty() { names.collect() } else { near };
        Err(Error::usage(format!("there is no experiment `{name}`"))
            .hint(format!("there is {}", hint.join(", "))))
    }

    /// The experiment that a text describes.
    ///
    /// # Errors
    ///
    /// An unknown key, query or engine; a warm-up that leaves nothing to be measured.
    pub fn parse(name: &str, text: &str) -> Result<Experiment> {
        let place = || format!("experiment {name}");
        let mut found: Experiment =
            toml::from_str(text).map_err(|error| Error::config(error.message()).within(place()))?;
        (found.name, found.text) = (name.into(), text.into());
        let backlog = found.backlog.iter().map(|part| &part.engines);
        for engine in backlog.chain(found.live.iter().map(|part| &part.engines)).flatten() {
            engines::named(engine).map_err(|error| error.within(place()))?;
        }
        for (at, part) in found.backlog.iter_mut().enumerate() {
            let points = grid::points(part.query, &part.windows, &part.vary);
            let of_part = |error: Error| error.within(format!("backlog {}", at + 1));
            part.points = points.map_err(|error| of_part(error).within(place()))?;
        }
        for Live { query, seconds, warmup, .. } in &found.live {
            if !matches!(query, Workload::Plays(_)) {
                let why = format!("no load is planned for the query {query}");
                return Err(Error::config(why).within(place()));
            }
            if seconds <= warmup {
                let why = format!("a warm-up of {warmup} s leaves nothing of {seconds} s");
                return Err(Error::config(why).within(place()));
            }
        }
        if found.backlog.is_empty() && found.live.is_empty() {
            return Err(Error::config("it has neither `backlog` nor `live`").within(place()));
        }
        Ok(found)
    }

    /// Its trials in their order: engines alternate from round to round, so that a drift of the
    /// machine meets all of them alike.
    pub fn trials(&self, scale: f64, rounds: Option<usize>) -> Vec<Trial> {
        let mut trials = Vec::new();
        let mut add = |engines: &[String], times: usize, trial: Trial| {
            for round in 0..rounds.unwrap_or(times).max(1) {
                let mut order = engines.to_vec();
                if round % 2 == 1 {
                    order.reverse();
                }
                for engine in order {
                    let number = trials.len() + 1;
                    trials.push(Trial { number, engine, round, ..trial.clone() });
                }
            }
        };
        let blank = |part: String, query, workers| Trial {
            number: 0,
            part,
            engine: String::new(),
            query,
            rows: RowsWanted::Final,
            events: 0,
            round: 0,
            workers,
            load: None,
        };
        for (at, part) in self.backlog.iter().enumerate() {
            let sizes = |query| part.events.iter().map(move |size| (query, *size));
            for (query, size) in part.points.iter().copied().flat_map(sizes) {
                let events = ((size as f64 * scale) as u64).max(EVENTS_MIN.min(size));
                let name = format!("backlog {}", at + 1);
                let trial = Trial { events, ..blank(name, query, part.workers) };
                add(&part.engines, part.rounds, trial);
            }
        }
        for (at, part) in self.live.iter().enumerate() {
            let scaled = |seconds: u64| (seconds as f64 * scale) as u64;
            let seconds = scaled(part.seconds).max(SECONDS_MIN.min(part.seconds));
            let warmup = scaled(part.warmup).min(seconds / 2);
            let load = Load { rate: part.rate, seconds, warmup, idle: scaled(part.idle) };
            let trial = Trial {
                rows: part.rows,
                events: part.rate * seconds,
                load: Some(load),
                ..blank(format!("live {}", at + 1), part.query, part.workers)
            };
            add(&part.engines, part.rounds, trial);
        }
        trials
    }
}

impl Trial {
    /// Whether the input is there before, or comes.
    pub fn input(&self) -> Input {
        if self.load.is_some() { Input::Live } else { Input::Backlog }
    }

    /// What tells it from the others of its experiment.
    pub fn identity(&self) -> (String, String, u64, usize) {
        (self.part.clone(), self.engine.clone(), self.events, self.round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_that_comes_along_is_understood() {
        for (name, _) in ALL {
            let experiment = Experiment::named(name).unwrap();
            assert!(!experiment.trials(1.0, None).is_empty() && 0 < experiment.minutes);
        }
    }

    #[test]
    fn engines_alternate() {
        let text = "question = 'q'\nminutes = 1\n[[backlog]]\nquery = 'count'\nevents = [20_000]\n\
                    rounds = 2\nengines = ['highwater', 'single_thread']";
        let trials = Experiment::parse("x", text).unwrap().trials(0.001, None);
        let order: Vec<&str> = trials.iter().map(|trial| trial.engine.as_str()).collect();
        assert_eq!(order, ["highwater", "single_thread", "single_thread", "highwater"]);
        assert!(trials.iter().all(|trial| trial.events == 10_000));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |text: &str, expect: &str| {
            let error = Experiment::parse("x", text).unwrap_err().to_string();
            assert!(error.contains("experiment x") && error.contains(expect), "{error}");
        };
        let head = "question = 'q'\nminutes = 1\n";
        check(head, "neither");
        check(&format!("{head}speed = 1"), "speed");
        let live = "[[live]]\nquery = 'latest'\nrows = 'update'\nrate = 1\nseconds = 5\n";
        check(&format!("{head}{live}warmup = 5\nengines = ['flink']"), "leaves nothing");
        check(&format!("{head}{live}warmup = 1\nengines = ['flin']"), "flink");
        let ysb = live.replace("latest", "ysb");
        check(&format!("{head}{ysb}warmup = 1\nengines = ['highwater']"), "no load is planned");
        check(&format!("{head}[[backlog]]\nquery = 'sum'"), "sum");
    }

    #[test]
    fn an_unknown_experiment_is_refused_with_those_like_it() {
        let error = Experiment::named("smoky").unwrap_err().to_string();
        assert!(error.contains("no experiment `smoky`") && error.contains("smoke"), "{error}");
    }
}
