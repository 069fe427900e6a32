//! Tests.

mod exit_codes;
mod oracle;
mod support;
