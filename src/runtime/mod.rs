//! The runtime: workers, their loop, ticks, stopping, and what a job is made of.

mod alarms;
mod bind;
mod build;
mod claims;
pub mod cluster;
mod context;
mod dataflow;
mod job;
mod resume;
mod run;
mod stop;
mod ticks;
mod worker;

pub use alarms::Alarms;
pub use bind::{Surroundings, bind, bind_all, notices};
pub use claims::check_claims;
pub use context::{Clock, Context, EpochPositions, Failure, OnFailure, Phase, WallClock};
pub use dataflow::Dataflow;
pub use job::{BoundSink, BoundSource, Job};
pub use resume::{claim, resume, resume_from, will_keep};
pub use run::{Among, Patience, Workers, check, patiently, run, run_among, run_on};
pub use stop::Stop;
pub use ticks::{Pace, Ticker};

/// The time of day, on the clock of this machine.
pub fn wall_time() -> crate::time::Time {
    crate::host::Host::default().wall_time()
}
