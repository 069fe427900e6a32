//! The test binary: everything that needs more than one room of the engine.

mod binary;
mod cluster;
mod kafka;
mod oracle;
mod tidy;
