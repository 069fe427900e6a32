//! Rows of many views, by the keys of each: all columns are compared, texts and whole numbers
//! exactly, floats to a billionth of their size. A column that is missing is NULL.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use highwater::codec::timestamp::{Zone, parse};
use highwater::error::{Error, Result};
use highwater::hash::FixedMap;
use serde_json::{Map, Value};

use super::{Check, Verdict};
use crate::engines::beside;
use crate::harness::rows::{self, Record};
use crate::workloads::system::{System, View};
use crate::workloads::{Events, Place, SEED};

/// How far floats may be apart, of their size: the order in which Spark adds is not defined.
const RELATIVE: f64 = 1e-9;

/// Columns of which one says where a row is in time.
const TIMES: [&str; 3] = ["window_start", "session_start", "event_time"];

/// The columns of a row that are not NULL, without those of the key.
type Columns = BTreeMap<String, Value>;

/// Rows by the name of the view and the values of its key.
pub struct Table {
    system: System,
    keys: BTreeMap<String, Vec<String>>,
    pub(super) rows: FixedMap<(String, String), Columns>,
    /// The last window that is compared.
    last_start: String,
}

/// A row, taken apart.
struct Placed {
    place: (String, String),
    /// When its window begins.
    start: String,
    columns: Columns,
}

/// The rows that were found, beside an answer.
pub struct Tables {
    answer: Arc<Table>,
    /// Nothing of those that are as the answer has them.
    found: FixedMap<(String, String), Option<Columns>>,
    /// Rows whose key the answer has.
    known: usize,
}

impl Table {
    /// Without any rows, with the views of a system that are compared.
    fn new(system: System) -> Result<Table> {
        let views = system.views()?.into_iter().filter(|view| view.unlike.is_none());
        Ok(Table {
            system,
            keys: views.map(|view| (view.name, view.key)).collect(),
            rows: FixedMap::default(),
            last_start: String::new(),
        })
    }

    /// Takes a row apart; nothing of a view that is not compared.
    fn read(&self, view: &str, row: Map<String, Value>) -> Option<Placed> {
        let key = self.keys.get(view)?;
        let is_compared = |column: &str| self.system.unlike(&format!("{view}.{column}")).is_none();
        let columns = row.into_iter().filter(|(_, value)| !value.is_null());
        let mut columns: Columns = columns.filter(|(column, _)| is_compared(column)).collect();
        columns.values_mut().for_each(normalise);
        let start = TIMES.iter().find_map(|time| columns.get(*time)?.as_str().map(str::to_owned));
        let key = key.iter().map(|column| columns.remove(column).unwrap_or_default());
        let key = serde_json::to_string(&key.collect::<Vec<Value>>()).unwrap_or_default();
        let place = (view.to_owned(), key);
        Some(Placed { place, start: start.unwrap_or_default(), columns })
    }

    fn insert(&mut self, row: Placed) {
        self.last_start = row.start.max(std::mem::take(&mut self.last_start));
        self.rows.insert(row.place, row.columns);
    }
}

/// Brings a time to one form, whichever zone and fraction it was written with.
fn normalise(value: &mut Value) {
    if let Value::String(text) = value
        && text.len() >= "2026-01-01T00:00:00".len()
        && let Some(time) = parse(text, &Zone::utc(), false)
    {
        *text = time.to_string();
    }
}

/// The rows of Highwater over files, one for each partition.
pub(super) fn answer(system: System, events: u64, work: &Path) -> Result<Table> {
    let dir = work.join(format!("{system}-answer"));
    let rows = dir.join("rows");
    fs::create_dir_all(&rows).map_err(Error::storage)?;
    let mut overlay = system.settings(None);
    let mut files = Vec::new();
    for topic in system.topics()? {
        let input = dir.join(topic.source);
        fs::create_dir_all(&input).map_err(Error::storage)?;
        let partition = |n| File::create(input.join(format!("{n}.jsonl"))).map(BufWriter::new);
        let partitions: io::Result<Vec<_>> = (0..topic.partitions).map(partition).collect();
        files.push(partitions.map_err(Error::storage)?);
        let (source, path) = (topic.source, input.display());
        overlay.push_str(&format!("[source.{source}]\nfile = {{ path = \"{path}\" }}\n"));
    }
    for View { name, unlike, .. } in system.views()? {
        let path = rows.join(format!("{name}.jsonl"));
        overlay.push_str(&match unlike {
            Some(_) => format!("[sink.{name}]\nblackhole = {{}}\n"),
            None => format!(
                "[sink.{name}]\nrows = \"final\"\nfile = {{ path = \"{}\" }}\n",
                path.display()
            ),
        });
    }
    let backlog = system.backlog(SEED, events)?;
    let mut event = String::new();
    for n in 0..events {
        let Place { topic, partition } = backlog.write(n, &mut event);
        writeln!(files[topic][partition as usize], "{event}").map_err(Error::storage)?;
    }
    for mut file in files.into_iter().flatten() {
        file.flush().map_err(Error::storage)?;
    }
    let job = dir.join("job.toml");
    fs::write(&job, overlay).map_err(Error::storage)?;
    let mut command = Command::new(beside("bench-highwater")?);
    command.args(["run", system.name(), "-w", "2", "-c"]).arg(&job);
    let output = command.output().map_err(Error::storage)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::bug(format!("no answer for {system}: {}", words.trim())));
    }
    let table = read(system, &rows)?;
    fs::remove_dir_all(&dir).map_err(Error::storage)?;
    Ok(table)
}

