//! The called side of a handshake: somebody who has not said yet who it is.

use std::borrow::Cow;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::hello::{HELLO_BYTES, Hello, MAGIC, Verdict};
use super::link::Link;
use super::refusals::Reason;
use super::secret::{PROOF_BYTES, Role, Said, Secret, random};
use super::tls::{self, Fault, Tls};
use super::wire::Wire;

/// How long a handshake may take.
pub(super) const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

const STRANGER: &str = "it is no process of highwater";

/// Somebody who has called.
pub(super) struct Guest {
    wire: Wire,
    pub(super) from: SocketAddr,
    until: Instant,
    /// The two hellos, once they are exchanged.
    said: Option<([u8; HELLO_BYTES], [u8; HELLO_BYTES])>,
}

/// What is known of a guest.
#[derive(Debug)]
pub(super) enum Heard {
    /// Not enough yet.
    Little,
    /// It is a process that knows the secret.
    Hello(Hello),
    /// It is none; why, and in words.
    Refused(Reason, Cow<'static, str>),
}

fn refused(reason: Reason, why: &'static str) -> Heard {
    Heard::Refused(reason, why.into())
}

impl Guest {
    /// Takes a call; `None` for a socket that cannot be used.
    pub(super) fn new(stream: TcpStream, from: SocketAddr, tls: &Tls) -> Option<Guest> {
        stream.set_nonblocking(true).ok()?;
        let link = Link::called(stream, tls).ok()?;
        let until = Instant::now() + HANDSHAKE_MAX;
        Some(Guest { wire: Wire::new(link), from, until, said: None })
    }

    /// Hears what it says; `own` makes the hello of this process from a nonce.
    pub(super) fn hear(&mut self, own: impl Fn([u8; 32]) -> Hello, secret: &Secret) -> Heard {
        let heard = match (self.wire.link.is_secured(), self.said) {
            (Ok(false), _) => Ok(Heard::Little),
            (Ok(true), None) => self.greet(own),
            (Ok(true), Some(_)) => self.prove(secret),
            (Err(error), _) => Err(error),
        };
        match heard {
            Ok(Heard::Little) if self.until <= Instant::now() => {
                refused(Reason::Slow, "it did not say in time who it is")
            }
            Ok(heard) => heard,
            Err(error) => match Fault::of(&error) {
                Some(fault) => self.fault(fault),
                None => refused(Reason::HungUp, "it hung up before it said who it is"),
            },
        }
    }

    /// Turns somebody away with whom there is no TLS.
    fn fault(&self, fault: &Fault) -> Heard {
        match fault {
            Fault::Stranger => refused(Reason::Stranger, STRANGER),
            Fault::Plaintext => {
                self.wire.link.refuse(&tls::UNEXPECTED);
                let why = "it speaks without TLS, which this process wants: give it `cluster.tls`";
                refused(Reason::Plaintext, why)
            }
            Fault::Refused(words) => {
                self.wire.link.refuse(&[]);
                Heard::Refused(Reason::Tls, format!("it {words}").into())
            }
        }
    }

    fn greet(&mut self, own: impl Fn([u8; 32]) -> Hello) -> io::Result<Heard> {
        let hello = self.wire.receive::<HELLO_BYTES>()?;
        let begin = hello.as_ref().map_or(self.wire.so_far(), |hello| &hello[..]);
        let length = begin.len().min(MAGIC.len());
        if begin[..length] != MAGIC[..length] {
            if begin[0] == tls::HANDSHAKE && !self.wire.link.has_tls() {
                self.wire.link.refuse(&MAGIC);
                let why = "it speaks TLS, and this process does not: give all the same \
                           `cluster.tls`, or none";
                return Ok(refused(Reason::Tls, why));
            }
            return Ok(refused(Reason::Stranger, STRANGER));
        }
        let Some(caller) = hello else { return Ok(Heard::Little) };
        let called = own(random().map_err(io::Error::other)?).to_bytes();
        // A few bytes on a new socket find room; if they do not, the caller is gone.
        self.wire.link.write_all(&called)?;
        self.said = Some((caller, called));
        Ok(Heard::Little)
    }

    fn prove(&mut self, secret: &Secret) -> io::Result<Heard> {
        let (Some((caller, called)), Some(proof)) =
            (&self.said, self.wire.receive::<PROOF_BYTES>()?)
        else {
            return Ok(Heard::Little);
        };
        let (hello, secret) = (Hello::read(caller), &self.wire.link.bind(secret)?);
        let said = Said { caller, called, more: &[] };
        match hello.filter(|_| secret.verifies(Role::Caller, said, &proof)) {
            Some(hello) => Ok(Heard::Hello(hello)),
            None => {
                let verdict = Verdict::Secret.to_bytes(secret, caller, called);
                // It is refused whether it hears of it or not.
                let _ = self.wire.link.write_all(&verdict);
                Ok(refused(Reason::Secret, "it does not know the secret of the job"))
            }
        }
    }

    /// Tells it what is made of it; the connection, if it has heard.
    pub(super) fn answer(mut self, verdict: Verdict, secret: &Secret) -> Option<Link> {
        let (caller, called) = self.said?;
        let secret = self.wire.link.bind(secret).ok()?;
        let verdict = verdict.to_bytes(&secret, &caller, &called);
        self.wire.link.write_all(&verdict).ok()?;
        Some(self.wire.link)
    }
}
