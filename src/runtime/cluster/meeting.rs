//! The loop of the connect phase: one thread, sockets that do not block, a turn every few
//! milliseconds.
//!
//! A process that leaves before "go" is forgotten again, so it may be started anew. Strangers are
//! closed after their first wrong byte, or after a few seconds of silence, and only so many are
//! listened to at a time.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::Connect;
use super::hello::{ANSWER_BYTES, HELLO_BYTES, Hello, MAGIC, Verdict};
use super::{hosts, wire};
use crate::error::{Error, Result};
use crate::runtime::Stop;
use wire::Wire;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// How many callers are listened to at a time.
const GUESTS_MAX: usize = 64;

/// So many refusals are warnings; all others are for those who look closer.
const WARNINGS_MAX: usize = 10;

/// Pause between two turns, and before a call is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// What process 0 is told once a process has all its sockets, and what it tells all then.
const READY: u8 = b'r';
const GO: u8 = b'g';

/// Connects all processes with each other; `None` if somebody asked for the end.
pub(super) fn meet(
    options: &Connect<'_>,
    listener: TcpListener,
    stop: &Stop,
) -> Result<Option<Vec<Option<TcpStream>>>> {
    let failed = |error| Error::unreachable(format!("a listening socket fails: {error}"));
    listener.set_nonblocking(true).map_err(failed)?;
    let deadline = Instant::now() + options.timeout;
    let mut meeting = Meeting::new(options, listener);
    loop {
        if stop.is_asked() {
            return Ok(None);
        }
        meeting.welcome();
        meeting.hear();
        meeting.call()?;
        meeting.forget();
        if meeting.is_agreed()? {
            return Ok(Some(meeting.peers));
        }
        if deadline <= Instant::now() {
            return Err(meeting.missing());
        }
        std::thread::sleep(PAUSES.0);
    }
}

struct Meeting<'a> {
    options: &'a Connect<'a>,
    own: Hello,
    listener: TcpListener,
    guests: Vec<Guest>,
    /// To the processes with lower indices.
    calls: Vec<Call>,
    peers: Vec<Option<TcpStream>>,
    /// Process 0: who has all its sockets. Others: whether process 0 knows that of them.
    ready: Vec<bool>,
    refusals: usize,
}

/// Somebody who has called and not said enough yet.
struct Guest {
    wire: Wire,
    from: SocketAddr,
    until: Instant,
}

/// A call to a process.
struct Call {
    to: usize,
    /// How often it was tried: its addresses take turns.
    attempt: usize,
    /// Not before.
    again: Instant,
    state: Option<(Wire, State, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ringing,
    Answered,
}

impl<'a> Meeting<'a> {
    fn new(options: &'a Connect<'a>, listener: TcpListener) -> Meeting<'a> {
        let (own, again) = (options.seat, Instant::now());
        let call = |to| Call { to, attempt: 0, again, state: None };
        if let Ok(address) = listener.local_addr() {
            let (index, processes) = (own.index, own.processes);
            (options.report)(&format!("process {index} of {processes} listens on {address}"));
        }
        Meeting {
            options,
            own: Hello::new(own),
            listener,
            guests: vec![],
            calls: (0..own.index).map(call).collect(),
            peers: (0..own.processes).map(|_| None).collect(),
            ready: vec![false; own.processes],
            refusals: 0,
        }
    }

    /// Lets callers in.
    fn welcome(&mut self) {
        while self.guests.len() < GUESTS_MAX {
            // What fails here is one caller's connection, or it will be met at the next turn.
            let Ok((stream, from)) = self.listener.accept() else { return };
            if stream.set_nonblocking(true).is_ok() {
                let until = Instant::now() + HANDSHAKE_MAX;
                self.guests.push(Guest { wire: Wire::new(stream), from, until });
            }
        }
    }

