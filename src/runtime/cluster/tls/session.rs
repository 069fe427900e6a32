//! [`Session`]: one TLS connection for a thread that reads and a thread that writes.
//!
//! ```text
//! reads    socket ─► bytes of its own ─┐ lock ┌► pending ─► connection ─► buffer
//! writes   buffer ─► connection ─► bytes of its own ─┘ unlock ─► socket
//! ```
//!
//! The lock is never held while a socket blocks, and the reading side never writes: were both
//! readers to wait for room to write, nobody would make room.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::{AlertDescription, CertificateError, Connection};

use super::{Fault, has_begun};

/// So many bytes are read from a socket at a time: one record and its frame.
const READ_BYTES: usize = 17 << 10;

/// So often within a turn a stranger is read from during the handshake.
const READS_MAX: usize = 4;

/// A TLS connection.
pub(in super::super) struct Session {
    shared: Arc<Mutex<Shared>>,
    /// The other side has begun, with TLS.
    has_begun: bool,
    /// Of the reading side: what was just read.
    received: Vec<u8>,
    /// Of the writing side: what is to be sent.
    sent: Vec<u8>,
}

struct Shared {
    connection: Connection,
    /// What was read from the socket, and from where on the connection has not seen it: it takes
    /// no more while there is something to be read from it.
    pending: Vec<u8>,
    seen: usize,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    pub(super) fn new(connection: Connection) -> Session {
        Session::of(Arc::new(Mutex::new(Shared { connection, pending: vec![], seen: 0 })))
    }

    fn of(shared: Arc<Mutex<Shared>>) -> Session {
        Session { shared, has_begun: false, received: vec![], sent: vec![] }
    }

    /// Goes on with the handshake on a socket that does not block; whether it is done.
    ///
    /// # Errors
    ///
    /// The other side has hung up, or a [`Fault`].
    pub(in super::super) fn advance(&mut self, socket: &TcpStream) -> io::Result<bool> {
        let mut shared = lock(&self.shared)?;
        let connection = &mut shared.connection;
        for _ in 0..READS_MAX {
            // The last words of the caller are sent when for it the handshake is over.
            while connection.wants_write() {
                match connection.write_tls(&mut &*socket) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    written => written?,
                };
            }
            if !connection.is_handshaking() {
                return Ok(true);
            }
            self.has_begun = self.has_begun || has_begun(socket)?;
            if !self.has_begun {
                return Ok(false);
            }
            match connection.read_tls(&mut &*socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                read => read?,
            };
            if let Err(error) = connection.process_new_packets() {
                // The other side is told why, if it still hears.
                let _ = connection.write_tls(&mut &*socket);
                return Err(fault(&error));
            }
        }
        Ok(false)
    }

    /// Bytes that both sides of this connection have and nobody else.
    ///
    /// # Errors
    ///
    /// The handshake is not done.
    pub(in super::super) fn channel(&self) -> io::Result<[u8; 32]> {
        let shared = lock(&self.shared)?;
        let bytes =
            shared.connection.export_keying_material([0; 32], b"EXPORTER-highwater-cluster", None);
        bytes.map_err(|error| fault(&error))
    }

    /// Whether the other side has hung up; of a socket that does not block. Who has said something
    /// that was not read yet has not.
    pub(in super::super) fn is_gone(&self, socket: &TcpStream) -> bool {
        let Ok(mut shared) = lock(&self.shared) else { return true };
        loop {
            match shared.connection.reader().fill_buf() {
                Ok(bytes) => return bytes.is_empty(),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return true,
                Err(_) => {}
            }
            if shared.has_pending() {
                if shared.feed().is_err() {
                    return true;
                }
                continue;
            }
            let mut bytes = [0; READ_BYTES];
            match (&*socket).read(&mut bytes) {
                Ok(0) => return true,
                Ok(length) => shared.pend(&bytes[..length]),
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    /// The same connection, for another thread.
    pub(in super::super) fn share(&self) -> Session {
        Session::of(self.shared.clone())
    }

    /// Reads what the other side has said.
    ///
    /// # Errors
    ///
    /// Those of the socket; the other side has hung up without saying so, or what it says is no
    /// TLS.
    pub(in super::super) fn read(
        &mut self,
        socket: &TcpStream,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        self.received.resize(READ_BYTES, 0);
        loop {
            {
                let mut shared = lock(&self.shared)?;
                match shared.read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
            let length = (&*socket).read(&mut self.received)?;
            let mut shared = lock(&self.shared)?;
            match length {
                0 => shared.end()?,
                _ => shared.pend(&self.received[..length]),
            }
        }
    }

    /// Says something; all of what is taken is sent.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub(in super::super) fn write(
        &mut self,
        socket: &TcpStream,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let length = {
            let mut shared = lock(&self.shared)?;
            let length = shared.connection.writer().write(bytes)?;
            shared.take(&mut self.sent)?;
            length
        };
        let sent = (&*socket).write_all(&self.sent);
        self.sent.clear();
        sent.map(|()| length)
    }

    /// Says that nothing more will come; for the thread that writes.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub(in super::super) fn close(&self, socket: &TcpStream) -> io::Result<()> {
        let mut sent = vec![];
        {
            let mut shared = lock(&self.shared)?;
            shared.connection.send_close_notify();
            shared.take(&mut sent)?;
        }
        (&*socket).write_all(&sent)
    }
}

fn lock(shared: &Mutex<Shared>) -> io::Result<MutexGuard<'_, Shared>> {
    shared.lock().map_err(|_| io::Error::other("the other thread of the connection has failed"))
}

