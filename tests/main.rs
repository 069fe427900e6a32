//! The test binary: everything that needs more than one room of the engine.

// A test that unwraps fails where it stands.
#![allow(clippy::unwrap_used)]

mod alerts;
mod archive;
mod arrival;
mod bad_input;
mod binary;
mod brokers;
mod cluster;
#[cfg(all(feature = "kafka", feature = "parquet", feature = "postgres", feature = "s3"))]
mod contract;
mod control;
mod exit_codes;
mod golden;
mod idle;
mod kafka;
mod letters;
mod list;
mod operational;
mod options;
mod oracle;
mod real_logs;
mod recovery;
mod simulation;
mod smoke;
mod spark_golden;
mod stop;
mod systems;
mod tidy;
mod topics;
mod torture;
mod txn;
