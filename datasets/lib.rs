//! The data of the systems: wire types, seeded generators, samples, and real logs for tests.
//!
//! A system's module holds its wire types, in both dialects, and its generator. The engine knows
//! none of it: the binary hands [`GENERATORS`] to it.
//!
//! ```
//! use highwater::dataset::{GeneratorOptions, Made, Records, find};
//! use highwater::time::Time;
//! let (kind, topics) = find(highwater_datasets::GENERATORS, "chat.viewer")?;
//! let options = GeneratorOptions::new(topics, Time::from_seconds(1_760_000_000));
//! let mut records = Records::all((kind.make)(&options)?, Some(1));
//! let mut made = Made::default();
//! assert!(records.next(&mut made));
//! assert!(made.value.starts_with(b"{\"event_id\":\""));
//! assert!(!records.next(&mut made));
//! # Ok::<(), highwater::error::Error>(())
//! ```

pub mod campus;
pub mod chat;
pub mod elearning;
mod generators;
mod json;
pub mod market;
mod plan;
mod random;
pub mod real;
pub mod shop;

use highwater::dataset::GeneratorKind;

/// All generators, in the order of their names.
pub const GENERATORS: &[GeneratorKind] = &[
    generators::campus::KIND,
    chat::KIND,
    generators::elearning::KIND,
    generators::market::KIND,
    generators::shop::KIND,
];

#[cfg(test)]
mod tests;
