//! Sockets that never block, so that one slow stranger keeps nobody waiting.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::hello::HELLO_BYTES;
use super::link::Link;

/// A connection and the message of fixed size that comes in on it. Nothing that a stranger says
/// takes more room than this.
pub(super) struct Wire {
    pub(super) link: Link,
    bytes: [u8; HELLO_BYTES],
    length: usize,
}

impl Wire {
    /// Takes a socket that does not block.
    pub(super) fn new(link: Link) -> Wire {
        Wire { link, bytes: [0; HELLO_BYTES], length: 0 }
    }

    /// The next message of `N` bytes once all of it is there, and no byte of the one behind it.
    ///
    /// # Errors
    ///
    /// The other side has hung up.
    pub(super) fn receive<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        while self.length < N {
            match self.link.read(&mut self.bytes[self.length..N]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.length += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.length = 0;
        Ok(self.bytes.first_chunk().copied())
    }

    /// What has come of a message so far.
    pub(super) fn so_far(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Begins to call an address; [`is_answered`] tells when somebody is there.
///
/// # Errors
///
/// Nobody will be.
pub(super) fn call(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if refused(&error) => Err(error),
        // All other errors say that it is not connected yet.
        _ => Ok(socket.into()),
    }
}

fn refused(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::AddrNotAvailable
            | ErrorKind::AddrInUse
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::PermissionDenied
            | ErrorKind::TimedOut
    )
}

/// Whether a call has been answered.
///
/// # Errors
///
/// Nobody is there, or the socket has called itself: a call to a free port of this machine may
/// come from that very port, and would keep its owner from listening there.
pub(super) fn is_answered(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(peer) if peer == stream.local_addr()? => Err(ErrorKind::ConnectionRefused.into()),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads one byte if it has come.
///
/// # Errors
///
/// The other side has hung up.
pub(super) fn byte(link: &mut Link) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match link.read(&mut byte) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(Some(byte[0])),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a socket what timely wants: it blocks, and sends at once. A peer whose machine is gone
/// without a word is noticed after about 15 s.
///
/// # Errors
///
/// The system refuses an option.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    const SILENCE: Duration = Duration::from_secs(5);
    const INTERVAL: Duration = Duration::from_secs(2);
    const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}
