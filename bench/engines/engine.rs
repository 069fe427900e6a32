//! Highwater itself: the command line of the product with the dataflows of this package.

use std::process::Command;

use highwater::error::Result;

use super::{Engine, Job, RowsWanted, beside, write};

/// The engine that is measured.
pub struct Highwater;

impl Engine for Highwater {
    fn name(&self) -> &'static str {
        "highwater"
    }

    fn version(&self) -> Result<String, String> {
        let program = beside("bench-highwater").map_err(|error| error.to_string())?;
        if !program.exists() {
            return Err(format!("{} is not built", program.display()));
        }
        Ok(format!("highwater {}", env!("CARGO_PKG_VERSION")))
    }

    fn command(&self, job: &Job) -> Result<Command> {
        let overlay = write(&job.work, "job.toml", &overlay(job))?;
        let mut command = Command::new(beside("bench-highwater")?);
        command.args(["run", "bench", job.query.query()]).arg("-c").arg(overlay);
        command.arg("-w").arg(job.workers.to_string());
        Ok(command)
    }
}

/// What the job file of the dataflow leaves open.
fn overlay(job: &Job) -> String {
    let Job { query, input, output, delay_ms, linger_ms, .. } = job;
    let source = query.source();
    let rows = match job.rows {
        RowsWanted::Final if !query.is_view() => "final",
        _ => "updates",
    };
    format!(
        "[source.{source}]\nlateness = \"{delay_ms}ms\"\n\
         kafka = {{ topic = \"{}\", brokers = \"{}\", start = \"earliest\" }}\n\n\
         [sink.rows]\nrows = \"{rows}\"\n\
         kafka = {{ topic = \"{}\", brokers = \"{}\", linger = \"{linger_ms}ms\" }}\n",
        input.topic, input.brokers, output.topic, output.brokers,
    )
}
