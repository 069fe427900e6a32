//! The connect phase of a job in several processes: from addresses to one socket per pair.
//!
//! ```text
//! bind ─► call every lower process ─┬─► hello both ways ─► all there: "ready" to process 0
//!         hear every higher one ────┘                      all ready: "go" from process 0
//! ```
//!
//! Process *j* calls every *i* < *j* and is called by every *i* > *j*. Both sides say who they are
//! in a message of fixed size; who does not belong here is turned away and the others go on
//! waiting. "Go" reaches all processes at the same moment, and with it their tick clocks start.
//!
//! timely's own connect phase would print on standard output, wait for ever, and panic at the
//! first port scan. **These sockets are for a trusted network all the same**: nothing in the hello
//! is a secret, and who passes for a process can send whatever it wants. So they listen on
//! loopback, unless the host file or `--bind` names another address.

mod fingerprint;
mod hello;
mod hosts;
mod lost;
mod meeting;
#[cfg(test)]
mod tests;
mod wire;

use std::net::TcpStream;
use std::time::Duration;

use super::stop::Stop;
use crate::error::{Error, Result};

pub use fingerprint::fingerprint;
pub use hello::Seat;
pub use hosts::addresses;
pub use lost::lost_peer;

/// What the connect phase needs to know.
pub struct Connect<'a> {
    /// Who this process is.
    pub seat: Seat,
    /// `host:port` of every process, in the order of their indices.
    pub addresses: &'a [String],
    /// `--bind`: `address` or `address:port` to listen on, instead of this process's own line.
    pub bind: Option<&'a str>,
    /// How long the phase may take.
    pub timeout: Duration,
    /// `--report`: is told what happens, a line at a time.
    pub report: &'a dyn Fn(&str),
}

/// The sockets of a process, once all processes are there.
#[derive(Debug)]
pub struct Peers {
    /// Index of this process.
    pub index: usize,
    /// By process; `None` for this one.
    pub sockets: Vec<Option<TcpStream>>,
}

/// Connects this process with all others; `None` if somebody asked for the end meanwhile.
///
/// # Errors
///
/// The own address is taken or not of this machine, the index is taken, another process was
/// started with other numbers or other jobs (exit 65); a process is missing when the time is over
/// (exit 75).
pub fn connect(options: &Connect<'_>, stop: &Stop) -> Result<Option<Peers>> {
    let Seat { index, processes, .. } = options.seat;
    let listener = hosts::listen(&options.addresses[index], options.bind)?;
    let sockets = meeting::meet(options, listener, stop)?;
    let Some(sockets) = sockets else { return Ok(None) };
    for socket in sockets.iter().flatten() {
        wire::prepare(socket).map_err(|error| {
            Error::unreachable(format!("a socket between processes cannot be set up: {error}"))
        })?;
    }
    (options.report)(&format!("process {index}: all {processes} processes are connected"));
    Ok(Some(Peers { index, sockets }))
}
