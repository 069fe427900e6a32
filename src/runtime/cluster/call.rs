//! The calling side of a handshake: a process with a lower index, called until it answers.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::guest::HANDSHAKE_MAX;
use super::hello::{HELLO_BYTES, Hello, VERDICT_BYTES, Verdict};
use super::link::Link;
use super::secret::{Role, Said, Secret, random};
use super::tls::{ALERT, Fault, Tls};
use super::wire::Wire;
use super::{Connect, hosts, wire};

/// Before a call is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The same, where somebody has to act.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// What to do about secrets that differ.
pub(super) const SHARE: &str =
    "give all processes of a job the same --secret-file, or none of them one";

/// What to do about TLS that differs.
pub(super) const ALIKE: &str =
    "give all processes of a job a `cluster.tls` with the same authority, or none of them one";

/// A call to a process.
pub(super) struct Call {
    /// Its index.
    pub(super) to: usize,
    /// Why the one who answers there is not taken for the process.
    pub(super) doubt: Option<Doubt>,
    /// How often it was tried: its addresses take turns.
    attempt: usize,
    /// Not before.
    again: Instant,
    talk: Option<(Wire, Step, Instant)>,
}

/// Why one who answers is not taken for a process. It may be a stranger who came before it, so it
/// is called again until the time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It knows another secret, or none.
    Secret,
    /// It speaks without TLS, and this process with.
    Plaintext,
    /// The other way round.
    Tls,
    /// One of the two refuses the certificate of the other.
    Certificate(String),
}

impl Doubt {
    /// In words, of a process.
    pub(super) fn of(&self, process: &str) -> String {
        match self {
            Doubt::Secret => format!("{process} and this process do not share a secret"),
            Doubt::Plaintext => format!("{process} speaks without TLS, and this process with it"),
            Doubt::Tls => format!("{process} speaks TLS, and this process does not"),
            Doubt::Certificate(words) => format!("{process} {words}"),
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        if *self == Doubt::Secret { SHARE } else { ALIKE }
    }

    /// What a call has ended with; `None` if that tells nothing.
    fn at(error: &io::Error, wire: &Wire) -> Option<Doubt> {
        match Fault::of(error) {
            Some(Fault::Plaintext) => Some(Doubt::Plaintext),
            Some(Fault::Refused(words)) => Some(Doubt::Certificate(words.clone())),
            Some(Fault::Stranger) => None,
            None => {
                let is_alert = wire.so_far().first() == Some(&ALERT);
                (is_alert && !wire.link.has_tls()).then_some(Doubt::Tls)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Ringing,
    /// It has answered, and TLS begins.
    Securing,
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
    pub(super) link: Link,
}

impl Call {
    pub(super) fn new(to: usize) -> Call {
        Call { to, doubt: None, attempt: 0, again: Instant::now(), talk: None }
    }

    /// Calls, or goes on with the call; the answer, once it is there. What goes wrong ends this
    /// attempt. `own` makes the hello of this process from a nonce.
    pub(super) fn step(
        &mut self,
        options: &Connect<'_>,
        own: impl Fn([u8; 32]) -> Hello,
    ) -> Option<Answer> {
        let (now, address) = (Instant::now(), &options.addresses[self.to]);
        if self.talk.is_none() && self.again <= now {
            self.begin(address, options.tls, now);
        }
        let (wire, step, until) = self.talk.as_mut()?;
        let doubt = match advance(wire, step, own, options.secret) {
            Ok(None) if now < *until => return None,
            Ok(None) => None,
            Ok(Some((_, _, Verdict::Secret))) => Some(Doubt::Secret),
            Ok(Some((own, other, verdict))) => {
                let (wire, _, _) = self.talk.take()?;
                self.again = now + PAUSE;
                return Some(Answer { own, other, verdict, link: wire.link });
            }
            Err(error) => Doubt::at(&error, wire),
        };
        self.hang_up();
        if let Some(doubt) = doubt {
            self.again = now + LONG_PAUSE;
            if self.doubt.as_ref() != Some(&doubt) {
                tracing::warn!("{}", doubt.of(&format!("process {} ({address})", self.to)));
            }
            self.doubt = Some(doubt);
        }
        None
    }

    /// Ends this attempt.
    pub(super) fn hang_up(&mut self) {
        self.again = Instant::now() + PAUSE;
        self.talk = None;
    }

    /// Calls the next address of the process.
    fn begin(&mut self, address: &str, tls: &Tls, now: Instant) {
        self.again = now + PAUSE;
        let Ok(addresses) = hosts::resolve(address) else { return };
        let next = addresses[self.attempt % addresses.len()];
        self.attempt += 1;
        if let Ok(link) = wire::call(next).and_then(|stream| Link::caller(stream, tls)) {
            self.talk = Some((Wire::new(link), Step::Ringing, now + HANDSHAKE_MAX));
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
        if !wire::is_answered(wire.link.socket())? {
            return Ok(None);
        }
        *step = Step::Securing;
    }
    if let Step::Securing = step {
        if !wire.link.is_secured()? {
            return Ok(None);
        }
        let caller = own(random().map_err(io::Error::other)?).to_bytes();
        wire.link.write_all(&caller)?;
        *step = Step::Greeting(caller);
    }
    if let Step::Greeting(caller) = *step {
        let Some(called) = wire.receive::<HELLO_BYTES>()? else { return Ok(None) };
        Hello::read(&called).ok_or_else(strange)?;
        let said = Said { caller: &caller, called: &called, more: &[] };
        let proof = wire.link.bind(secret)?.prove(Role::Caller, said);
        wire.link.write_all(&proof)?;
        *step = Step::Proving(caller, called);
    }
    let Step::Proving(caller, called) = *step else { return Ok(None) };
    let Some(verdict) = wire.receive::<VERDICT_BYTES>()? else { return Ok(None) };
    let verdict =
        Verdict::read(&verdict, &wire.link.bind(secret)?, &caller, &called).ok_or_else(strange)?;
    let own = Hello::read(&caller).ok_or_else(strange)?;
    let other = Hello::read(&called).ok_or_else(strange)?;
    Ok(Some((own, other, verdict)))
}
