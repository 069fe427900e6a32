//! Dead letters after the fact: read from where a job has put them, judged, and sent again.
//!
//! ```text
//! [dead_letters] ─► read ─► Filed ─► chosen by reason, source, partition, time ─► counts
//!   file, parquet,                        │
//!   kafka, postgres                       └─► judge ─► parcels ─► sink/kafka/replay.rs
//! ```
//!
//! Letters come in the order of their store, one after another: how many there are is no matter of
//! memory.

pub mod parcel;

use crate::config::{SinkBinding, options};
use crate::error::{Error, Result};
use crate::letter::{Letter, Reason};
use crate::row::{Cell, Schema};
use crate::sink;
use crate::sink::cells::TakeRow;
use crate::text::Text;
use crate::time::Time;

/// A letter and the system whose it is: several may share a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Name of the system.
    pub system: Text,
    /// The letter.
    pub letter: Letter,
}

/// Which letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those of this system.
    pub system: Text,
    /// Those of one of these reasons; of all without any.
    pub reasons: Vec<Reason>,
    /// Those of one of these sources; of all without any.
    pub sources: Vec<Text>,
    /// Those of one of these partitions; of all without any.
    pub partitions: Vec<u32>,
    /// Those whose time is not before this one.
    pub since: Option<Time>,
    /// Those whose time is before this one.
    pub until: Option<Time>,
}

impl Choice {
    /// Whether a letter is one of them. Its time is that of its record, or of its event where the
    /// service keeps none; a letter without any is in no span of time.
    pub fn takes(&self, filed: &Filed) -> bool {
        let Letter { source, position, reason, record_time, event_time, .. } = &filed.letter;
        let time = record_time.or(*event_time);
        let after = self.since.is_none_or(|since| time.is_some_and(|time| since <= time));
        let before = self.until.is_none_or(|until| time.is_some_and(|time| time < until));
        filed.system == self.system
            && (self.reasons.is_empty() || self.reasons.contains(reason))
            && (self.sources.is_empty() || self.sources.contains(source))
            && (self.partitions.is_empty() || self.partitions.contains(&position.partition))
            && after
            && before
    }
}

/// What of a store was no letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// How many rows.
    pub rows: u64,
    /// Why the first one is none.
    pub first: Option<String>,
}

/// Reads all letters of a store, each of which is given to `take`; what it holds beside them is
/// counted.
///
/// # Errors
///
/// `Config`: the store keeps no letters, this build cannot read it, or it is not there.
/// `Unreachable`: nobody answers. What `take` says ends the reading.
pub fn read(
    binding: &SinkBinding,
    take: &mut dyn FnMut(Filed) -> Result<()>,
) -> Result<Unreadable> {
    let schema = Letter::schema();
    let mut unreadable = Unreadable::default();
    let mut row = |cells: Vec<Cell>| match Letter::from_cells(&cells) {
        Ok((system, letter)) => take(Filed { system, letter }),
        Err(why) => {
            unreadable.rows += 1;
            unreadable.first.get_or_insert(why);
            Ok(())
        }
    };
    read_rows(binding, &schema, &mut row).map_err(|error| error.within(&binding.place))?;
    Ok(unreadable)
}

fn read_rows(binding: &SinkBinding, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let (table, place) = (&binding.options, &*binding.place);
    match &*binding.kind {
        "file" => sink::file::read(&options(table, place)?, schema, take),
        #[cfg(feature = "kafka")]
        "kafka" => sink::kafka::read(&options(table, place)?, schema, take),
        #[cfg(feature = "parquet")]
        "parquet" => sink::parquet::read(&options(table, place)?, schema, take),
        #[cfg(feature = "postgres")]
        "postgres" => sink::postgres::read(&options(table, place)?, schema, take),
        kind => Err(Error::config(format!("a `{kind}` sink keeps no letters")).hint(
            "bind [dead_letters] to a file, a folder of Parquet, a topic or a table: what comes \
             from then on can be listed and sent again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Position;

    fn filed(reason: Reason, partition: u32, seconds: Option<i64>) -> Filed {
        let letter = Letter {
            source: "chat".into(),
            position: Position { source: 0, partition, offset: 7, element: 0 },
            record_time: None,
            event_time: seconds.map(Time::from_seconds),
            watermark: None,
            key: None,
            value: None,
            reason,
            detail: String::new(),
            place: None,
        };
        Filed { system: "shop".into(), letter }
    }

    #[test]
    fn letters_are_chosen_by_each_of_their_marks() {
        let all = Choice { system: "shop".into(), ..Choice::default() };
        let check = |choice: Choice, expect: [bool; 3]| {
            let letters = [
                filed(Reason::BadJson, 0, None),
                filed(Reason::Late, 0, Some(10)),
                filed(Reason::Late, 1, Some(20)),
            ];
            assert_eq!(letters.map(|letter| choice.takes(&letter)), expect, "{choice:?}");
        };
        check(all.clone(), [true, true, true]);
        check(Choice { system: "chat".into(), ..all.clone() }, [false; 3]);
        check(Choice { reasons: vec![Reason::Late], ..all.clone() }, [false, true, true]);
        check(Choice { sources: vec!["viewers".into()], ..all.clone() }, [false; 3]);
        check(Choice { partitions: vec![0, 2], ..all.clone() }, [true, true, false]);
        let (ten, twenty) = (Some(Time::from_seconds(10)), Some(Time::from_seconds(20)));
        check(Choice { since: ten, until: twenty, ..all.clone() }, [false, true, false]);
        check(Choice { since: twenty, ..all }, [false, false, true]);
    }
}
