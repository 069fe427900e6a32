//! What two processes say to each other first, and what they make of it.
//!
//! ```text
//! hello   magic 8 · version 4 · index 4 · processes 4 · threads 4 · fingerprint 8     32 bytes
//! answer  hello of the other side · verdict 4                                        36 bytes
//! ```
//!
//! Numbers are big endian.

use crate::error::Error;

/// Length of a hello.
pub(super) const HELLO_BYTES: usize = 32;

/// Length of an answer.
pub(super) const ANSWER_BYTES: usize = HELLO_BYTES + 4;

/// How every hello begins.
pub(super) const MAGIC: [u8; 8] = *b"hghwater";

/// Version of this protocol, and of what follows on the socket.
const VERSION: u32 = 1;

/// Who a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its index.
    pub index: usize,
    /// How many processes there are.
    pub processes: usize,
    /// Worker threads in each of them.
    pub threads: usize,
    /// Hash of its jobs, from [`super::fingerprint()`].
    pub fingerprint: u64,
}

/// A hello that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    version: u32,
    pub(super) seat: Seat,
}

/// What the called side makes of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs here.
    Welcome,
    /// It was started with other numbers or jobs.
    Differs,
    /// There is another process with its index.
    Taken,
}

impl Hello {
    /// Of this process.
    pub(super) fn new(seat: Seat) -> Hello {
        Hello { version: VERSION, seat }
    }

    /// As it is sent.
    pub(super) fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let Seat { index, processes, threads, fingerprint } = self.seat;
        let mut bytes = [0; HELLO_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        let numbers = [self.version, index as u32, processes as u32, threads as u32];
        for (place, number) in bytes[8..24].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes[24..].copy_from_slice(&fingerprint.to_be_bytes());
        bytes
    }

    /// Reads a hello; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Hello> {
        let bytes: &[u8; HELLO_BYTES] = bytes.get(..HELLO_BYTES)?.try_into().ok()?;
        if bytes[..8] != MAGIC {
            return None;
        }
        let number = |at: usize| {
            let bytes = bytes[at..at + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes)
        };
        let fingerprint = u64::from_be_bytes(bytes[24..].try_into().expect("eight bytes"));
        let seat = Seat {
            index: number(12) as usize,
            processes: number(16) as usize,
            threads: number(20) as usize,
            fingerprint,
        };
        Some(Hello { version: number(8), seat })
    }

    /// In what two processes differ that must be the same in both: what the other one has, and
    /// what `self` has.
    pub(super) fn differs(&self, other: &Hello) -> Option<String> {
        let name = format!("process {}", other.seat.index);
        let (own, seat) = (&self.seat, &other.seat);
        if self.version != other.version {
            let (theirs, own) = (other.version, self.version);
            return Some(format!("{name} speaks protocol version {theirs}, this one {own}"));
        }
        if own.processes != seat.processes {
            let (theirs, own) = (seat.processes, own.processes);
            return Some(format!("{name} was started with -n {theirs}, this one with -n {own}"));
        }
        if own.threads != seat.threads {
            let (theirs, own) = (seat.threads, own.threads);
            return Some(format!("{name} was started with -w {theirs}, this one with -w {own}"));
        }
        (own.fingerprint != seat.fingerprint).then(|| {
            let (theirs, own) = (seat.fingerprint, own.fingerprint);
            format!("{name} runs other jobs (fingerprint {theirs:016x}) than this one ({own:016x})")
        })
    }
}

impl Verdict {
    /// The answer to a caller.
    pub(super) fn answer(self, own: Hello) -> [u8; ANSWER_BYTES] {
        let mut bytes = [0; ANSWER_BYTES];
        bytes[..HELLO_BYTES].copy_from_slice(&own.to_bytes());
        bytes[HELLO_BYTES..].copy_from_slice(&(self as u32).to_be_bytes());
        bytes
    }

    /// Reads an answer; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<(Hello, Verdict)> {
        let hello = Hello::read(bytes)?;
        let verdict = bytes.get(HELLO_BYTES..ANSWER_BYTES)?.try_into().ok()?;
        let all = [Verdict::Welcome, Verdict::Differs, Verdict::Taken];
        Some((hello, *all.get(u32::from_be_bytes(verdict) as usize)?))
    }

    /// What a process that was not welcome ends with.
    pub(super) fn refusal(self, own: &Hello, other: &Hello) -> Option<Error> {
        if let Some(why) = own.differs(other) {
            let hint = "start all processes of a job with the same binary, flags and job files";
            return Some(Error::config(why).hint(hint));
        }
        let (index, by) = (own.seat.index, other.seat.index);
        match self {
            Verdict::Welcome => None,
            Verdict::Taken => Some(
                Error::config(format!("process {by} has a process {index} already"))
                    .hint("give each process an index of its own with -p"),
            ),
            Verdict::Differs => {
                Some(Error::config(format!("process {by} expects no call from process {index}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { index: 1, processes: 3, threads: 2, fingerprint: 77 };

    #[test]
    fn a_hello_and_an_answer_come_through() {
        let hello = Hello::new(SEAT);
        assert_eq!(Hello::read(&hello.to_bytes()), Some(hello));
        for verdict in [Verdict::Welcome, Verdict::Differs, Verdict::Taken] {
            assert_eq!(Verdict::read(&verdict.answer(hello)), Some((hello, verdict)));
        }
        assert_eq!(Hello::read(&hello.to_bytes()[..31]), None);
        assert_eq!(Hello::read(&[7; HELLO_BYTES]), None);
    }

    #[test]
    fn a_refusal_names_both_values() {
        let check = |change: fn(&mut Hello), expect: &str| {
            let (own, mut other) = (Hello::new(SEAT), Hello::new(Seat { index: 0, ..SEAT }));
            change(&mut other);
            let error = Verdict::Differs.refusal(&own, &other).expect("a refusal");
            assert_eq!(error.message(), expect);
            assert_eq!(error.kind().exit_code(), 65);
        };
        check(|other| other.version = 9, "process 0 speaks protocol version 9, this one 1");
        check(
            |other| other.seat.processes = 2,
            "process 0 was started with -n 2, this one with -n 3",
        );
        check(
            |other| other.seat.threads = 4,
            "process 0 was started with -w 4, this one with -w 2",
        );
        check(
            |other| other.seat.fingerprint = 255,
            "process 0 runs other jobs (fingerprint 00000000000000ff) than this one \
             (000000000000004d)",
        );
    }
}
