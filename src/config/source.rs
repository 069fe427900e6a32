//! `[source.NAME]`: what is read, how it is decoded, what is too late, how fast it may come.

use std::time::Duration;

use super::fields::Fields;
use super::section::{Binding, take_binding};
use crate::codec::timestamp::Zone;
use crate::codec::{self, BadDocument, Dialect, WrongType};
use crate::error::Result;
use crate::lateness::Lateness;
use crate::source::BatchLimits;
use crate::time::{minutes, seconds};

/// A source's binding: exactly one table of a connector (`generator = { … }`, `kafka = { … }`) and
/// these keys, each of which may stand in `[source."*"]` too.
#[derive(Clone, Debug)]
pub struct SourceBinding {
    /// Name of the connector.
    pub kind: String,
    /// The connector's own keys; `{source}` and `{system}` in them stand for the names.
    pub options: toml::Table,
    /// Where the binding was written, for errors: `chat.toml:8: source.chat.kafka`.
    pub place: String,
    /// `lateness`: how far the watermark of a partition runs behind the greatest event time seen
    /// in it. Default: what the dataflow says.
    pub lateness: Option<Duration>,
    /// `lateness_rule`: `"window"` or `"strict"`. Default: what the dataflow says.
    pub lateness_rule: Option<Rule>,
    /// `idle_timeout`: after so long without records a partition no longer holds the others back.
    /// Default: `"off"`.
    pub idle_timeout: Option<Duration>,
    /// `future_skew`: how far ahead of its record's own time an event may be; further ahead it is
    /// a dead letter `future`. Default: `"5m"`; `"off"`.
    pub future_skew: FutureSkew,
    /// `arrival`: of a file source, the field with the time at which the record arrived, which
    /// then is the record's own time. Default: none.
    pub arrival: Option<String>,
    /// `catch_up_skew`: how far, in event time, a partition may run ahead of the others while
    /// catching up. Default: `"60s"`; `"off"`.
    pub catch_up_skew: Option<Duration>,
    /// `data_loss`: what positions mean that the service no longer has. Default: `"stop"`.
    pub data_loss: DataLoss,
    /// `max_rate_per_partition`: records a second. Default: `"off"`.
    pub max_rate_per_partition: Option<usize>,
    /// `max_offsets_per_trigger`: records of all partitions together, per trigger interval: the
    /// least of the sinks of the views that read the source, else an epoch. Each partition has an
    /// equal share, which is lost if it is not used. Default: `"off"`.
    pub max_offsets_per_trigger: Option<usize>,
    /// `json.errors` (`"dead_letter"`, `"null_row"`), `json.nan` (`"null"`, `"nan"`), `json.types`
    /// (`"null"`, `"reject"`), `dialect` (`"auto"`, `"strict"`), `time_formats` (`"extended"`,
    /// `"spark"`), `naive_tz` (`"UTC"`), `message_bytes_max` (`"1MiB"`), `depth_max` (64): how
    /// records are decoded; the first of each is the default.
    pub codec: codec::Options,
    /// `naive_tz`, as it was written.
    pub naive_tz: String,
    /// `event_time_fallback`: `"none"`, or `"record"`: an event without a time takes that of its
    /// record. Default: `"none"`.
    pub event_time_fallback: EventTimeFallback,
    /// `watermark_scope`: `"partition"`, or `"global"`: the greatest event time of all partitions,
    /// as Spark has it. What is late then depends on how partitions interleave, so it runs on one
    /// worker alone and nothing is promised about its rows. Default: `"partition"`.
    pub watermark_scope: WatermarkScope,
    /// `dedup = { field = "event_id", memory = "1h" }`: drops repetitions. Default: `"off"`.
    pub dedup: Option<Dedup>,
    /// `queue_bytes_max`: what the service's client may hold, in each process; then partitions are
    /// paused. Default: `"32MiB"`.
    pub queue_bytes_max: usize,
    /// `batch_events_max` (8192) and `batch_bytes_max` (`"1MiB"`): when a batch ends.
    pub batch: BatchLimits,
}

/// What is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A window takes an event while its end is ahead of the watermark.
    Window,
    /// Every event behind the watermark is late.
    Strict,
}

/// How far ahead of its record's time an event may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FutureSkew {
    /// As far as it likes.
    Off,
    /// No further than this.
    AtMost(Duration),
}

/// What it means that positions are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLoss {
    /// The job ends with exit code 65.
    Stop,
    /// They are counted as gaps, and reading goes on.
    Count,
}

/// What an event without a time of its own takes instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTimeFallback {
    /// Nothing: it is a dead letter.
    None,
    /// The time of its record.
    Record,
}

/// Whose event times make a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkScope {
    /// Those of its partition.
    Partition,
    /// Those of all partitions of the source.
    Global,
}

/// Repetitions are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// `dedup.field`: the field that is the same in repetitions.
    pub field: String,
    /// `dedup.memory`: for how much event time a value is remembered. Default: the lateness and
    /// the longest window of the source.
    pub memory: Option<Duration>,
}

