//! The runtime: workers, their loop, ticks, stopping, and what a job is made of.

mod build;
mod context;
mod job;
mod run;
mod stop;
mod ticks;
mod worker;

pub use context::{Clock, Context, EpochPositions, Failure, Phase, WallClock};
pub use job::{BoundSink, BoundSource, Job};
pub use run::{Patience, Workers, check, run};
pub use stop::Stop;
pub use ticks::{Pace, Ticker};
