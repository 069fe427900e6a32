//! What a job would do, in words: the plan that `check` prints, and the line with which `run`
//! begins. Of a connector's options only harmless ones are shown, by name: others may be secret.

use std::fmt::Write;
use std::sync::PoisonError;
use std::time::Duration;

use crate::alert::{self, watch::Condition};
use crate::checkpoint::Place;
use crate::config::{Config, SinkBinding};
use crate::error::Result;
use crate::lateness::Reach;
use crate::runtime::{BoundSink, Dataflow, Job};
use crate::sink::Accepts;
use crate::source::Start;
use crate::stream::{From, Plan, Port, SourcePlan};
use crate::window::Windows;

/// Options of connectors that say where data are, and no secret.
const SHOWN: &[&str] = &["dataset", "topic", "table", "path", "brokers"];

/// The plan of a job, as text.
///
/// # Errors
///
/// A variable that is not set; none that binding the job has not reported.
pub(super) fn describe(dataflow: &Dataflow, job: &Job, config: &Config) -> Result<String> {
    let plan = job.plan()?;
    let mut text = format!("{}/{}  {}\n", dataflow.system, dataflow.name, dataflow.about);
    for source in &plan.sources {
        describe_source(&mut text, source, job, config)?;
    }
    for port in plan.sunk() {
        describe_view(&mut text, port, &plan, job, config)?;
    }
    text.push_str("\n  dead letters\n");
    match &config.letters_of(dataflow.name) {
        None => {
            line(&mut text, "sink", "the first five per source and reason are shown, then counts")
        }
        Some(binding) => line(&mut text, "sink", &sink(binding, &job.letters)),
    }
    text.push_str("\n  restart\n");
    match &config.checkpoint.path {
        None => {
            let position = "there is no checkpoint: each start begins where its source says";
            line(&mut text, "position", position);
        }
        Some(path) => {
            let place = Place::new(path, &config.checkpoint.s3)?.of_job(dataflow.name);
            let every = span(config.checkpoint.every);
            let position = format!("where the newest checkpoint in {place} left it");
            line(&mut text, "position", &position);
            line(&mut text, "checkpoints", &format!("one every {every}"));
        }
    }
    Ok(text)
}

/// The line with which a job starts: what it reads, what it keeps, how many workers.
///
/// # Errors
///
/// As [`describe`].
pub(super) fn summary(job: &Job, config: &Config, workers: &str) -> Result<String> {
    let sources = job.sources.keys().map(|name| {
        let binding = config.source(name)?;
        Ok(format!("{name} ({})", target(&binding.kind, &binding.options)))
    });
    let views = job.sinks.keys().map(|view| {
        let sinks = config.sinks_of(&job.name, view)?;
        let sinks = sinks.iter().map(|sink| target(&sink.kind, &sink.options));
        Ok(format!("{view} ({})", sinks.collect::<Vec<_>>().join(", ")))
    });
    let sources = sources.collect::<Result<Vec<_>>>()?.join(", ");
    let views = views.collect::<Result<Vec<_>>>()?.join(", ");
    let restored = job.checkpoints.as_ref().and_then(|kept| kept.restored.as_ref());
    let from = restored.map_or(String::new(), |from| format!("; from checkpoint {}", from.epoch));
    Ok(format!("{}: {sources} -> {views}; {workers}{from}; Ctrl-C stops", job.name))
}

/// A connector, and what it is bound to.
fn target(kind: &str, options: &toml::Table) -> String {
    let mut text = kind.to_owned();
    for name in SHOWN {
        if let Some(value) = options.get(*name) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let before = if *name == "brokers" { " on " } else { " " };
            let _ = write!(text, "{before}{value}");
        }
    }
    text
}

