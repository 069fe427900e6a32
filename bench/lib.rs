//! What Highwater costs, beside the limits of the machine, one competent thread, and the engines
//! one would use otherwise.
//!
//! ```text
//! experiment (TOML) ─► trials ─► a broker, an engine in processes of its own, a reader of its rows
//!                                   └─► rows verified ─► run folder (CSV, HDR logs) ─► report
//! ```
//!
//! No time is printed of a run whose rows are wrong. The primary figure is events per processor
//! second of the whole tree of processes, read from outside; figures of two runs are never divided.

pub mod engines;
pub mod harness;
pub mod load;
pub mod micro;
pub mod recovery;
pub mod report;
pub mod workloads;
