//! The loop of the connect phase: one thread, sockets that do not block, a turn every few
//! milliseconds.
//!
//! A process that leaves before "go" is forgotten again, so it may be started anew. When process 0
//! leaves, the others leave its generation: they close their sockets, hear of the next one from the
//! next process 0, and take nobody in who still belongs to the old one. Strangers are closed after
//! their first wrong byte, or after a few seconds of silence, and only so many are listened to at a
//! time.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::call::{ALIKE, Answer, Call, SHARE};
use super::guest::{Guest, Heard};
use super::hello::{Hello, Verdict};
use super::link::Link;
use super::refusals::{Reason, Refusals};
use super::{Connect, Generation, wire};
use crate::error::{Error, Result};
use crate::runtime::Stop;

/// How many strangers are listened to at a time; the oldest has to go when one more comes.
const GUESTS_MAX: usize = 64;

/// Pause between two turns.
const PAUSE: Duration = Duration::from_millis(2);

/// What process 0 is told once a process has all its sockets, and what it tells all then.
const READY: u8 = b'r';
const GO: u8 = b'g';

/// What the meeting of all processes comes to.
pub(super) struct Met {
    /// By process; `None` for this one.
    pub(super) links: Vec<Option<Link>>,
    pub(super) generation: Generation,
    pub(super) refusals: Refusals,
}

/// Connects all processes with each other; `None` if somebody asked for the end.
pub(super) fn meet(
    options: &Connect<'_>,
    listener: TcpListener,
    stop: &Stop,
) -> Result<Option<Met>> {
    let failed = |error| Error::unreachable(format!("a listening socket fails: {error}"));
    listener.set_nonblocking(true).map_err(failed)?;
    let deadline = Instant::now() + options.timeout;
    let mut meeting = Meeting::new(options, listener)?;
    loop {
        if stop.is_asked() {
            return Ok(None);
        }
        meeting.welcome();
        meeting.hear();
        meeting.call()?;
        meeting.forget();
        if let (true, Some(generation)) = (meeting.is_agreed()?, meeting.generation) {
            let Meeting { peers: links, refusals, .. } = meeting;
            return Ok(Some(Met { links, generation, refusals }));
        }
        if deadline <= Instant::now() {
            return Err(meeting.missing());
        }
        std::thread::sleep(PAUSE);
    }
}

struct Meeting<'a> {
    options: &'a Connect<'a>,
    listener: TcpListener,
    /// Made by process 0, heard from it by all others.
    generation: Option<Generation>,
    guests: Vec<Guest>,
    /// To the processes with lower indices.
    calls: Vec<Call>,
    peers: Vec<Option<Link>>,
    /// Process 0: who has all its sockets. Others: whether process 0 knows that of them.
    ready: Vec<bool>,
    refusals: Refusals,
}

