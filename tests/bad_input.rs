//! Bad input, for every system: the tables of decoding rules on all wire types, and whole jobs.
//!
//! ```text
//! wire.rs        the wire types, with their fields and what these are read as
//! coercions.rs   every kind of JSON value in every field
//! documents.rs   documents that are not one clean object
//! times.rs       every spelling of an event time
//! damage.rs      records with random damage: nothing panics
//! jobs.rs        jobs that read all of it: letters, ledgers, and the rows of the good records
//! servers.rs     the same on real servers: tombstones, empty topics, rows without a key
//! commands.rs    input that is empty, and what is asked for that is not there
//! ```

mod coercions;
mod commands;
mod damage;
mod documents;
mod jobs;
mod servers;
mod times;
mod wire;