impl SourceBinding {
    /// The lateness of the dataflow with what the binding says laid over it.
    pub fn lateness_over(&self, code: Lateness) -> Lateness {
        let delay = self.lateness.unwrap_or(code.delay());
        let code_rule = if code.is_strict() { Rule::Strict } else { Rule::Window };
        match self.lateness_rule.unwrap_or(code_rule) {
            Rule::Window => Lateness::Window(delay),
            Rule::Strict => Lateness::Strict(delay),
        }
    }
}

/// Reads the keys of a source; the binding is missing if no table of a connector is there.
pub(super) fn read(
    mut fields: Fields<'_>,
    kinds: &[&'static str],
) -> Result<Option<SourceBinding>> {
    let binding = take_binding(&mut fields, kinds)?;
    let Binding { kind, options, place } = binding.unwrap_or_default();
    let codec = read_codec(&mut fields)?;
    let batch = BatchLimits::default();
    let source = SourceBinding {
        options,
        place,
        lateness: fields.duration("lateness", "10s")?,
        lateness_rule: fields
            .choice("lateness_rule", &[("window", Rule::Window), ("strict", Rule::Strict)])?,
        idle_timeout: fields.duration_or_off("idle_timeout", "60s")?.flatten(),
        future_skew: match fields.duration_or_off("future_skew", "5m")? {
            None => FutureSkew::AtMost(minutes(5)),
            Some(None) => FutureSkew::Off,
            Some(Some(skew)) => FutureSkew::AtMost(skew),
        },
        arrival: fields.text("arrival", "_write_ts")?,
        catch_up_skew: fields.duration_or_off("catch_up_skew", "60s")?.unwrap_or(Some(seconds(60))),
        data_loss: fields
            .choice("data_loss", &[("stop", DataLoss::Stop), ("count", DataLoss::Count)])?
            .unwrap_or(DataLoss::Stop),
        max_rate_per_partition: fields.count_or_off("max_rate_per_partition", 1_500)?,
        max_offsets_per_trigger: fields.count_or_off("max_offsets_per_trigger", 10_000)?,
        naive_tz: codec.1,
        codec: codec.0,
        event_time_fallback: fields
            .choice(
                "event_time_fallback",
                &[("none", EventTimeFallback::None), ("record", EventTimeFallback::Record)],
            )?
            .unwrap_or(EventTimeFallback::None),
        watermark_scope: fields
            .choice(
                "watermark_scope",
                &[("partition", WatermarkScope::Partition), ("global", WatermarkScope::Global)],
            )?
            .unwrap_or(WatermarkScope::Partition),
        dedup: read_dedup(&mut fields)?,
        queue_bytes_max: fields.size("queue_bytes_max", "32MiB")?.unwrap_or(32 << 20),
        batch: BatchLimits {
            records: fields.count("batch_events_max", 8_192)?.unwrap_or(batch.records),
            bytes: fields.size("batch_bytes_max", "1MiB")?.unwrap_or(batch.bytes),
        },
        kind,
    };
    fields.finish()?;
    Ok((!source.kind.is_empty()).then_some(source))
}

/// The codec's options, and `naive_tz` as it was written.
fn read_codec(fields: &mut Fields<'_>) -> Result<(codec::Options, String)> {
    let mut json = fields.table("json")?;
    let mut options = codec::Options::default();
    options.errors = json
        .choice(
            "errors",
            &[("dead_letter", BadDocument::DeadLetter), ("null_row", BadDocument::NullRow)],
        )?
        .unwrap_or(options.errors);
    options.keep_nan = json.choice("nan", &[("null", false), ("nan", true)])?.unwrap_or(false);
    options.types = json
        .choice("types", &[("null", WrongType::Null), ("reject", WrongType::Reject)])?
        .unwrap_or(options.types);
    json.finish()?;
    options.dialect = fields
        .choice("dialect", &[("auto", Dialect::Auto), ("strict", Dialect::Strict)])?
        .unwrap_or(options.dialect);
    options.extended_times =
        fields.choice("time_formats", &[("extended", true), ("spark", false)])?.unwrap_or(true);
    let zone = fields.parsed("naive_tz", "Asia/Ho_Chi_Minh", |text| {
        Zone::named(text).map(|zone| (zone, text.to_owned()))
    })?;
    let (zone, naive_tz) = zone.unwrap_or_else(|| (Zone::utc(), "UTC".to_owned()));
    options.naive_tz = zone;
    options.message_bytes_max =
        fields.size("message_bytes_max", "1MiB")?.unwrap_or(options.message_bytes_max);
    options.depth_max = fields.count("depth_max", 64)?.unwrap_or(options.depth_max);
    Ok((options, naive_tz))
}

fn read_dedup(fields: &mut Fields<'_>) -> Result<Option<Dedup>> {
    if fields.is_off("dedup") {
        return Ok(None);
    }
    let mut dedup = fields.table("dedup")?;
    let field = dedup.text("field", "event_id")?;
    let memory = dedup.duration("memory", "1h")?;
    let place = dedup.place();
    dedup.finish()?;
    match (field, memory) {
        (Some(field), memory) => Ok(Some(Dedup { field, memory })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(crate::error::Error::config("`field` is missing")
            .hint("name the field that repetitions share: field = \"event_id\"")
            .within(place)),
    }
}
