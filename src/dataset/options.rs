//! The options that all generators share, and how a binding's table becomes them.

use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::{GeneratorKind, OptionKind, unknown};
use crate::error::{Error, Result};
use crate::time::{Time, minutes, parse_duration};

/// The options that every generator has beside its own, `dataset` and `start` apart: these two
/// are the caller's business.
pub const COMMON_OPTIONS: &[OptionKind] = &[
    option("seed", "0", "Where the random numbers begin."),
    option("rate", "", "Records a second, on the wall clock; the default is the data set's."),
    option("events", "", "How many records; without it there is no end."),
    option("speed", "1.0", "Seconds of event time in a second of the wall clock."),
    option("keys", "", "How many keys; without it those of the data set."),
    option("partitions", "", "Partitions of each topic; without it those of the data set."),
    option("disorder", "0s", "How far an event may lag behind its place, at most; uniform."),
    option("late", "0.0", "Share of records that are late by `late_by` to twice that."),
    option("late_by", "2m", "How late a late record is, at least."),
    option("duplicates", "0.0", "Share of records that repeat an earlier one of the partition."),
    option("bad_json", "0.0", "Share of records whose document is cut short."),
    option("null_fields", "0.0", "Share of records in which a field is null."),
    option("no_time", "0.0", "Share of records without a time that can be read."),
    option("future", "0.0", "Share of records whose time is an hour ahead."),
];

const fn option(name: &'static str, default: &'static str, about: &'static str) -> OptionKind {
    OptionKind { name, environment: &[], default, about }
}

/// What a generator is made from.
#[derive(Clone, Debug)]
pub struct GeneratorOptions {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Records a second on the wall clock, positive; none is the data set's own rate.
    pub rate: Option<f64>,
    /// How many records there will be, if there is an end; [`super::Records`] ends there, the
    /// generator needs it only for what belongs to an end.
    pub events: Option<u64>,
    /// When record 0 is due, and its event time.
    pub start: Time,
    /// Seconds of event time in a second of the wall clock, positive.
    pub speed: f64,
    /// How many keys, instead of the data set's own.
    pub keys: Option<u32>,
    /// Partitions of every topic, instead of the data set's own.
    pub partitions: Option<u32>,
    /// Indexes of the topics to write; not empty.
    pub topics: Vec<usize>,
    /// What is to be wrong on purpose.
    pub faults: Faults,
    /// The options of the data set's own, not yet read.
    pub own: toml::Table,
}

/// What is to be wrong on purpose; the shares are of all records and add up to 1 at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// How far an event may lag behind its planned time; no fault of single records.
    pub disorder: Duration,
    /// How late a late record is, at least; twice that is the most.
    pub late_by: Duration,
    /// Share of late records.
    pub late: f64,
    /// Share of repeated records.
    pub duplicates: f64,
    /// Share of documents cut short.
    pub bad_json: f64,
    /// Share of records with a field that is null.
    pub null_fields: f64,
    /// Share of records without a time.
    pub no_time: f64,
    /// Share of records from the future.
    pub future: f64,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            disorder: Duration::ZERO,
            late_by: minutes(2),
            late: 0.0,
            duplicates: 0.0,
            bad_json: 0.0,
            null_fields: 0.0,
            no_time: 0.0,
            future: 0.0,
        }
    }
}

impl Faults {
    /// The shares, each with the name of its option.
    pub fn shares(&self) -> [(&'static str, f64); 6] {
        [
            ("late", self.late),
            ("duplicates", self.duplicates),
            ("bad_json", self.bad_json),
            ("null_fields", self.null_fields),
            ("no_time", self.no_time),
            ("future", self.future),
        ]
    }
}

impl GeneratorOptions {
    /// The defaults, for the given topics of a data set.
    pub fn new(topics: Vec<usize>, start: Time) -> GeneratorOptions {
        GeneratorOptions {
            seed: 0,
            rate: None,
            events: None,
            start,
            speed: 1.0,
            keys: None,
            partitions: None,
            topics,
            faults: Faults::default(),
            own: toml::Table::new(),
        }
    }

    /// Reads them from the table of a binding, or of a command line, in which every key is an
    /// option of the data set or a common one.
    ///
    /// # Errors
    ///
    /// An unknown option, a value of the wrong type or outside its limits (exit 65).
    pub fn read(
        kind: &GeneratorKind,
        topics: Vec<usize>,
        table: &toml::Table,
        start: Time,
    ) -> Result<GeneratorOptions> {
        let mut options = GeneratorOptions::new(topics, start);
        let mut common = toml::Table::new();
        for (name, value) in table {
            if COMMON_OPTIONS.iter().any(|option| option.name == name) {
                common.insert(name.clone(), value.clone());
            } else if kind.options.iter().any(|option| option.name == name) {
                options.own.insert(name.clone(), value.clone());
            } else {
                let known = || kind.options.iter().chain(COMMON_OPTIONS).map(|option| option.name);
                let message = format!("data set `{}` has no option `{name}`", kind.name);
                return Err(unknown(message, name, known));
            }
        }
        let common: Common = common.try_into().map_err(|error| misread(&error))?;
        common.apply(&mut options)?;
        Ok(options)
    }

