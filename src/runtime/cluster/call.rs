//! The calling side of a handshake: a process with a lower index, called until it answers.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::guest::HANDSHAKE_MAX;
use super::hello::{HELLO_BYTES, Hello, VERDICT_BYTES, Verdict};
use super::secret::{Role, Said, Secret, random};
use super::wire::Wire;
use super::{hosts, wire};

/// Before a call is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The same, where the secrets differ: somebody has to act.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// A call to a process.
pub(super) struct Call {
    /// Its index.
    pub(super) to: usize,
    /// Whether the one who answers there knows another secret, or none.
    pub(super) is_doubted: bool,
    /// How often it was tried: its addresses take turns.
    attempt: usize,
    /// Not before.
    again: Instant,
    talk: Option<(Wire, Step, Instant)>,
}

#[derive(Clone, Copy)]
enum Step {
    Ringing,
    /// With the own hello, as it was sent.
    Greeting([u8; HELLO_BYTES]),
    /// With both hellos.
    Proving([u8; HELLO_BYTES], [u8; HELLO_BYTES]),
}

/// What became of a call.
pub(super) struct Answer {
    pub(super) own: Hello,
    pub(super) other: Hello,
    pub(super) verdict: Verdict,
    pub(super) stream: TcpStream,
}

impl Call {
    pub(super) fn new(to: usize) -> Call {
        Call { to, is_doubted: false, attempt: 0, again: Instant::now(), talk: None }
    }

    /// Calls, or goes on with the call; the answer, once it is there. What goes wrong ends this
    /// attempt. `own` makes the hello of this process from a nonce.
    pub(super) fn step(
        &mut self,
        address: &str,
        own: impl Fn([u8; 32]) -> Hello,
        secret: &Secret,
    ) -> Option<Answer> {
        let now = Instant::now();
        if self.talk.is_none() && self.again <= now {
            self.begin(address, now);
        }
        let (wire, step, until) = self.talk.as_mut()?;
        match advance(wire, step, own, secret) {
            Ok(None) if now < *until => None,
            Ok(Some((own, other, verdict))) => {
                let (wire, _, _) = self.talk.take()?;
                let pause = if verdict == Verdict::Secret { LONG_PAUSE } else { PAUSE };
                self.again = now + pause;
                Some(Answer { own, other, verdict, stream: wire.stream })
            }
            _ => {
                self.hang_up();
                None
            }
        }
    }

    /// Ends this attempt.
    pub(super) fn hang_up(&mut self) {
        self.again = Instant::now() + PAUSE;
        self.talk = None;
    }

    /// Calls the next address of the process.
    fn begin(&mut self, address: &str, now: Instant) {
        self.again = now + PAUSE;
        let Ok(addresses) = hosts::resolve(address) else { return };
        let next = addresses[self.attempt % addresses.len()];
        self.attempt += 1;
        if let Ok(stream) = wire::call(next) {
            self.talk = Some((Wire::new(stream), Step::Ringing, now + HANDSHAKE_MAX));
        }
    }
}

fn advance(
    wire: &mut Wire,
    step: &mut Step,
    own: impl Fn([u8; 32]) -> Hello,
    secret: &Secret,
) -> io::Result<Option<(Hello, Hello, Verdict)>> {
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    if let Step::Ringing = step {
        if !wire::is_answered(&wire.stream)? {
            return Ok(None);
        }
        let caller = own(random().map_err(io::Error::other)?).to_bytes();
        wire.stream.write_all(&caller)?;
        *step = Step::Greeting(caller);
    }
    if let Step::Greeting(caller) = *step {
        let Some(called) = wire.receive::<HELLO_BYTES>()? else { return Ok(None) };
        Hello::read(&called).ok_or_else(strange)?;
        let said = Said { caller: &caller, called: &called, more: &[] };
        wire.stream.write_all(&secret.prove(Role::Caller, said))?;
        *step = Step::Proving(caller, called);
    }
    let Step::Proving(caller, called) = *step else { return Ok(None) };
    let Some(verdict) = wire.receive::<VERDICT_BYTES>()? else { return Ok(None) };
    let verdict = Verdict::read(&verdict, secret, &caller, &called).ok_or_else(strange)?;
    let own = Hello::read(&caller).ok_or_else(strange)?;
    let other = Hello::read(&called).ok_or_else(strange)?;
    Ok(Some((own, other, verdict)))
}
