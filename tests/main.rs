//! Tests.

mod arrival;
mod golden;
mod oracle;
mod real_logs;
mod tidy;