    /// Reads the data set's own options.
    ///
    /// # Errors
    ///
    /// A value of the wrong type (exit 65).
    pub fn own<T: DeserializeOwned>(&self) -> Result<T> {
        self.own.clone().try_into().map_err(|error| misread(&error))
    }
}

fn misread(error: &toml::de::Error) -> Error {
    Error::config(format!("options of a data set: {}", error.message().trim()))
}

/// The common options as a table holds them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Common {
    seed: u64,
    rate: Option<f64>,
    events: Option<u64>,
    speed: Option<f64>,
    keys: Option<u32>,
    partitions: Option<u32>,
    #[serde(deserialize_with = "duration")]
    disorder: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    late_by: Option<Duration>,
    late: f64,
    duplicates: f64,
    bad_json: f64,
    null_fields: f64,
    no_time: f64,
    future: f64,
}

impl Common {
    fn apply(self, options: &mut GeneratorOptions) -> Result<()> {
        let positive = |name, value: Option<f64>| match value {
            Some(value) if !(value.is_finite() && 0.0 < value) => {
                Err(Error::config(format!("`{name}` is {value}, but must be above 0")))
            }
            _ => Ok(value),
        };
        let some = |name, value: Option<u32>| match value {
            Some(0) => Err(Error::config(format!("`{name}` is 0, but must be 1 or more"))),
            _ => Ok(value),
        };
        options.seed = self.seed;
        options.rate = positive("rate", self.rate)?;
        options.events = self.events;
        options.speed = positive("speed", self.speed)?.unwrap_or(1.0);
        options.keys = some("keys", self.keys)?;
        options.partitions = some("partitions", self.partitions)?;
        options.faults = Faults {
            disorder: self.disorder.unwrap_or_default(),
            late_by: self.late_by.unwrap_or(Faults::default().late_by),
            late: self.late,
            duplicates: self.duplicates,
            bad_json: self.bad_json,
            null_fields: self.null_fields,
            no_time: self.no_time,
            future: self.future,
        };
        let shares = options.faults.shares();
        if let Some((name, share)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(Error::config(format!("`{name}` is {share}, but a share is 0 to 1")));
        }
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        if 1.0 < sum {
            let message = format!("the shares of faulty records add up to {sum}, above 1");
            return Err(Error::config(message).hint("a record has one fault at most"));
        }
        Ok(())
    }
}

/// Reads a duration with a unit, such as `"5m"`, for serde's `deserialize_with`.
///
/// # Errors
///
/// The text is no duration.
pub fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    const KIND: GeneratorKind = GeneratorKind {
        name: "talk",
        about: "For tests.",
        topics: &[],
        options: &[option("users", "2000", "How many users.")],
        make: |_| Err(Error::bug("not made in this test")),
    };

    fn read(table: &str) -> Result<GeneratorOptions> {
        let table = table.parse().expect("a table");
        GeneratorOptions::read(&KIND, vec![0], &table, Time::from_seconds(5))
    }

    #[test]
    fn common_and_own_options_come_from_one_table() {
        let options = read("seed = 7\nrate = 2_000\nusers = 9\ndisorder = \"3s\"\nlate = 0.25");
        let options = options.unwrap();
        assert_eq!((options.seed, options.rate, options.events), (7, Some(2_000.0), None));
        assert_eq!(options.start, Time::from_seconds(5));
        let faults = Faults { disorder: seconds(3), late: 0.25, ..Faults::default() };
        assert_eq!(options.faults, faults);
        #[derive(Deserialize)]
        struct Own {
            users: u32,
        }
        assert_eq!(options.own::<Own>().unwrap().users, 9);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |table: &str, expect: &str| {
            let error = read(table).unwrap_err().to_string();
            assert!(error.contains(expect), "{table}: {error}");
        };
        check("user = 3", "no option `user`\n  hint: there is `users`");
        check("rate = 0", "`rate` is 0");
        check("rate = \"fast\"", "invalid type");
        check("partitions = 0", "`partitions` is 0");
        check("late = 1.5", "a share is 0 to 1");
        check("late = 0.6\nfuture = 0.6", "add up to 1.2");
        check("disorder = \"3\"", "no unit");
        check("speed = -1.0", "`speed` is -1");
    }

    #[test]
    fn the_documented_defaults_are_those_that_hold() {
        let table: String = COMMON_OPTIONS
            .iter()
            .filter(|option| !option.default.is_empty())
            .map(|option| match option.default.parse::<f64>() {
                Ok(_) => format!("{} = {}\n", option.name, option.default),
                Err(_) => format!("{} = {:?}\n", option.name, option.default),
            })
            .collect();
        let (said, silent) = (read(&table).unwrap(), read("").unwrap());
        assert_eq!(format!("{said:?}"), format!("{silent:?}"));
    }
}