impl<'a> Meeting<'a> {
    fn new(options: &'a Connect<'a>, listener: TcpListener) -> Result<Meeting<'a>> {
        let own = options.seat;
        if let Ok(address) = listener.local_addr() {
            let (index, processes) = (own.index, own.processes);
            (options.report)(&format!("process {index} of {processes} listens on {address}"));
        }
        let generation = match own.index {
            0 => Some(Generation::mint(options.generation)?),
            _ => None,
        };
        Ok(Meeting {
            options,
            listener,
            generation,
            guests: vec![],
            calls: (0..own.index).map(Call::new).collect(),
            peers: (0..own.processes).map(|_| None).collect(),
            ready: vec![false; own.processes],
            refusals: Refusals::default(),
        })
    }

    /// Lets callers in.
    fn welcome(&mut self) {
        for _ in 0..GUESTS_MAX {
            // What fails here is one caller's connection, or it will be met at the next turn.
            let Ok((stream, from)) = self.listener.accept() else { return };
            self.guests.extend(Guest::new(stream, from, self.options.tls));
            if GUESTS_MAX < self.guests.len() {
                let oldest = self.guests.remove(0);
                self.refusals.count(oldest.from, Reason::Crowd, "too many others came after it");
            }
        }
    }

    /// Hears who the callers are.
    fn hear(&mut self) {
        let (seat, generation) = (self.options.seat, self.generation);
        for mut guest in std::mem::take(&mut self.guests) {
            let own = |nonce| Hello::new(seat, generation, nonce);
            match guest.hear(own, self.options.secret) {
                Heard::Little => self.guests.push(guest),
                Heard::Hello(hello) => self.answer(guest, &hello),
                Heard::Refused(reason, why) => self.refusals.count(guest.from, reason, &why),
            }
        }
    }

    /// Takes a process in, or tells it why not.
    fn answer(&mut self, guest: Guest, hello: &Hello) {
        let (verdict, why) = self.judge(hello);
        let (index, from) = (hello.seat.index, guest.from);
        let link = guest.answer(verdict, self.options.secret);
        if let Some(reason) = verdict.reason() {
            self.refusals.count(from, reason, &why);
        }
        if verdict == Verdict::Welcome
            && let Some(link) = link
        {
            self.take(index, link);
        }
        if verdict == Verdict::Generation && self.generation < hello.generation {
            self.begin_again("there is a newer generation");
        }
    }

    /// What to make of a process that knows the secret.
    fn judge(&self, hello: &Hello) -> (Verdict, String) {
        let (own, index) = (self.options.seat, hello.seat.index);
        if let Some(why) = Hello::new(own, None, [0; 32]).differs(hello) {
            return (Verdict::Differs, why);
        }
        if index <= own.index || self.peers.len() <= index {
            return (Verdict::Differs, format!("no call is expected from a process {index}"));
        }
        match (self.generation, hello.generation) {
            // All others hear of it from process 0.
            (Some(_), None) if own.index == 0 => {}
            (Some(here), Some(there)) if here != there => {
                let age = if there < here { "an older" } else { "a newer" };
                return (Verdict::Generation, format!("process {index} is of {age} generation"));
            }
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => return (Verdict::Later, String::new()),
        }
        if own.index == 0 && own.resumed != hello.seat.resumed {
            return (
                Verdict::Checkpoint,
                format!("process {index} goes on from another checkpoint"),
            );
        }
        match &self.peers[index] {
            Some(peer) if !peer.is_gone() => {
                (Verdict::Taken, format!("there is a process {index} already"))
            }
            _ => (Verdict::Welcome, String::new()),
        }
    }

    fn take(&mut self, index: usize, link: Link) {
        let own = self.options.seat.index;
        (self.options.report)(&format!("process {own} is connected to process {index}"));
        self.ready[index] = false;
        self.peers[index] = Some(link);
    }

    /// Calls the processes with lower indices that are not there yet: process 0 first.
    fn call(&mut self) -> Result<()> {
        let seat = self.options.seat;
        for index in 0..self.calls.len() {
            let generation = self.generation;
            if self.peers[index].is_some() || (index != 0 && generation.is_none()) {
                continue;
            }
            let own = |nonce| Hello::new(seat, generation, nonce);
            let answer = self.calls[index].step(self.options, own);
            if let Some(answer) = answer {
                self.is_answered(index, answer)?;
            }
        }
        Ok(())
    }

    fn is_answered(&mut self, to: usize, answer: Answer) -> Result<()> {
        let Answer { own, other, verdict, link } = answer;
        if let Some(error) = verdict.refusal(&own, &other) {
            return Err(error);
        }
        if other.seat.index != to {
            let (address, other) = (&self.options.addresses[to], other.seat.index);
            return Err(Error::config(format!(
                "at {address} is process {other}, and not process {to}"
            ))
            .hint("give all processes the same host file"));
        }
        match verdict {
            Verdict::Welcome => {
                self.calls[to].doubt = None;
                if to == 0 {
                    self.generation = other.generation;
                }
                self.take(to, link);
            }
            Verdict::Generation if self.generation < other.generation => {
                self.begin_again("there is a newer generation");
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets those who have left.
    fn forget(&mut self) {
        for index in 0..self.peers.len() {
            if self.peers[index].as_ref().is_some_and(Link::is_gone) {
                let own = self.options.seat.index;
                (self.options.report)(&format!("process {own} has lost process {index}"));
                self.peers[index] = None;
                self.ready[index] = false;
                if index == 0 {
                    self.begin_again("its process 0 is gone");
                }
            }
        }
    }

    /// Leaves a generation that will come to nothing, to hear of the next one from process 0.
    fn begin_again(&mut self, why: &str) {
        let own = self.options.seat.index;
        if own != 0 && self.generation.is_some() {
            (self.options.report)(&format!("process {own} leaves its generation: {why}"));
            self.generation = None;
            self.peers.iter_mut().for_each(|peer| *peer = None);
            self.ready.fill(false);
            self.calls.iter_mut().for_each(Call::hang_up);
        }
    }

    fn is_complete(&self) -> bool {
        let own = self.options.seat.index;
        self.peers.iter().enumerate().all(|(index, peer)| index == own || peer.is_some())
    }

    /// Whether all processes have all sockets, and all know it.
    fn is_agreed(&mut self) -> Result<bool> {
        if self.options.seat.index == 0 {
            for (peer, ready) in self.peers.iter_mut().zip(&mut self.ready) {
                let Some(peer) = peer.as_mut().filter(|_| !*ready) else { continue };
                // Who has hung up is forgotten at the next turn.
                *ready = matches!(wire::byte(peer), Ok(Some(READY)));
            }
            if !self.is_complete() || !self.ready[1..].iter().all(|ready| *ready) {
                return Ok(false);
            }
            let tell = |peer: &mut Link| peer.write_all(&[GO]);
            return match self.peers.iter_mut().flatten().try_for_each(tell) {
                Ok(()) => Ok(true),
                Err(error) => Err(left(&format!("lost a process: {error}"))),
            };
        }
        if !self.ready[0] {
            if let (true, Some(first)) = (self.is_complete(), self.peers[0].as_mut()) {
                self.ready[0] = first.write_all(&[READY]).is_ok();
            }
            return Ok(false);
        }
        let go = self.peers[0].as_mut().map(wire::byte);
        match (go, self.is_complete()) {
            (Some(Ok(Some(GO))), true) => Ok(true),
            (Some(Ok(Some(GO))), false) => Err(left("lost a process")),
            _ => Ok(false),
        }
    }

    /// Names the processes that are not there.
    fn missing(&self) -> Error {
        let own = self.options.seat.index;
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
        let mut missed = self.calls.iter().filter(|call| self.peers[call.to].is_none());
        if let Some((to, doubt)) = missed.find_map(|call| Some((call.to, call.doubt.as_ref()?))) {
            return Error::config(doubt.of(&name(to))).hint(doubt.hint());
        }
        let error = Error::unreachable(format!("after {waited} s {what}"));
        if 0 < self.refusals.of(Reason::Secret) {
            return error.hint(format!("who did not know the secret was refused: {SHARE}"));
        }
        if 0 < self.refusals.of(Reason::Tls) + self.refusals.of(Reason::Plaintext) {
            return error.hint(format!(
                "who did not speak as this process does was refused, the log says why: {ALIKE}"
            ));
        }
        error.hint("start every process with the same -n and host file, each with its own -p")
    }
}

fn left(what: &str) -> Error {
    Error::unreachable(format!("{what} before the job began")).hint("start the job again")
}
