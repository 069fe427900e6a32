//! Tests.

mod oracle;