    /// Hears who the callers are.
    fn hear(&mut self) {
        for mut guest in std::mem::take(&mut self.guests) {
            match guest.wire.receive(HELLO_BYTES) {
                Err(_) => self.refuse(guest.from, "it hung up before it said who it is"),
                Ok(bytes) => {
                    let begins = bytes.len().min(MAGIC.len());
                    if bytes[..begins] != MAGIC[..begins] {
                        self.refuse(guest.from, "it is no process of highwater");
                    } else if let Some(hello) = Hello::read(bytes) {
                        self.judge(guest, hello);
                    } else if guest.until <= Instant::now() {
                        self.refuse(guest.from, "it did not say who it is");
                    } else {
                        self.guests.push(guest);
                    }
                }
            }
        }
    }

    /// Takes a process in, or tells it why not.
    fn judge(&mut self, guest: Guest, hello: Hello) {
        let index = hello.seat.index;
        let (verdict, why) = match self.own.differs(&hello) {
            Some(why) => (Verdict::Differs, why),
            None if index <= self.own.seat.index || self.peers.len() <= index => {
                (Verdict::Differs, format!("no call is expected from a process {index}"))
            }
            None if self.peers[index].as_ref().is_some_and(|peer| !wire::is_gone(peer)) => {
                (Verdict::Taken, format!("there is a process {index} already"))
            }
            None => (Verdict::Welcome, String::new()),
        };
        let mut stream = guest.wire.stream;
        // A few bytes on a new socket find room; if they do not, the caller is gone.
        let sent = stream.write_all(&verdict.answer(self.own));
        if verdict != Verdict::Welcome {
            self.refuse(guest.from, &why);
        } else if sent.is_ok() {
            self.take(index, stream);
        }
    }

    fn take(&mut self, index: usize, stream: TcpStream) {
        let own = self.own.seat.index;
        (self.options.report)(&format!("process {own} is connected to process {index}"));
        self.ready[index] = false;
        self.peers[index] = Some(stream);
    }

    fn refuse(&mut self, from: SocketAddr, why: &str) {
        self.refusals += 1;
        if self.refusals <= WARNINGS_MAX {
            tracing::warn!("refused a connection from {from}: {why}");
        } else {
            tracing::debug!("refused a connection from {from}: {why}");
        }
    }

    /// Calls the processes with lower indices that are not there yet.
    fn call(&mut self) -> Result<()> {
        for index in 0..self.calls.len() {
            if self.peers[index].is_some() {
                continue;
            }
            let call = &mut self.calls[index];
            let now = Instant::now();
            if call.state.is_none() && call.again <= now {
                call.begin(&self.options.addresses[call.to], now);
            }
            let Some(answer) = call.answer(self.own, now) else { continue };
            let stream = call.state.take().map(|(wire, _, _)| wire.stream);
            if let (Some(stream), true) = (stream, self.is_welcome(index, answer)?) {
                self.take(index, stream);
            }
        }
        Ok(())
    }

    fn is_welcome(&self, to: usize, (other, verdict): (Hello, Verdict)) -> Result<bool> {
        if let Some(error) = verdict.refusal(&self.own, &other) {
            return Err(error);
        }
        if other.seat.index == to {
            return Ok(true);
        }
        let (address, other) = (&self.options.addresses[to], other.seat.index);
        Err(Error::config(format!("at {address} is process {other}, and not process {to}"))
            .hint("give all processes the same host file"))
    }

    /// Forgets those who have left.
    fn forget(&mut self) {
        for index in 0..self.peers.len() {
            if self.peers[index].as_ref().is_some_and(wire::is_gone) {
                let own = self.own.seat.index;
                (self.options.report)(&format!("process {own} has lost process {index}"));
                self.peers[index] = None;
                self.ready[index] = false;
            }
        }
    }

    fn is_complete(&self) -> bool {
        let own = self.own.seat.index;
        self.peers.iter().enumerate().all(|(index, peer)| index == own || peer.is_some())
    }