fn read(system: System, dir: &Path) -> Result<Table> {
    let mut table = Table::new(system)?;
    for view in table.keys.keys().cloned().collect::<Vec<_>>() {
        let Ok(text) = fs::read_to_string(dir.join(format!("{view}.jsonl"))) else { continue };
        for line in text.lines() {
            let row = serde_json::from_str(line).map_err(Error::bug)?;
            if let Some(row) = table.read(&view, row) {
                table.insert(row);
            }
        }
    }
    Ok(table)
}

impl Tables {
    /// Without any rows.
    pub fn new(answer: Arc<Table>) -> Tables {
        Tables { answer, found: FixedMap::default(), known: 0 }
    }
}

impl Check for Tables {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        let Some(value) = record.value else { return Ok(()) };
        let mut row: Map<String, Value> = rows::read(value)?;
        // Spark has it in the row, Highwater in the key.
        let view = match (row.remove("view"), record.key) {
            (Some(view), _) => Some(view),
            (None, Some(key)) => rows::read::<Map<String, Value>>(key)?.remove("view"),
            (None, None) => None,
        };
        let view = view.as_ref().and_then(Value::as_str).unwrap_or_default();
        let Some(row) = self.answer.read(view, row) else { return Ok(()) };
        // Windows of the events that close those before.
        if self.answer.last_start < row.start {
            return Ok(());
        }
        let expected = self.answer.rows.get(&row.place);
        let is_right = expected.is_some_and(|expected| is_same(expected, &row.columns));
        if self.found.insert(row.place, (!is_right).then_some(row.columns)).is_none() {
            self.known += usize::from(expected.is_some());
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.known == self.answer.rows.len()
    }

    fn compare(&self, approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for ((view, key), expected) in &self.answer.rows {
            let name = format!("{view} {key}");
            let Some(got) = self.found.get(&(view.clone(), key.clone())) else {
                verdict.missing += 1;
                verdict.note((0, &name), "rows", (Some(1), None), "missing");
                continue;
            };
            let Some(got) = got else {
                verdict.equal += 1;
                continue;
            };
            let mut right = true;
            let columns = expected.keys().chain(got.keys().filter(|c| !expected.contains_key(*c)));
            for column in columns {
                let (expected, got) = (expected.get(column), got.get(column));
                if is_equal(expected, got) {
                    continue;
                }
                let estimate = approximate && self.answer.system.is_estimated(column);
                right &= estimate;
                let kind = if estimate { "approx" } else { "wrong" };
                let number = |value: Option<&Value>| value.and_then(Value::as_f64);
                if let (Some(expected), Some(got), true) = (number(expected), number(got), estimate)
                {
                    let error = (got - expected).abs() / expected.abs().max(1.0);
                    verdict.approximate = verdict.approximate.max(error);
                }
                let whole = |value| number(value).map(|number| number as i64);
                verdict.note((0, &name), column, (whole(expected), whole(got)), kind);
            }
            verdict.equal += usize::from(right);
            verdict.wrong += usize::from(!right);
        }
        for (view, key) in self.found.keys() {
            if !self.answer.rows.contains_key(&(view.clone(), key.clone())) {
                verdict.extra += 1;
                let name = format!("{view} {key}");
                verdict.note((0, &name), "rows", (None, Some(1)), "extra");
            }
        }
        verdict
    }
}

fn is_same(expected: &Columns, got: &Columns) -> bool {
    expected.len() == got.len()
        && expected.iter().all(|(column, value)| is_equal(Some(value), got.get(column)))
}

