//! The runtime: workers, their loop, ticks, and what a job is made of.

mod context;
mod ticks;

pub use context::{Clock, Context, EpochPositions, Failure, Phase, WallClock};
pub use ticks::{Pace, Ticker};
