//! Why a window is still open, in words: who holds the watermark, since when, and what moves it.
//!
//! Pure: facts in, text out. The facts come from the boards of all processes that answered
//! ([`super::status`]).

use std::fmt::Write;
use std::time::Duration;

use crate::text::Text;
use crate::time::{Millis, Time};

/// What is known of an open window.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its end.
    pub end: Time,
    /// The least watermark of its operator, over all workers that answered.
    pub watermark: Millis,
    /// The sources that it is made of.
    pub sources: Vec<SourceFacts>,
    /// Sinks that keep the job from reading, if it does not read.
    pub full: Vec<SinkFacts>,
    /// Whether the job reads.
    pub is_held: bool,
    /// Indices of processes that were not asked.
    pub unknown: Vec<usize>,
    /// The time of day.
    pub now: Time,
}

/// A source of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFacts {
    /// Its name.
    pub name: Text,
    /// How far its watermarks run behind.
    pub lateness: Duration,
    /// `idle_timeout`.
    pub idle_timeout: Option<Duration>,
    /// Its partitions.
    pub partitions: Vec<PartitionFacts>,
}

/// A partition of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionFacts {
    /// Its number.
    pub id: u32,
    /// The worker that reads it, and the process of that.
    pub reader: (usize, usize),
    /// Its promise.
    pub watermark: Millis,
    /// The greatest event time that it has shown.
    pub greatest: Option<Time>,
    /// When its last record came; before the first one, when it was opened.
    pub last: Time,
    /// Records between here and its end, where known.
    pub lag: Option<u64>,
    /// Whether all of it was read, for ever.
    pub is_finished: bool,
}

/// A sink that has no room.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkFacts {
    /// Its view.
    pub view: Text,
    /// Its kind.
    pub kind: Text,
    /// Rows that wait.
    pub pending: u64,
    /// For how long its tries have failed.
    pub failing: Option<Duration>,
}

/// Who brings records more often than this is not quiet.
const QUIET: Duration = Duration::from_secs(5);

/// Why a window is open, in a few sentences.
///
/// ```
/// use highwater::observe::why::{Facts, why};
/// use highwater::time::{Millis, Time};
///
/// let end = Time::from_seconds(60);
/// let facts = Facts {
///     end,
///     watermark: Millis(60_000),
///     sources: vec![],
///     full: vec![],
///     is_held: false,
///     unknown: vec![],
///     now: end,
/// };
/// assert_eq!(why(&facts), "Its end is passed: it closes at the next tick.");
/// ```
pub fn why(facts: &Facts) -> String {
    let end = facts.end.floor_ms();
    if facts.is_held {
        return held(facts);
    }
    if end <= facts.watermark {
        return "Its end is passed: it closes at the next tick.".into();
    }
    let open = facts.sources.iter().flat_map(|source| {
        let holds = |p: &&PartitionFacts| !p.is_finished && p.watermark < end;
        source.partitions.iter().filter(holds).map(move |partition| (source, partition))
    });
    let mut holders: Vec<(&SourceFacts, &PartitionFacts)> = open.collect();
    holders.sort_by_key(|(_, partition)| partition.watermark);
    let Some((source, partition)) = holders.first() else { return elsewhere(facts) };
    let mut text = held_by(source, partition);
    let _ = write!(text, " {}", what_moves(facts, source, partition));
    text.push_str(&others(&holders[1..]));
    text
}

/// The job does not read, so no watermark moves.
fn held(facts: &Facts) -> String {
    let mut text = String::from("The job does not read");
    if facts.full.is_empty() {
        text.push_str(": what it has read is not yet processed on all workers.");
        return text;
    }
    let full = facts.full.iter().map(|SinkFacts { view, kind, pending, failing }| {
        let rows = counted(*pending, "row");
        let waits = if *pending == 1 { "waits" } else { "wait" };
        let failing = failing
            .map_or(String::new(), |failing| format!(", which has failed for {}", span(failing)));
        format!("{rows} {waits} for {kind} of view {view}{failing}")
    });
    let _ = write!(text, ": {}.", full.collect::<Vec<_>>().join("; "));
    text.push_str(" It goes on once they are written.");
    text
}