fn describe_source(
    text: &mut String,
    source: &SourcePlan,
    job: &Job,
    config: &Config,
) -> Result<()> {
    let binding = config.source(&source.name)?;
    let _ = writeln!(text, "\n  source {}", source.name);
    line(text, "connector", &target(&binding.kind, &binding.options));
    if let Some(bound) = job.sources.get(&source.name) {
        let begins = match (binding.kind.as_str(), binding.options.get("start")) {
            ("generator", Some(time)) => format!("at {time}"),
            ("generator", None) => "some minutes ago, then keeps the time of day".into(),
            _ => start(&bound.start),
        };
        line(text, "begins", &begins);
    }
    let (lateness, idle) = (source.lateness, binding.idle_timeout);
    let rule = match lateness.is_strict() {
        true => "strict: an event behind the watermark is late",
        false => "window: an event is late when its windows are closed",
    };
    line(text, "lateness", &format!("{} behind the greatest event time", span(lateness.delay())));
    line(text, "rule", rule);
    line(text, "reach", &furthest(&source.reaches.borrow()));
    let idle = idle.map_or("off: a silent partition holds the frontier".into(), span);
    line(text, "idle after", &idle);
    Ok(())
}

/// How far behind the frontier an event may still be used.
fn furthest(reaches: &[Reach]) -> String {
    let windows = reaches.iter().filter_map(|reach| match reach {
        Reach::Windows(fixed) => Some(fixed.size()),
        Reach::Strict | Reach::Always | Reach::Own => None,
    });
    match windows.max() {
        _ if reaches.contains(&Reach::Always) => "without limit: a view has no windows".into(),
        Some(size) => format!("furthest window: {}", span(size)),
        None => "nothing behind the watermark".into(),
    }
}

fn describe_view(
    text: &mut String,
    port: &Port,
    plan: &Plan,
    job: &Job,
    config: &Config,
) -> Result<()> {
    let view = config.view(&port.view)?;
    let _ = writeln!(text, "\n  view {}", port.view);
    line(text, "windows", &windows(port, plan));
    let columns = port.schema.columns.iter().map(|column| {
        let null = if column.nullable { "?" } else { "" };
        format!("{} {}{null}", column.name, column.kind)
    });
    wrapped(text, "columns", columns);
    let key = match view.key.as_slice() {
        [] => "none: sinks append".to_owned(),
        columns => columns.join(", "),
    };
    operational(text, port, plan);
    line(text, "key", &key);
    line(text, "engine", &format!("{:?}", view.engine).to_lowercase());
    let rows = if port.is_table() {
        "upserts and deletes, once an epoch"
    } else if port.updates {
        "final, and updates while a window is open"
    } else {
        "final"
    };
    line(text, "rows", rows);
    let bound = job.sinks.get(&port.view).map(Vec::as_slice).unwrap_or_default();
    for (binding, bound) in config.sinks_of(&job.name, &port.view)?.iter().zip(bound) {
        line(text, "sink", &sink(binding, bound));
    }
    Ok(())
}

/// The windows of a view, in words.
pub(super) fn windows(port: &Port, plan: &Plan) -> String {
    let of = |from: &From| match from {
        From::Operator(operator) => plan.windows(plan.operator(*operator)).map(window).collect(),
        _ => Vec::new(),
    };
    let mut found: Vec<String> = match &port.from {
        From::Sources(_) => return "none: a row per event".into(),
        From::View(view) => {
            plan.ports_of(*view).into_iter().flat_map(|port| of(&plan.ports[port].from)).collect()
        }
        From::Operator(_) | From::Job => {
            plan.parts(&port.view).flat_map(|part| of(&part.from)).collect()
        }
    };
    found.sort();
    found.dedup();
    if plan.parts(&port.view).any(|part| part.from == From::Job) {
        found.push("none: the running job".into());
    }
    if found.is_empty() {
        return "none: a table".into();
    }
    found.join("; ")
}

/// The operational alerts of a job, below their view.
pub(super) fn operational(text: &mut String, port: &Port, plan: &Plan) {
    let conditions = &plan.watches.conditions;
    if port.view == alert::VIEW && !conditions.is_empty() {
        wrapped(text, "operational", conditions.iter().map(Condition::words));
    }
}