fn is_equal(expected: Option<&Value>, got: Option<&Value>) -> bool {
    match (expected.and_then(Value::as_f64), got.and_then(Value::as_f64)) {
        (Some(expected), Some(got)) => {
            (expected - got).abs() <= RELATIVE * expected.abs().max(got.abs())
        }
        _ => expected == got,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = "video_realtime_watch_time_5min";

    fn row(video: &str, start: &str, viewers: i64, seconds: f64) -> String {
        let key = format!(r#""video_id":"{video}","course_id":null,"window_start":"{start}""#);
        format!(r#"{{{key},"unique_viewers":{viewers},"avg_watch_seconds":{seconds}}}"#)
    }

    fn answer() -> Tables {
        let mut table = Table::new(System::Elearning).unwrap();
        for video in ["a", "b"] {
            let row = row(video, "2026-01-01T00:05:00Z", 10, 0.1 + 0.2);
            let row = table.read(VIEW, serde_json::from_str(&row).unwrap()).unwrap();
            table.insert(row);
        }
        Tables::new(Arc::new(table))
    }

    fn take(tables: &mut Tables, row: &str) {
        let key = format!(r#"{{"view":"{VIEW}","video_id":"?"}}"#);
        let (key, value) = (Some(key.as_bytes()), Some(row.as_bytes()));
        tables.take(&Record { at_us: 0, key, value }).unwrap();
    }

    #[test]
    fn rows_are_equal_however_their_times_and_sums_are_written() {
        let mut tables = answer();
        take(&mut tables, &row("a", "2026-01-01T00:05:00Z", 10, 0.3));
        assert!(!tables.is_complete());
        take(&mut tables, &row("b", "2026-01-01T00:05:00.000Z", 10, 0.3));
        // A window of an event that only closes others.
        take(&mut tables, &row("a", "2026-01-01T02:05:00Z", 1, 1.0));
        assert!(tables.is_complete() && tables.compare(false).is_equal());
    }

    #[test]
    fn an_estimate_is_allowed_to_who_estimates_and_where_something_is_estimated() {
        let mut tables = answer();
        take(&mut tables, &row("a", "2026-01-01T00:05:00Z", 11, 0.3));
        take(&mut tables, &row("b", "2026-01-01T00:05:00Z", 10, 0.3));
        assert_eq!(tables.compare(false).wrong, 1);
        let loose = tables.compare(true);
        assert!(loose.is_equal() && loose.approximate == 0.1);
        take(&mut tables, &row("b", "2026-01-01T00:05:00Z", 10, 0.4));
        let loose = tables.compare(true);
        assert_eq!((loose.wrong, &*loose.differences[1].column), (1, "avg_watch_seconds"));
    }

    #[test]
    fn a_row_too_many_and_one_that_is_missing_are_named() {
        let mut tables = answer();
        take(&mut tables, &row("a", "2026-01-01T00:05:00Z", 10, 0.3));
        take(&mut tables, &row("c", "2026-01-01T00:05:00Z", 10, 0.3));
        let verdict = tables.compare(false);
        assert_eq!((verdict.equal, verdict.missing, verdict.extra), (1, 1, 1));
        assert!(verdict.differences[0].key.contains("\"b\""), "{:?}", verdict.differences);
    }

    #[test]
    fn a_row_is_at_the_start_of_its_window_wherever_that_stands() {
        let check = |system: System, view: &str, row: &str, expect: &str| {
            let table = Table::new(system).unwrap();
            let row = table.read(view, serde_json::from_str(row).unwrap()).unwrap();
            assert_eq!(row.start, expect, "{view}");
            row.columns
        };
        let time = "2026-01-01T00:05:00.000000Z";
        let row = format!(r#"{{"course_id":"c","window_start":"{time}","item_id":"i"}}"#);
        check(System::Campus, "realtime_assessment_scores", &row, time);
        let row = format!(r#"{{"user_id":"u","session_start":"{time}"}}"#);
        check(System::Campus, "realtime_user_sessions", &row, time);
        let row = format!(r#"{{"event_id":"e","event_time":"{time}","processing_time":"{time}"}}"#);
        let columns = check(System::Shop, "raw_events", &row, time);
        assert!(columns.keys().eq(["event_time"]), "when it was written is not compared");
    }

    #[test]
    fn a_view_that_is_not_compared_has_no_rows() {
        let table = Table::new(System::Chat).unwrap();
        assert!(table.read("moments", Map::new()).is_none());
        assert!(table.read("chat_summary_minute", Map::new()).is_some());
    }
}
