//! Tests.

mod oracle;
mod tidy;
