//! A hash of what must be the same in all processes of a job.
//!
//! Channels between workers are found by their number, in the order in which a dataflow is built;
//! processes that build different ones would read each other's bytes as something else. So
//! everything that decides which operators there are, and what they send, is in it; options of a
//! connector are not, as they may name files or ports of one machine.

use std::fmt::Write;
use std::sync::Arc;

use crate::error::Result;
use crate::hash;
use crate::runtime::Job;

/// Hash of jobs.
///
/// # Errors
///
/// A job cannot be described.
pub fn fingerprint(jobs: &[Arc<Job>]) -> Result<u64> {
    let mut text = format!("highwater {}\n", env!("CARGO_PKG_VERSION"));
    for job in jobs {
        describe(job, &mut text)?;
    }
    tracing::debug!("fingerprint of\n{text}");
    Ok(hash::of(text.as_str()))
}

/// Hash of the checkpoints that jobs go on from: those who go on from different ones would count
/// different epochs. Apart from [`fingerprint`], as another start may be enough to agree.
pub fn resumed(jobs: &[Arc<Job>]) -> u64 {
    let kept = jobs.iter().filter_map(|job| Some((&job.name, job.checkpoints.as_ref()?)));
    let epochs: Vec<String> =
        kept.map(|(name, kept)| format!("{name} {}", kept.first_epoch())).collect();
    hash::of(epochs.join("\n").as_str())
}

fn describe(job: &Job, text: &mut String) -> Result<()> {
    let plan = job.plan()?;
    // Writing to a text cannot fail.
    let _ = writeln!(text, "job {} {} {:?}", job.system, job.name, job.pace);
    for source in &plan.sources {
        let bound = job.source(&source.name)?;
        let (lateness, idle) = (source.lateness, bound.idle_timeout);
        let _ = writeln!(text, "source {} {lateness:?} idle {idle:?}", source.name);
    }
    for root in &plan.roots {
        let operator = plan.operator(root.operator);
        let _ = writeln!(text, "window {operator} {:?}", root.windows);
    }
    for (index, port) in plan.ports.iter().enumerate() {
        let _ = writeln!(
            text,
            "view {} from {:?} updates {}",
            plan.name_of(index),
            port.from,
            port.updates
        );
        for column in &port.schema.columns {
            let null = if column.nullable { "?" } else { "" };
            let _ = writeln!(text, "  {} {}{null}", column.name, column.kind);
        }
        for sink in job.sinks.get(&port.view).into_iter().flatten() {
            let _ = writeln!(text, "  sink {:?} {:?}", sink.rows, sink.placement);
        }
    }
    let _ = writeln!(text, "letters {:?}", job.letters.placement);
    let _ = writeln!(text, "checkpoints {}", job.checkpoints.is_some());
    Ok(())
}
