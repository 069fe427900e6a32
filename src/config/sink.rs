//! `[sink.NAME]`, `[[sink.NAME]]` and `[dead_letters]`: where rows go.

use std::time::Duration;

use super::fields::Fields;
use super::section::{Binding, take_binding};
use crate::error::Result;
use crate::sink::Accepts;
use crate::time::minutes;

/// A sink's binding: exactly one table of a connector (`console = { … }`, `postgres = { … }`) and
/// these keys, each of which may stand in `[sink."*"]` too.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkBinding {
    /// Name of the connector.
    pub kind: String,
    /// The connector's own keys; `{view}` and `{system}` in them stand for the names, and `{job}`
    /// for that of the job that binds them.
    pub options: toml::Table,
    /// Where the binding was written, for errors: `chat.toml:8: sink.moments.console`.
    pub place: String,
    /// `rows`: `"final"` or `"updates"`. Default: what view and connector agree on.
    pub rows: Option<Accepts>,
    /// `stamp`: column that the sink fills with the processing time. Default: none.
    pub stamp: Option<String>,
    /// `trigger_interval`: longest time that rows are gathered between two writes; of updates, the
    /// last one of each key is written. Default: `"off"`, they are written as they come.
    pub trigger_interval: Option<Duration>,
    /// `retry_max`: how long a full disk under a file is waited for, then exit code 74; servers
    /// are waited for without end. Default: `"10m"`.
    pub retry_max: Duration,
    /// `overwrite`: of a file, replaces what is there instead of refusing to start. Default: false.
    pub overwrite: bool,
    /// `formula_guard`: of CSV, text that a spreadsheet would take for a formula is guarded.
    /// Default: false.
    pub formula_guard: bool,
    /// `exactly_once`: a sink that promises less is refused, in a job without checkpoints most of
    /// them; of Kafka, the rows of an epoch are one transaction. Default: false.
    pub exactly_once: bool,
    /// `queue_rows_max`: rows that may wait for the sink; then sources stop reading. Default:
    /// 100000, of dead letters 10000.
    pub queue_rows_max: usize,
}

impl SinkBinding {
    /// The same with the name of a job put into the texts of the connector's keys: the jobs of a
    /// system share their files, but not what they write to.
    pub(super) fn of_job(&self, job: &str) -> SinkBinding {
        let mut binding = self.clone();
        binding.options.iter_mut().for_each(|(_, value)| put_job(value, job));
        binding
    }
}

fn put_job(value: &mut toml::Value, job: &str) {
    match value {
        toml::Value::String(text) => *text = text.replace("{job}", job),
        toml::Value::Array(values) => values.iter_mut().for_each(|value| put_job(value, job)),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| put_job(value, job)),
        _ => {}
    }
}

/// Reads the keys of a sink; the binding is missing if no table of a connector is there.
pub(super) fn read(
    mut fields: Fields<'_>,
    kinds: &[&'static str],
    queue_rows_max: usize,
) -> Result<Option<SinkBinding>> {
    let binding = take_binding(&mut fields, kinds)?;
    let Binding { kind, options, place } = binding.unwrap_or_default();
    let sink = SinkBinding {
        options,
        place,
        rows: fields.choice("rows", &[("final", Accepts::Final), ("updates", Accepts::Updates)])?,
        stamp: fields.text("stamp", "processed_at")?,
        trigger_interval: fields.duration_or_off("trigger_interval", "10s")?.flatten(),
        retry_max: fields.duration("retry_max", "10m")?.unwrap_or(minutes(10)),
        overwrite: fields.flag("overwrite")?.unwrap_or(false),
        formula_guard: fields.flag("formula_guard")?.unwrap_or(false),
        exactly_once: fields.flag("exactly_once")?.unwrap_or(false),
        queue_rows_max: fields.count("queue_rows_max", 100_000)?.unwrap_or(queue_rows_max),
        kind,
    };
    fields.not_built("shards", "shards, which come with checkpoints, are")?;
    fields.finish()?;
    Ok((!sink.kind.is_empty()).then_some(sink))
}
