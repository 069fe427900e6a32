//! The test binary: everything that needs more than one room of the engine.

// A test that unwraps fails where it stands.
#![allow(clippy::unwrap_used)]

mod alerts;
mod archive;
mod arrival;
mod binary;
mod cluster;
mod exit_codes;
mod golden;
mod idle;
mod kafka;
mod oracle;
mod real_logs;
mod spark_golden;
mod stop;
mod tidy;
