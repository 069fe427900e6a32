//! Rows of many views, by the keys of each: all columns are compared, texts and whole numbers
//! exactly, floats to a billionth of their size. A column that is missing is NULL.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use highwater::codec::timestamp::{Zone, parse};
use highwater::error::{Error, Result};
use highwater::hash::FixedMap;
use highwater_dataflows::DATAFLOWS;
use serde_json::{Map, Value};

use super::{Check, Verdict};
use crate::engines::beside;
use crate::harness::rows::{self, Record};
use crate::workloads::{Events, SEED, elearning};

/// How far floats may be apart, of their size: the order in which Spark adds is not defined.
const RELATIVE: f64 = 1e-9;

/// Columns of `elearning` that count what differs, or are divided by such a count: those of an
/// engine that estimates may be off.
const DISTINCT: [&str; 21] = [
    "active_courses",
    "active_students",
    "active_users",
    "avg_interactions_per_student",
    "concurrent_viewers",
    "distinct_actions",
    "students_graded",
    "students_submitted",
    "unique_assignments",
    "unique_downloaders",
    "unique_fields_updated",
    "unique_materials_accessed",
    "unique_notification_types",
    "unique_recipients",
    "unique_resources_downloaded",
    "unique_students",
    "unique_types",
    "unique_users",
    "unique_viewers",
    "users_updated_profile",
    "videos_watched",
];

/// The columns of a row that are not NULL, without those of the key.
type Columns = BTreeMap<String, Value>;

/// Rows by the name of the view and the values of its key.
pub struct Table {
    keys: BTreeMap<String, Vec<String>>,
    pub(super) rows: FixedMap<(String, String), Columns>,
    /// The last window that is compared.
    last_start: String,
}

/// The rows that were found, beside an answer.
pub struct Tables {
    answer: Arc<Table>,
    found: FixedMap<(String, String), Columns>,
    /// Rows whose key the answer has.
    known: usize,
}

impl Table {
    /// Without any rows, with the keys that the job file says.
    fn new() -> Result<Table> {
        let elearning = DATAFLOWS.iter().find(|dataflow| dataflow.system == "elearning");
        let file = elearning.map_or("", |dataflow| dataflow.file.1);
        let file: toml::Table = toml::from_str(file).map_err(Error::bug)?;
        let views = file.get("view").and_then(toml::Value::as_table).into_iter().flatten();
        let keys = views.filter_map(|(view, settings)| {
            let key = settings.get("key")?.as_array()?.iter();
            let key = key.filter_map(toml::Value::as_str).map(str::to_owned).collect();
            Some((view.clone(), key))
        });
        Ok(Table { keys: keys.collect(), rows: FixedMap::default(), last_start: String::new() })
    }

    /// Takes a row apart; nothing of a view that is not compared.
    fn read(&self, view: &str, row: Map<String, Value>) -> Option<((String, String), Columns)> {
        let mut row: Columns = row.into_iter().filter(|(_, value)| !value.is_null()).collect();
        row.values_mut().for_each(normalise);
        let key = self.keys.get(view)?.iter().map(|column| row.remove(column).unwrap_or_default());
        let key = serde_json::to_string(&key.collect::<Vec<Value>>()).unwrap_or_default();
        Some(((view.to_owned(), key), row))
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

fn start_of(key: &str, columns: &Columns) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let in_key = || {
        let key: Vec<Value> = serde_json::from_str(key).ok()?;
        key.last().and_then(text)
    };
    columns.get("window_start").and_then(text).or_else(in_key).unwrap_or_default()
}

/// The rows of Highwater over files.
pub(super) fn answer(events: u64, work: &Path) -> Result<Table> {
    let dir = work.join("elearning-answer");
    let rows = dir.join("rows");
    fs::create_dir_all(&rows).map_err(Error::storage)?;
    let topics = elearning::topics()?;
    let path = |topic: &elearning::Topic| dir.join(format!("{}.jsonl", topic.source));
    let mut overlay = format!(
        "parameters.alerts.enabled = false\n[sink.\"*\"]\nrows = \"final\"\n\
         file = {{ path = \"{}/{{view}}.jsonl\" }}\n",
        rows.display()
    );
    let mut files = Vec::new();
    for topic in &topics {
        let file = File::create(path(topic)).map_err(Error::storage)?;
        files.push(BufWriter::new(file));
        let (source, path) = (topic.source, path(topic));
        let binding = format!("[source.{source}]\nfile = {{ path = \"{}\" }}\n", path.display());
        overlay.push_str(&binding);
    }
    let backlog = elearning::Backlog::new(SEED, events)?;
    let mut event = String::new();
    for n in 0..events {
        let place = backlog.write(n, &mut event);
        writeln!(files[place.topic], "{event}").map_err(Error::storage)?;
    }
    for mut file in files {
        file.flush().map_err(Error::storage)?;
    }
    let job = dir.join("job.toml");
    fs::write(&job, overlay).map_err(Error::storage)?;
    let mut command = Command::new(beside("bench-highwater")?);
    command.args(["run", "elearning", "-w", "2", "-c"]).arg(&job);
    let output = command.output().map_err(Error::storage)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::bug(format!("no answer for elearning: {}", words.trim())));
    }
    let table = read(&rows)?;
    fs::remove_dir_all(&dir).map_err(Error::storage)?;
    Ok(table)
}

fn read(dir: &Path) -> Result<Table> {
    let mut table = Table::new()?;
    for view in table.keys.keys().cloned().collect::<Vec<_>>() {
        let Ok(text) = fs::read_to_string(dir.join(format!("{view}.jsonl"))) else { continue };
        for line in text.lines() {
            let row = serde_json::from_str(line).map_err(Error::bug)?;
            if let Some((place, columns)) = table.read(&view, row) {
                table.last_start = start_of(&place.1, &columns).max(table.last_start);
                table.rows.insert(place, columns);
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
        let Some((place, columns)) = self.answer.read(view, row) else { return Ok(()) };
        // Windows of the events that close those before.
        if self.answer.last_start < start_of(&place.1, &columns) {
            return Ok(());
        }
        let is_known = self.answer.rows.contains_key(&place);
        if self.found.insert(place, columns).is_none() {
            self.known += usize::from(is_known);
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
            let mut right = true;
            let columns = expected.keys().chain(got.keys().filter(|c| !expected.contains_key(*c)));
            for column in columns {
                let (expected, got) = (expected.get(column), got.get(column));
                if is_equal(expected, got) {
                    continue;
                }
                let estimate = approximate && DISTINCT.contains(&&**column);
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
        let mut table = Table::new().unwrap();
        for video in ["a", "b"] {
            let row = row(video, "2026-01-01T00:05:00Z", 10, 0.1 + 0.2);
            let row = serde_json::from_str(&row).unwrap();
            let (place, columns) = table.read(VIEW, row).unwrap();
            table.last_start = start_of(&place.1, &columns);
            table.rows.insert(place, columns);
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
}
