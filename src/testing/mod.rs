//! What examples and tests run dataflows with.
//!
//! [`Example`] is always here. With the feature `testing` there are real servers on loopback too,
//! in folders of their own: one that is not installed is a [`Skip`] with its reason for a
//! developer, and a failure in CI ([`or_skip`]). Servers end with their values; those of a test run
//! that was killed are ended by the next one ([`Scratch`]).

#[cfg(feature = "testing")]
pub mod certificates;
mod dice;
pub mod example;
#[cfg(feature = "testing")]
pub mod fuzz;
#[cfg(feature = "testing")]
pub mod kafka;
#[cfg(feature = "testing")]
mod maven;
#[cfg(feature = "testing")]
pub mod postgres;
#[cfg(feature = "testing")]
pub mod process;
#[cfg(feature = "testing")]
pub mod proxy;
#[cfg(feature = "testing")]
pub mod s3;
#[cfg(feature = "testing")]
pub mod scratch;
#[cfg(feature = "testing")]
pub mod services;
#[cfg(feature = "testing")]
pub mod simulation;
#[cfg(feature = "testing")]
mod skip;

#[cfg(feature = "testing")]
pub use certificates::Authority;
pub use dice::Dice;
pub use example::Example;
#[cfg(feature = "testing")]
pub use kafka::{KafkaCluster, KafkaServer};
#[cfg(feature = "testing")]
pub use postgres::PostgresServer;
#[cfg(feature = "testing")]
pub use s3::S3Server;
#[cfg(feature = "testing")]
pub use scratch::Scratch;
#[cfg(feature = "testing")]
pub use skip::{Skip, cache_dir, or_skip};