fn window(windows: Windows) -> String {
    match windows {
        Windows::Fixed(fixed) if fixed.is_tumbling() => span(fixed.size()),
        Windows::Fixed(fixed) => format!("{} every {}", span(fixed.size()), span(fixed.slide())),
        Windows::Session(session) => {
            format!("sessions that end after {} of silence", span(session.gap()))
        }
    }
}

fn sink(binding: &SinkBinding, bound: &BoundSink) -> String {
    let sink = bound.sink.lock().unwrap_or_else(PoisonError::into_inner);
    let gets = match bound.rows {
        Accepts::Final => "final rows",
        Accepts::Updates => "updates",
    };
    format!(
        "{} gets {gets} (takes {}; {})",
        target(&binding.kind, &binding.options),
        accepts(sink.accepts()),
        sink.guarantee(),
    )
}

/// Which rows a sink takes, in words.
pub(super) fn accepts(accepts: Accepts) -> &'static str {
    match accepts {
        Accepts::Final => "final rows",
        Accepts::Updates => "final rows and updates",
    }
}

fn start(start: &Start) -> String {
    match start {
        Start::Earliest => "at the earliest record".into(),
        Start::Latest => "behind the latest record".into(),
        Start::Offset(offset) => format!("at offset {offset} of each partition"),
        Start::Offsets(offsets) => {
            let offsets = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}"));
            format!("at offsets {}", offsets.collect::<Vec<_>>().join(", "))
        }
        Start::Time(time) => format!("at {time}"),
    }
}

/// A duration in the largest unit that divides it.
fn span(duration: Duration) -> String {
    let micros = duration.as_micros();
    let units = [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")];
    let unit = units.iter().find(|(size, _)| 0 < micros && micros.is_multiple_of(*size));
    match unit {
        Some((size, unit)) => format!("{}{unit}", micros / size),
        None => format!("{duration:?}"),
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "    {name:<11} {value}");
}

/// A list that goes on below itself rather than beyond the edge of a terminal.
pub(super) fn wrapped(text: &mut String, name: &str, items: impl Iterator<Item = String>) {
    const WIDTH: usize = 80;
    let mut row = String::new();
    let mut name = name;
    for item in items {
        if !row.is_empty() && WIDTH < row.len() + item.len() + 2 {
            row.push(',');
            line(text, name, &row);
            (name, row) = ("", String::new());
        }
        if !row.is_empty() {
            row.push_str(", ");
        }
        row.push_str(&item);
    }
    line(text, name, &row);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{days, micros, millis, minutes, seconds};

    #[test]
    fn a_duration_is_shown_in_the_largest_unit_that_divides_it() {
        let check = |duration, expect: &str| assert_eq!(span(duration), expect);
        check(days(2), "2d");
        check(minutes(90), "90m");
        check(seconds(61), "61s");
        check(millis(1_500), "1.5s");
        check(Duration::ZERO, "0ns");
        assert_eq!(micros(seconds(1)), 1_000_000);
    }

    #[test]
    fn a_target_shows_where_data_are_and_no_secret() {
        let options = toml::toml! {
            url = "postgresql://me:secret@db/x"
            password = "secret"
            table = "moments"
        };
        assert_eq!(target("postgres", &options), "postgres moments");
        let options = toml::toml! {
            topic = "chat"
            brokers = "a:9092"
            client = { "sasl.password" = "secret" }
        };
        assert_eq!(target("kafka", &options), "kafka chat on a:9092");
    }

    #[test]
    fn a_long_list_goes_on_below_itself() {
        let mut text = String::new();
        wrapped(&mut text, "columns", (0..12).map(|n| format!("column_{n} text")));
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(widths.len() == 3 && widths.iter().all(|width| *width <= 98), "{text}");
        assert!(text.starts_with("    columns     column_0 text, column_1 text"));
        assert!(text.lines().next().is_some_and(|line| line.ends_with(',')));
    }
}
