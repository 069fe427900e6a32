//! Takes up the checkpoints of a job: before it is checked and run.

use std::sync::Arc;

use super::build::LETTERS;
use super::job::{BoundSink, Job};
use super::wall_time;
use crate::checkpoint::{Checkpoints, Claim, Options, Place, Store, sink_name};
use crate::config::Checkpoint;
use crate::error::Result;
use crate::failpoint::failpoint;

/// Keeps other processes from going on from the checkpoints of a job; `None` without any. For
/// process 0, before it asks for the checkpoint.
///
/// # Errors
///
/// Kind `Unreachable`: another process runs the job. Kind `Config`: the place cannot be used.
pub fn claim(job: &Job, config: &Checkpoint) -> Result<Option<Claim>> {
    let Some(path) = &config.path else { return Ok(None) };
    Place::new(path, &config.s3)?.of_job(&job.name).claim().map(Some)
}

/// Finds the checkpoint that a job goes on from, and tells its sinks; does nothing for a job
/// without checkpoints.
///
/// # Errors
///
/// The store cannot be written, or does not answer; no checkpoint of several is whole; the dataflow
/// keeps something else than the checkpoint holds; what a sink wrote is gone.
pub fn resume(job: &mut Job, config: &Checkpoint) -> Result<()> {
    let Some(path) = &config.path else { return Ok(()) };
    let store = Place::new(path, &config.s3)?.of_job(&job.name).open()?;
    let options = Options { keep: config.keep, age_max: config.age_max };
    resume_from(job, store, options, wall_time().micros().unsigned_abs())
}

/// As [`resume`], from a store; `generation` as in [`Checkpoints::open`].
///
/// # Errors
///
/// As [`resume`].
pub fn resume_from(
    job: &mut Job,
    store: Arc<dyn Store>,
    options: Options,
    generation: u64,
) -> Result<()> {
    failpoint!("restore.before_read");
    let checkpoints = Checkpoints::open(store, job.keeps()?, options, generation)?;
    for (view, sinks) in &job.sinks {
        for (index, bound) in sinks.iter().enumerate() {
            tell(bound, &sink_name(view, index), &checkpoints)?;
        }
    }
    tell(&job.letters, LETTERS, &checkpoints)?;
    job.checkpoints = Some(Arc::new(checkpoints));
    Ok(())
}

/// Tells the sinks of a job that it will keep checkpoints; it has begun none yet.
///
/// # Errors
///
/// A sink cannot be part of such a job.
pub fn will_keep(job: &Job) -> Result<()> {
    let sinks = job.sinks.values().flatten();
    sinks.chain([&job.letters]).try_for_each(|bound| bound.lock().resume(None))
}

fn tell(bound: &BoundSink, name: &str, checkpoints: &Checkpoints) -> Result<()> {
    bound
        .lock()
        .resume(checkpoints.receipts(name))
        .map_err(|error| error.within(format!("view `{name}`")))
}