/// No partition that is known holds it.
fn elsewhere(facts: &Facts) -> String {
    let listed =
        |indices: &[usize]| indices.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    match facts.unknown.as_slice() {
        [] => "All partitions are past its end: it closes once the ticks under way are complete."
            .into(),
        [one] => format!("What holds it is read by process {one}, which was not asked."),
        some => format!(
            "What holds it is read by one of processes {}, which were not asked.",
            listed(some)
        ),
    }
}

fn held_by(source: &SourceFacts, partition: &PartitionFacts) -> String {
    let (worker, process) = partition.reader;
    let at = match (partition.watermark, partition.greatest) {
        (Millis::MIN, _) => "has promised nothing yet".into(),
        (watermark, Some(greatest))
            if greatest.minus(source.lateness).floor_ms() == watermark
                && !source.lateness.is_zero() =>
        {
            let lateness = span(source.lateness);
            format!(
                "is at {} ({}, less {lateness} of lateness)",
                instant(Time::from_millis(watermark.0)),
                instant(greatest)
            )
        }
        (watermark, _) => format!("is at {}", instant(Time::from_millis(watermark.0))),
    };
    format!(
        "Partition {} of source {} (worker {worker} of process {process}) {at}.",
        partition.id, source.name
    )
}

fn what_moves(facts: &Facts, source: &SourceFacts, partition: &PartitionFacts) -> String {
    let needed = instant(facts.end.plus(source.lateness));
    let quiet = Duration::from_micros((facts.now.micros() - partition.last.micros()).max(0) as u64);
    if let Some(lag @ 1..) = partition.lag {
        let records = counted(lag, "record");
        return format!("It is {records} behind its end and goes on reading, to {needed}.");
    }
    if quiet < QUIET && partition.greatest.is_some() {
        let greatest = partition.greatest.unwrap_or_default();
        let left = facts.end.plus(source.lateness).micros() - greatest.micros();
        let left = span(Duration::from_micros(left.max(0) as u64));
        return format!(
            "Its records still come: the first one of {needed} or later closes it, {left} of event \
             time from here."
        );
    }
    let since = match partition.greatest {
        Some(_) => format!("It has been quiet since {} ({})", instant(partition.last), span(quiet)),
        None => format!(
            "No record has come since it was opened at {} ({})",
            instant(partition.last),
            span(quiet)
        ),
    };
    let name = &source.name;
    let idle = match source.idle_timeout {
        None => format!("so would `source.{name}.idle_timeout`, which is off"),
        Some(timeout) if quiet < timeout => {
            format!("so does `idle_timeout` ({}) in {}", span(timeout), span(timeout - quiet))
        }
        Some(timeout) => format!(
            "as it is idle (`idle_timeout` is {}), so do the other partitions of {name} at the end \
             of an epoch",
            span(timeout)
        ),
    };
    format!("{since}. A record of {needed} or later moves it; {idle}.")
}

/// Who comes next.
fn others(holders: &[(&SourceFacts, &PartitionFacts)]) -> String {
    const SHOWN: usize = 3;
    if holders.is_empty() {
        return String::new();
    }
    let shown = holders.iter().take(SHOWN).map(|(source, p)| format!("{} {}", source.name, p.id));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match holders.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" Behind its end as well: {shown}{more}.")
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// An instant to the second, or to the millisecond where it has some.
pub fn instant(time: Time) -> String {
    let text = time.to_string();
    let end = if time.micros().rem_euclid(1_000_000) < 1_000 { 19 } else { 23 };
    format!("{}Z", text.get(..end).unwrap_or(&text))
}

/// A duration in its two largest units, such as `4 min 10 s`.
///
/// ```
/// use std::time::Duration;
/// use highwater::observe::why::span;
///
/// assert_eq!(span(Duration::from_millis(260)), "0.3 s");
/// assert_eq!(span(Duration::from_secs(250)), "4 min 10 s");
/// assert_eq!(span(Duration::from_secs(7_200)), "2 h");
/// ```
pub fn span(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if duration < Duration::from_secs(10) && duration.subsec_millis() != 0 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    let seconds = duration.as_secs();
    let at = UNITS.iter().position(|(unit, _)| *unit <= seconds).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[at];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((smaller, name)) = UNITS.get(at + 1)
        && let rest @ 1.. = seconds % unit / smaller
    {
        let _ = write!(text, " {rest} {name}");
    }
    text
}

#[cfg(test)]
mod tests;
