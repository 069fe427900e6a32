//! The harness: what is run, how it is measured, and what is kept of it.
//!
//! An experiment becomes a list of trials. Each trial starts one engine in processes of its own,
//! reads its rows from outside, compares all of them with the answer, and becomes one line of
//! `runs.csv`, whatever came of it.

pub mod experiment;
pub mod folder;
pub mod hiccup;
pub mod host;
pub mod latency;
pub mod limits;
pub mod live;
pub mod process;
pub mod rows;
pub mod run;
pub mod stats;
pub mod trial;
pub mod verify;
