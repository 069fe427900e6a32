//! The oracle: what the engine must answer, recomputed from scratch, and the cases to ask.
//!
//! | file | holds |
//! |---|---|
//! | `job.rs` | a job and its logs as plain data: sources, windows, views |
//! | `reference.rs` | the answer: simple, slow, single threaded; shares no code with the engine |
//! | `outcome.rs` | the answer's form: rows, ledgers, letters, refused pairs |
//! | `boundaries.rs`, `late.rs` | the rules W1 to W17 at their borders, worked out by hand |
//! | `cases.rs` | seeded random jobs with logs that sit on those borders |
//! | `shrink.rs` | the smallest case that still fails |
//!
//! Whoever runs the engine on a [`cases::Case`] builds its sources, windows and views in the order
//! of their indices, delivers `Partition::polls`, fills an [`outcome::Outcome`], and compares it
//! with [`reference::run`] by `difference`; for a boundary, its `summary` with the expected one.
//! Two sides of a join are two windows: what they refuse is counted for each.

pub(crate) mod boundaries;
pub(crate) mod cases;
pub(crate) mod job;
pub(crate) mod late;
pub(crate) mod outcome;
pub(crate) mod reference;
pub(crate) mod shrink;
