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
//! | `event.rs`, `delivery.rs`, `engine.rs` | the engine's answer to the same cases |
//! | `agreement.rs` | both answers are the same |
//! | `mishaps.rs` | they are the same when a worker stalls, a function panics, a stop comes early |
//! | `views.rs` | views of the scope of ticks against a recomputation of their own |
//!
//! The engine's side builds sources, windows and views in the order of their indices, delivers
//! `Partition::polls`, fills an [`outcome::Outcome`], and compares it with [`reference::run`] by
//! `difference`; for a boundary, its `summary` with the expected one. Windows that joins connect
//! are one operator of the engine, so `Outcome::by_operator` puts their refusals together.

mod agreement;
pub(crate) mod boundaries;
pub(crate) mod cases;
pub(crate) mod delivery;
pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod job;
pub(crate) mod late;
mod mishaps;
pub(crate) mod outcome;
pub(crate) mod reference;
pub(crate) mod shrink;
mod views;