    /// Whether all processes have all sockets, and all know it.
    fn is_agreed(&mut self) -> Result<bool> {
        if self.own.seat.index == 0 {
            for (peer, ready) in self.peers.iter().zip(&mut self.ready) {
                let Some(peer) = peer.as_ref().filter(|_| !*ready) else { continue };
                // Who has hung up is forgotten at the next turn.
                *ready = matches!(wire::byte(peer), Ok(Some(READY)));
            }
            if !self.is_complete() || !self.ready[1..].iter().all(|ready| *ready) {
                return Ok(false);
            }
            let tell = |mut peer: &TcpStream| peer.write_all(&[GO]);
            return match self.peers.iter().flatten().try_for_each(tell) {
                Ok(()) => Ok(true),
                Err(error) => Err(left(&format!("lost a process: {error}"))),
            };
        }
        if !self.ready[0] {
            if let (true, Some(mut first)) = (self.is_complete(), self.peers[0].as_ref()) {
                self.ready[0] = first.write_all(&[READY]).is_ok();
            }
            return Ok(false);
        }
        let go = self.peers[0].as_ref().map(wire::byte);
        match (go, self.is_complete()) {
            (Some(Ok(Some(GO))), true) => Ok(true),
            (Some(Ok(Some(GO))), false) => Err(left("lost a process")),
            _ => Ok(false),
        }
    }

    /// Names the processes that are not there.
    fn missing(&self) -> Error {
        let own = self.own.seat.index;
        let waited = self.options.timeout.as_secs_f64();
        let name = |index: usize| format!("process {index} ({})", self.options.addresses[index]);
        let others = || (0..self.peers.len()).filter(|index| *index != own);
        let missing: Vec<String> =
            others().filter(|index| self.peers[*index].is_none()).map(name).collect();
        let waits = others().filter(|index| own == 0 && !self.ready[*index]).map(name);
        let what = match missing.as_slice() {
            [] if own == 0 => {
                let waits: Vec<String> = waits.collect();
                format!("{} still waits for another one", waits.join(", "))
            }
            [] => format!("{} has not said that all are there", name(0)),
            [missing] => format!("{missing} is not connected"),
            missing => format!("{} are not connected", missing.join(", ")),
        };
        let hint = "start every process with the same -n and host file, each with its own -p";
        Error::unreachable(format!("after {waited} s {what}")).hint(hint)
    }
}

fn left(what: &str) -> Error {
    Error::unreachable(format!("{what} before the job began")).hint("start the job again")
}

impl Call {
    /// Calls the next address of a process.
    fn begin(&mut self, address: &str, now: Instant) {
        self.again = now + PAUSES.1;
        let Ok(addresses) = hosts::resolve(address) else { return };
        let next = addresses[self.attempt % addresses.len()];
        self.attempt += 1;
        if let Ok(stream) = wire::call(next) {
            self.state = Some((Wire::new(stream), State::Ringing, now + HANDSHAKE_MAX));
        }
    }

    /// The answer, once it is there. What goes wrong ends this attempt.
    fn answer(&mut self, own: Hello, now: Instant) -> Option<(Hello, Verdict)> {
        let (wire, state, until) = self.state.as_mut()?;
        let mut step = || -> std::io::Result<Option<(Hello, Verdict)>> {
            if *state == State::Ringing {
                if !wire::is_answered(&wire.stream)? {
                    return Ok(None);
                }
                wire.stream.write_all(&own.to_bytes())?;
                *state = State::Answered;
            }
            let bytes = wire.receive(ANSWER_BYTES)?;
            let answer = Verdict::read(bytes);
            match answer {
                None if bytes.len() == ANSWER_BYTES => Err(std::io::ErrorKind::InvalidData.into()),
                answer => Ok(answer),
            }
        };
        match step() {
            Ok(None) if now < *until => None,
            Ok(Some(answer)) => Some(answer),
            _ => {
                self.again = now + PAUSES.1;
                self.state = None;
                None
            }
        }
    }
}
