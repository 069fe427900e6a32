//! The seeded generators of the systems, and what they share.
//!
//! Contract: that of [`highwater::dataset`]. Record *n* is a function of the options and of *n*,
//! although records tell stories: a quiz is started, answered and completed, a price wanders. Two
//! closed forms make that possible. [`mix`] says which record of which topic record *n* is, and
//! [`stories`] which step of which story that is; what a story is about comes from a random
//! sequence of its own.
//!
//! ```text
//! n ─ mix ─► topic, k ─► partition k mod p, place k div p ─ stories ─► step, story ─► document
//! ```

pub(crate) mod campus;
pub(crate) mod elearning;
pub(crate) mod market;
mod mix;
pub(crate) mod shop;
mod stories;

use highwater::dataset::OptionKind;
use serde::Deserialize;

/// Whose field names a document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Names {
    /// Those of the replaced producer.
    Producer,
    /// Those that the replaced job reads.
    Job,
}

/// How much of a system's events a generator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    /// What the replaced producer sends.
    Upstream,
    /// Also what only the job knows, so that no view is empty.
    Full,
}

/// A documented option.
pub(crate) const fn option(
    name: &'static str,
    environment: &'static [&'static str],
    default: &'static str,
    about: &'static str,
) -> OptionKind {
    OptionKind { name, environment, default, about }
}

#[cfg(test)]
mod tests;
