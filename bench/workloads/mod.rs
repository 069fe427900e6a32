//! Workloads: events that depend on their number alone, and the rows that each query must make of
//! them, computed without any engine.

pub mod plays;
pub mod queries;
