//! `highwater txn`: transactions of Kafka that a job which is dead has left open. Readers of
//! committed records stand still before them until they are ended.

use clap::{Args, Subcommand};

use super::args::Bound;

/// What is to be done with transactions.
#[derive(Debug, Subcommand)]
pub(super) enum Txn {
    /// Says which topics of a system have transactions open, whose, and since when.
    List(List),
    /// Ends them, unless their job runs.
    Abort(Abort),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    bound: Bound,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Abort {
    #[command(flatten)]
    bound: Bound,
    /// Ends them also if their job seems to run: it is fenced and ends with 75, and starts again
    /// from its last checkpoint.
    #[arg(long)]
    force: bool,
}

#[cfg(not(feature = "kafka"))]
pub(super) fn txn(_: &Txn, _: super::Registry) -> crate::error::Result<()> {
    Err(crate::error::Error::config("this build has no client of Kafka")
        .hint("build it with the Cargo feature `kafka`"))
}

#[cfg(feature = "kafka")]
pub(super) use open::txn;

#[cfg(feature = "kafka")]
mod open;
