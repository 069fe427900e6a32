//! Workloads: events that depend on their number alone, and the rows that each query must make of
//! them, computed without any engine; those of whole systems are made by the harness.

mod dice;
pub mod nexmark;
pub mod plays;
pub mod queries;
pub mod system;
pub mod transfers;
pub mod windows;
mod workload;
pub mod ysb;

pub use workload::{DELAY_MS, Events, PARTITIONS, Place, RATE, SEED, Workload};

use workload::due_us;
