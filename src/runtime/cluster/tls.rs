//! Mutual TLS 1.3 between the processes of a cluster, below their own handshake.
//!
//! ```text
//! caller                          called
//!   ClientHello ─────────────────►            the first byte tells TLS from a plain process
//!               ◄───────────────── its certificate
//!   its own certificate ─────────►            who is refused hears of it at its first read
//!   ═══ hello, proofs, verdict, all messages of workers ═══
//! ```
//!
//! Each side wants a certificate that the authority in `cluster.tls.ca` has signed, whatever name
//! is in it: addresses of a host file are where a process is, and not who it is.

#[cfg(not(feature = "cluster-tls"))]
mod absent;
#[cfg(feature = "cluster-tls")]
mod keys;
#[cfg(feature = "cluster-tls")]
mod session;
#[cfg(all(test, feature = "cluster-tls"))]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;

use super::hello::MAGIC;
use crate::config;
use crate::error::Result;
#[cfg(not(feature = "cluster-tls"))]
use absent::Keys;
#[cfg(feature = "cluster-tls")]
use keys::Keys;

#[cfg(not(feature = "cluster-tls"))]
pub(super) use absent::Session;
#[cfg(feature = "cluster-tls")]
pub(super) use session::Session;

/// How a client's side of TLS begins.
pub(super) const HANDSHAKE: u8 = 0x16;

/// How a refusal in TLS begins.
pub(super) const ALERT: u8 = 0x15;

/// What a plain process hears from one that speaks TLS: the alert `unexpected_message`.
pub(super) const UNEXPECTED: [u8; 7] = [ALERT, 3, 3, 0, 2, 2, 10];

/// Certificate, key and authority of a process; or none, and its connections are plain.
#[derive(Clone, Debug, Default)]
pub struct Tls(Option<Arc<Keys>>);

impl Tls {
    /// Plain connections.
    pub fn none() -> Tls {
        Tls::default()
    }

    /// What `cluster.tls` names.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is something else, others may read the key, it is not that of the
    /// certificate, or the authority would refuse the certificate of this very process; the engine
    /// was built without TLS.
    pub fn from_files(files: &config::Tls) -> Result<Tls> {
        Ok(Tls(Some(Arc::new(Keys::read(files)?))))
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn call(&self) -> io::Result<Option<Session>> {
        self.0.as_ref().map(|keys| keys.call()).transpose()
    }

    pub(super) fn answer(&self) -> io::Result<Option<Session>> {
        self.0.as_ref().map(|keys| keys.answer()).transpose()
    }
}

/// Why TLS with somebody came to nothing; the reason of an [`io::Error`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is a process of highwater that speaks without.
    Plaintext,
    /// It is something else.
    Stranger,
    /// One side refuses the other; a sentence without its subject, who is the other side.
    #[cfg_attr(not(feature = "cluster-tls"), expect(dead_code, reason = "TLS alone says it"))]
    Refused(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Plaintext => "a process that speaks without TLS",
            Fault::Stranger => "no process of highwater",
            Fault::Refused(words) => words,
        })
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, fault)
    }
}

impl Fault {
    /// The one in an error.
    pub(super) fn of(error: &io::Error) -> Option<&Fault> {
        error.get_ref()?.downcast_ref()
    }
}

/// Whether the other side has begun with TLS; false as long as too little has come to tell.
///
/// # Errors
///
/// It has hung up, or begun with something else.
#[cfg_attr(not(feature = "cluster-tls"), expect(dead_code, reason = "TLS alone asks"))]
fn has_begun(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0; MAGIC.len()];
    let length = match socket.peek(&mut first) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        length => length?,
    };
    match first[0] {
        _ if length == 0 => Err(ErrorKind::UnexpectedEof.into()),
        HANDSHAKE | ALERT => Ok(true),
        _ if first == MAGIC => Err(Fault::Plaintext.into()),
        _ if MAGIC.starts_with(&first[..length]) => Ok(false),
        _ => Err(Fault::Stranger.into()),
    }
}
