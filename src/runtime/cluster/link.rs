//! [`Link`]: the connection between two processes, plain or under TLS.
//!
//! Until all processes are there its socket does not block; then it is what timely reads on one
//! thread and writes on another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::secret::Secret;
use super::tls::{Session, Tls};

/// What is left of a call that is refused is read up to here, so that the refusal arrives: who
/// closes a socket with unread bytes takes back what it has sent.
const LEFTOVER_BYTES: usize = 16 << 10;

/// A connection between two processes.
#[derive(Debug)]
pub struct Link {
    socket: TcpStream,
    /// `None` for one that is plain.
    session: Option<Session>,
}

impl Link {
    /// Of the process that calls.
    ///
    /// # Errors
    ///
    /// TLS cannot begin.
    pub(super) fn caller(socket: TcpStream, tls: &Tls) -> io::Result<Link> {
        Ok(Link { socket, session: tls.call()? })
    }

    /// Of the process that is called.
    ///
    /// # Errors
    ///
    /// TLS cannot begin.
    pub(super) fn called(socket: TcpStream, tls: &Tls) -> io::Result<Link> {
        Ok(Link { socket, session: tls.answer()? })
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether it is to be under TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.session.is_some()
    }

    /// Goes on with the handshake of TLS; whether it is done. There is none on a plain connection.
    ///
    /// # Errors
    ///
    /// The other side has hung up, or a [`Fault`](super::tls::Fault).
    pub(super) fn is_secured(&mut self) -> io::Result<bool> {
        match &mut self.session {
            None => Ok(true),
            Some(session) => session.advance(&self.socket),
        }
    }

    /// The secret as it holds for this connection alone: under TLS a proof is of no use on another
    /// one, so nobody in between can pass it on, even with a certificate of the authority.
    ///
    /// # Errors
    ///
    /// The handshake of TLS is not done.
    pub(super) fn bind(&self, secret: &Secret) -> io::Result<Secret> {
        match &self.session {
            None => Ok(secret.clone()),
            Some(session) => Ok(secret.bound(&session.channel()?)),
        }
    }

    /// Says something that is not TLS to somebody who is refused, and reads what it has sent.
    pub(super) fn refuse(&self, words: &[u8]) {
        // It is refused whether it hears of it or not.
        let _ = (&self.socket).write_all(words);
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = (&self.socket).read(&mut [0; LEFTOVER_BYTES]);
    }

    /// Whether the other side has hung up; of a socket that does not block.
    pub(super) fn is_gone(&self) -> bool {
        match &self.session {
            Some(session) => session.is_gone(&self.socket),
            None => match self.socket.peek(&mut [0]) {
                Ok(length) => length == 0,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            },
        }
    }

    /// A second handle, for the thread that reads or the one that writes.
    ///
    /// # Errors
    ///
    /// The system has no more handles.
    pub(super) fn try_clone(&self) -> io::Result<Link> {
        let session = self.session.as_ref().map(Session::share);
        Ok(Link { socket: self.socket.try_clone()?, session })
    }

    /// Ends one direction or both; whoever reads there learns that it was on purpose.
    ///
    /// # Errors
    ///
    /// The socket fails.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if let (Some(session), Shutdown::Write | Shutdown::Both) = (&self.session, how) {
            session.close(&self.socket)?;
        }
        self.socket.shutdown(how)
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.read(buffer),
            Some(session) => session.read(&self.socket, buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write(bytes),
            Some(session) => session.write(&self.socket, bytes),
        }
    }

    /// Nothing is kept back here.
    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
