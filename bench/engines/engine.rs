//! Highwater itself: the command line of the product with the dataflows of this package.

use std::process::Command;

use highwater::error::Result;

use super::{Engine, Job, RowsWanted, beside, write};
use crate::workloads::Workload;
use crate::workloads::system::{System, Topic, View};
use crate::workloads::windows::Shape;

/// The engine that is measured, or a variation of it.
struct Highwater {
    name: &'static str,
    /// Settings of the job file that differ from what the engine does by itself.
    set: &'static [&'static str],
}

/// The engine as it is, and with one choice made otherwise each.
pub(super) fn engines() -> Vec<Box<dyn Engine>> {
    let variation = |name, set| -> Box<dyn Engine> { Box::new(Highwater { name, set }) };
    vec![
        variation("highwater", &[]),
        variation("highwater_differential", &["view.rows.engine=\"differential\""]),
        variation("highwater_strict", &["source.plays.lateness_rule=\"strict\""]),
        variation("highwater_tick_1ms", &["flow.tick=\"1ms\"", "flow.tick_max=\"1ms\""]),
        variation("highwater_tick_50ms", &["flow.tick=\"50ms\""]),
    ]
}

impl Engine for Highwater {
    fn name(&self) -> &'static str {
        self.name
    }

    fn refuses(&self, job: &Job) -> Option<String> {
        let fits = self.set.is_empty() || matches!(job.query, Workload::Plays(_));
        (!fits).then(|| format!("variations are measured over plays, not over {}", job.query))
    }

    fn version(&self) -> Result<String, String> {
        let program = beside("bench-highwater").map_err(|error| error.to_string())?;
        if !program.exists() {
            return Err(format!("{} is not built", program.display()));
        }
        Ok(format!("highwater {}", env!("CARGO_PKG_VERSION")))
    }

    fn command(&self, job: &Job) -> Result<Command> {
        let overlay = write(&job.work, "job.toml", &overlay(job)?)?;
        let mut command = Command::new(beside("bench-highwater")?);
        match job.query {
            Workload::System(system) => command.args(["run", system.name()]),
            _ => command.args(["run", "bench", job.query.query()]),
        };
        command.arg("-c").arg(overlay);
        command.arg("-w").arg(job.workers.to_string());
        self.set.iter().for_each(|setting| {
            command.arg("--set").arg(setting);
        });
        Ok(command)
    }
}

/// What the job file of the dataflow leaves open.
fn overlay(job: &Job) -> Result<String> {
    let Job { query, input, output, delay_ms, linger_ms, .. } = job;
    if let Workload::System(of) = query {
        return system(*of, job);
    }
    let source = query.source();
    let sink = if *query == Workload::Transfers { "\"*\"" } else { "rows" };
    let rows = match job.rows {
        RowsWanted::Final if !query.is_view() => "final",
        _ => "updates",
    };
    let more = match query {
        Workload::Windows(shape) => letters_and_parameters(job, shape),
        _ => String::new(),
    };
    Ok(format!(
        "[source.{source}]\nlateness = \"{delay_ms}ms\"\n\
         kafka = {{ topic = \"{}\", brokers = \"{}\", start = \"earliest\" }}\n\n\
         [sink.{sink}]\nrows = \"{rows}\"\n\
         kafka = {{ topic = \"{}\", brokers = \"{}\", linger = \"{linger_ms}ms\" }}\n{more}",
        input.topic, input.brokers, output.topic, output.brokers,
    ))
}

/// Parameters of windows, and letters among the rows: what was refused is compared too.
fn letters_and_parameters(job: &Job, shape: &Shape) -> String {
    let Job { output, linger_ms, .. } = job;
    let Shape { size_ms, slide_ms, disorder_ms, .. } = shape;
    format!(
        "\n[parameters]\nsize = \"{size_ms}ms\"\nslide = \"{slide_ms}ms\"\n\
         disorder = \"{disorder_ms}ms\"\n\n[dead_letters]\n\
         kafka = {{ topic = \"{}\", brokers = \"{}\", linger = \"{linger_ms}ms\" }}\n",
        output.topic, output.brokers,
    )
}

/// The same for a whole system: final rows of the views that are compared, in one topic, by keys
/// that name the view. The other views are computed, and nothing of them is written.
fn system(of: System, job: &Job) -> Result<String> {
    let Job { input, output, delay_ms, linger_ms, .. } = job;
    let mut text = of.settings(Some(*delay_ms));
    for Topic { source, suffix, .. } in of.topics()? {
        text.push_str(&format!(
            "[source.{source}]\n\
             kafka = {{ topic = \"{}{suffix}\", brokers = \"{}\", start = \"earliest\" }}\n",
            input.topic, input.brokers,
        ));
    }
    for View { name, unlike, .. } in of.views()? {
        text.push_str(&match unlike {
            Some(_) => format!("[sink.{name}]\nblackhole = {{}}\n"),
            None => format!(
                "[sink.{name}]\nrows = \"final\"\n\
                 kafka = {{ topic = \"{}\", brokers = \"{}\", linger = \"{linger_ms}ms\" }}\n",
                output.topic, output.brokers,
            ),
        });
    }
    Ok(text)
}
