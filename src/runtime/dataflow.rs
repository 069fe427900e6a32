//! [`Dataflow`]: a registered dataflow function with what it needs to be run by its name.

use crate::config::{EnvironmentName, Parameters};
use crate::error::Result;
use crate::stream::Flow;

/// A dataflow that can be run by its name.
#[derive(Clone, Copy)]
pub struct Dataflow {
    /// Its name: the job.
    pub name: &'static str,
    /// The system that it belongs to.
    pub system: &'static str,
    /// What it computes, in a sentence.
    pub about: &'static str,
    /// The job file that it runs with if nobody says otherwise: name and text.
    pub file: (&'static str, &'static str),
    /// Job files that come with it and are laid over by their name: name and text.
    pub overlays: &'static [(&'static str, &'static str)],
    /// What `--compat` sets beside the common part: the text of a job file.
    pub compat: &'static str,
    /// Variables of the environment that the replaced system knew.
    pub environment: &'static [EnvironmentName],
    /// Whether it runs only when it is named: not as one of all jobs of its system.
    pub by_name: bool,
    /// Reads the parameters and builds the dataflow.
    pub entry: fn(&Flow, &mut Parameters) -> Result<()>,
}
