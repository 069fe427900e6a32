//! The runtime: workers, their loop, ticks, stopping, and what a job is made of.

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

pub use bind::{Surroundings, bind, bind_all, notices};
pub use claims::check_claims;
pub use context::{Clock, Context, EpochPositions, Failure, OnFailure, Phase, WallClock};
pub use dataflow::Dataflow;
pub use job::{BoundSink, BoundSource, Job};
pub use resume::{resume, will_keep};
pub use run::{Among, Patience, Workers, check, run, run_among};
pub use stop::Stop;
pub use ticks::{Pace, Ticker};

/// The time of day, on the clock of this machine.
pub fn wall_time() -> crate::time::Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is a clock that nobody has set.
    let micros = since.map_or(0, |since| since.as_micros() as i64);
    crate::time::Time::from_micros(micros)
}
