//! What examples and tests run dataflows with.

pub mod example;

pub use example::Example;