impl Shared {
    fn has_pending(&self) -> bool {
        self.seen < self.pending.len()
    }

    fn pend(&mut self, bytes: &[u8]) {
        if !self.has_pending() {
            self.pending.clear();
            self.seen = 0;
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Lets the connection see some of what is pending.
    fn feed(&mut self) -> io::Result<()> {
        let mut bytes = &self.pending[self.seen..];
        let seen = self.connection.read_tls(&mut bytes)?;
        // It takes nothing more once the other side has said its last word.
        self.seen = if seen == 0 { self.pending.len() } else { self.seen + seen };
        self.connection.process_new_packets().map(|_| ()).map_err(|error| fault(&error))
    }

    /// The other side has closed the socket.
    fn end(&mut self) -> io::Result<()> {
        self.connection.read_tls(&mut io::empty())?;
        self.connection.process_new_packets().map(|_| ()).map_err(|error| fault(&error))
    }

    /// Reads as much as is there; an error of the kind `WouldBlock` if that is nothing.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            match self.connection.reader().read(&mut buffer[length..]) {
                Ok(0) => return Ok(length),
                Ok(read) => length += read,
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    // It comes again when what was said before is read.
                    return if length == 0 { Err(error) } else { Ok(length) };
                }
                Err(_) if self.has_pending() => self.feed()?,
                Err(error) => return if length == 0 { Err(error) } else { Ok(length) },
            }
        }
        Ok(length)
    }

    /// Takes what is to be sent, in its order.
    fn take(&mut self, sent: &mut Vec<u8>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(sent)?;
        }
        Ok(())
    }
}

fn fault(error: &rustls::Error) -> io::Error {
    Fault::Refused(words(error)).into()
}

/// What went wrong, said of the other side, and what to do about it.
fn words(error: &rustls::Error) -> String {
    use AlertDescription as Alert;
    let refused = |why: &str| format!("refuses the certificate of this process: {why}");
    match error {
        rustls::Error::NoCertificatesPresented => {
            "shows no certificate: give it one in `cluster.tls`".into()
        }
        rustls::Error::InvalidCertificate(flaw) => {
            format!("shows a certificate that is refused: {}", flawed(flaw))
        }
        rustls::Error::AlertReceived(alert) => match alert {
            // An authority of the same name and with another key makes a wrong signature.
            Alert::UnknownCA | Alert::DecryptError => {
                refused(&flawed(&CertificateError::UnknownIssuer))
            }
            Alert::CertificateExpired => refused(&flawed(&CertificateError::Expired)),
            Alert::CertificateRequired => refused("there is none; name one in `cluster.tls`"),
            Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
                refused("its log says why")
            }
            other => format!("breaks off TLS ({other:?})"),
        },
        rustls::Error::PeerIncompatible(_) => "does not speak TLS 1.3: it is no highwater".into(),
        other => format!("speaks TLS that is wrong ({other})"),
    }
}

/// What is wrong with a certificate, and what to do about it.
pub(super) fn flawed(flaw: &CertificateError) -> String {
    use CertificateError as Flaw;
    match flaw {
        Flaw::Expired | Flaw::ExpiredContext { .. } => {
            "it has expired; make a new one, or look at the clock".into()
        }
        Flaw::NotValidYet | Flaw::NotValidYetContext { .. } => {
            "it is not valid yet; look at the clocks".into()
        }
        Flaw::UnknownIssuer | Flaw::BadSignature => {
            "no authority in `cluster.tls.ca` has signed it; give all processes the same `ca`, \
             and certificates that it has signed"
                .into()
        }
        Flaw::InvalidPurpose | Flaw::InvalidPurposeContext { .. } => {
            "it is not for servers and clients both; leave `extendedKeyUsage` out, or name \
             `serverAuth,clientAuth`"
                .into()
        }
        other => format!("{other}"),
    }
}
