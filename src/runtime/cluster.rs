//! The connect phase of a job in several processes: from addresses to one socket per pair.
//!
//! ```text
//! bind ─► call every lower process ─┬─► hello both ways ─► all there: "ready" to process 0
//!         hear every higher one ────┘                      all ready: "go" from process 0
//! ```
//!
//! Process *j* calls every *i* < *j* and is called by every *i* > *j*. Both sides say who they are
//! in a message of fixed size and prove that they know the secret of the job, if it has one; who
//! does not belong here is turned away and the others go on waiting. "Go" reaches all processes at
//! the same moment, and with it their tick clocks start; nobody listens any more then.
//!
//! Process 0 begins a [`Generation`] with each start, and all others hear of it from process 0, so
//! a process that is started again never joins those who are about to end.
//!
//! timely's own connect phase would print on standard output, wait for ever, and panic at the
//! first port scan. A secret tells who connects; what is sent then is encrypted by TLS alone
//! (`tls.rs`). So the sockets listen on loopback, unless the host file or `--bind` names another
//! address, and on every network only with a secret.

mod call;
mod fingerprint;
mod frames;
#[cfg(test)]
mod fuzz;
mod generation;
mod guest;
pub(super) mod heartbeat;
mod hello;
mod hosts;
mod link;
mod lost;
mod meeting;
mod refusals;
mod secret;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::time::Duration;

use timely::communication::allocator::zero_copy::stream::Stream;

use super::stop::Stop;
use crate::error::{Error, Result};
use frames::{Checked, Limits};
use meeting::Met;

pub use fingerprint::{fingerprint, resumed};
pub use generation::Generation;
pub use hello::Seat;
pub use hosts::{Bind, addresses};
pub use link::Link;
pub use lost::lost_peer;
pub use refusals::{Reason, Refusals};
pub use secret::Secret;
pub use tls::Tls;

/// What the connect phase needs to know.
pub struct Connect<'a> {
    /// Who this process is.
    pub seat: Seat,
    /// `host:port` of every process, in the order of their indices.
    pub addresses: &'a [String],
    /// Where to listen, if not on this process's own line.
    pub bind: Bind<'a>,
    /// What all processes know and nobody else.
    pub secret: &'a Secret,
    /// Certificate, key and authority, if connections are under TLS.
    pub tls: &'a Tls,
    /// Of process 0: the least number of the generation that it begins.
    pub generation: u64,
    /// How long the phase may take.
    pub timeout: Duration,
    /// `--report`: is told what happens, a line at a time.
    pub report: &'a dyn Fn(&str),
}

/// The connections of a process, once all processes are there.
#[derive(Debug)]
pub struct Peers {
    /// Index of this process.
    pub index: usize,
    /// By process; `None` for this one.
    pub links: Vec<Option<Link>>,
    /// The generation that all of them belong to.
    pub generation: Generation,
    /// Who was turned away meanwhile.
    pub refusals: Refusals,
}

impl Peers {
    /// The connections as timely gets them: no message that it must not see comes through.
    pub(super) fn streams(
        self,
        threads: usize,
        frame_bytes_max: usize,
    ) -> Vec<Option<impl Stream + 'static>> {
        let own = self.index;
        let checked = |(peer, link): (usize, Option<Link>)| {
            Some(Checked::new(link?, Limits::new(peer, own, threads, frame_bytes_max)))
        };
        self.links.into_iter().enumerate().map(checked).collect()
    }
}

/// Connects this process with all others; `None` if somebody asked for the end meanwhile.
///
/// # Errors
///
/// The own address is taken or not of this machine, the index is taken, another process was
/// started with other numbers, jobs or secrets (exit 65); a process is missing when the time is
/// over, or goes on from another checkpoint (exit 75).
pub fn connect(options: &Connect<'_>, stop: &Stop) -> Result<Option<Peers>> {
    let Seat { index, processes, .. } = options.seat;
    let has_secret = !options.secret.is_none();
    let listener = hosts::listen(&options.addresses[index], options.bind, has_secret)?;
    if !has_secret
        && options.tls.is_none()
        && listener.local_addr().is_ok_and(|address| !address.ip().is_loopback())
    {
        tracing::warn!(
            "process {index} of the job can be reached by other machines, and has no secret: \
             whoever connects first may pass for another process (--secret-file, `cluster.tls`)"
        );
    }
    let Some(met) = meeting::meet(options, listener, stop)? else { return Ok(None) };
    let Met { links, generation, refusals } = met;
    for link in links.iter().flatten() {
        wire::prepare(link.socket()).map_err(|error| {
            Error::unreachable(format!("a socket between processes cannot be set up: {error}"))
        })?;
    }
    (options.report)(&format!("process {index}: all {processes} processes are connected"));
    if 0 < refusals.all() {
        (options.report)(&format!("process {index}: {refusals}"));
    }
    Ok(Some(Peers { index, links, generation, refusals }))
}
