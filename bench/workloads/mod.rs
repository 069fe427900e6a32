//! Workloads: events that depend on their number alone, and the rows that each query must make of
//! them, computed without any engine.

mod dice;
pub mod elearning;
pub mod nexmark;
pub mod plays;
pub mod queries;
pub mod transfers;
mod workload;
pub mod ysb;

pub use workload::{Events, Place, RATE, SEED, Workload};
