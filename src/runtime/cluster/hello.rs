//! What two processes say to each other first, and what they make of it.
//!
//! ```text
//! caller                                   called
//!   hello ───────────────────────────────►
//!         ◄─────────────────────────────── hello
//!   proof over both hellos ──────────────►          32 bytes
//!         ◄─────────────────────────────── verdict · proof over both hellos and it
//!
//! hello   magic 8 · version 4 · index 4 · processes 4 · threads 4 · fingerprint 8
//!         · resumed 8 · generation 8 + 8 · nonce 32                          88 bytes
//! ```
//!
//! Numbers are big endian. The caller proves first, so nobody hears more than a hello who does not
//! know the secret.

use super::generation::Generation;
use super::refusals::Reason;
use super::secret::{PROOF_BYTES, Proof, Role, Said, Secret};
use crate::error::Error;

/// Length of a hello.
pub(super) const HELLO_BYTES: usize = 88;

/// Length of a verdict and its proof.
pub(super) const VERDICT_BYTES: usize = 4 + PROOF_BYTES;

/// How every hello begins.
pub(super) const MAGIC: [u8; 8] = *b"hghwater";

/// Version of this protocol, and of what follows on the socket.
const VERSION: u32 = 2;

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
    /// Hash of the checkpoints that they go on from, from [`super::resumed()`].
    pub resumed: u64,
}

/// A hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    version: u32,
    pub(super) seat: Seat,
    /// The generation it belongs to; `None` if it has not heard yet.
    pub(super) generation: Option<Generation>,
    /// Never the same twice.
    pub(super) nonce: [u8; 32],
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
    /// It does not know the secret; said without proof.
    Secret,
    /// One of the two belongs to an older generation.
    Generation,
    /// It goes on from another checkpoint.
    Checkpoint,
    /// The called side has not heard of its generation yet.
    Later,
}

const VERDICTS: [Verdict; 7] = [
    Verdict::Welcome,
    Verdict::Differs,
    Verdict::Taken,
    Verdict::Secret,
    Verdict::Generation,
    Verdict::Checkpoint,
    Verdict::Later,
];

impl Hello {
    /// Of this process.
    pub(super) fn new(seat: Seat, generation: Option<Generation>, nonce: [u8; 32]) -> Hello {
        Hello { version: VERSION, seat, generation, nonce }
    }

    /// As it is sent.
    pub(super) fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let Seat { index, processes, threads, fingerprint, resumed } = self.seat;
        let mut bytes = [0; HELLO_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        let numbers = [self.version, index as u32, processes as u32, threads as u32];
        for (place, number) in bytes[8..24].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        let (number, nonce) =
            self.generation.map_or((0, 0), |Generation { number, nonce }| (number, nonce));
        let numbers = [fingerprint, resumed, number, nonce];
        for (place, number) in bytes[24..56].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes[56..].copy_from_slice(&self.nonce);
        bytes
    }

    /// Reads a hello; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Hello> {
        let bytes: &[u8; HELLO_BYTES] = bytes.get(..HELLO_BYTES)?.try_into().ok()?;
        if bytes[..8] != MAGIC {
            return None;
        }
        let short =
            |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let long =
            |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let seat = Seat {
            index: short(12) as usize,
            processes: short(16) as usize,
            threads: short(20) as usize,
            fingerprint: long(24),
            resumed: long(32),
        };
        let generation = Generation { number: long(40), nonce: long(48) };
        Some(Hello {
            version: short(8),
            seat,
            generation: (generation.number != 0).then_some(generation),
            nonce: bytes[56..].try_into().expect("32 bytes"),
        })
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
    /// As it is sent, with its proof.
    pub(super) fn to_bytes(
        self,
        secret: &Secret,
        caller: &[u8; HELLO_BYTES],
        called: &[u8; HELLO_BYTES],
    ) -> [u8; VERDICT_BYTES] {
        let mut bytes = [0; VERDICT_BYTES];
        let (verdict, proof) = bytes.split_at_mut(4);
        verdict.copy_from_slice(&(self as u32).to_be_bytes());
        if self != Verdict::Secret {
            proof.copy_from_slice(
                &secret.prove(Role::Called, Said { caller, called, more: verdict }),
            );
        }
        bytes
    }

    /// Reads a verdict; one that is not proven is [`Verdict::Secret`], `None` is none at all.
    pub(super) fn read(
        bytes: &[u8; VERDICT_BYTES],
        secret: &Secret,
        caller: &[u8; HELLO_BYTES],
        called: &[u8; HELLO_BYTES],
    ) -> Option<Verdict> {
        let (number, proof) = bytes.split_first_chunk::<4>()?;
        let verdict = *VERDICTS.get(u32::from_be_bytes(*number) as usize)?;
        let proof: &Proof = proof.try_into().ok()?;
        let said = Said { caller, called, more: number };
        let is_proven = secret.verifies(Role::Called, said, proof);
        Some(if is_proven { verdict } else { Verdict::Secret })
    }

    /// For the log of the called side; `None` for those who may come again at once.
    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Verdict::Welcome | Verdict::Later => None,
            Verdict::Differs => Some(Reason::Differs),
            Verdict::Taken => Some(Reason::Taken),
            Verdict::Secret => Some(Reason::Secret),
            Verdict::Generation => Some(Reason::Generation),
            Verdict::Checkpoint => Some(Reason::Checkpoint),
        }
    }

    /// What a process that was not welcome ends with; `None` if it may call again.
    pub(super) fn refusal(self, own: &Hello, other: &Hello) -> Option<Error> {
        if let Some(why) = own.differs(other) {
            let hint = "start all processes of a job with the same binary, flags and job files";
            return Some(Error::config(why).hint(hint));
        }
        let (index, by) = (own.seat.index, other.seat.index);
        match self {
            Verdict::Welcome | Verdict::Later | Verdict::Secret | Verdict::Generation => None,
            Verdict::Taken => Some(
                Error::config(format!("process {by} has a process {index} already"))
                    .hint("give each process an index of its own with -p"),
            ),
            Verdict::Differs => {
                Some(Error::config(format!("process {by} expects no call from process {index}")))
            }
            Verdict::Checkpoint => Some(
                Error::unreachable(format!(
                    "process {by} goes on from another checkpoint than process {index}"
                ))
                .hint(
                    "start it again: a newer one was published meanwhile; should that not help, \
                     `checkpoint.path` is not the same folder for all processes",
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat { index: 1, processes: 3, threads: 2, fingerprint: 77, resumed: 5 };

    #[test]
    fn a_hello_comes_through() {
        for generation in [None, Some(Generation { number: 8, nonce: 9 })] {
            let hello = Hello::new(SEAT, generation, [7; 32]);
            assert_eq!(Hello::read(&hello.to_bytes()), Some(hello));
            assert_eq!(Hello::read(&hello.to_bytes()[..HELLO_BYTES - 1]), None);
        }
        assert_eq!(Hello::read(&[7; HELLO_BYTES]), None);
    }

    #[test]
    fn a_verdict_needs_its_proof() {
        let secret = Secret::new(b"a secret of a test").expect("a secret");
        let (a, b) = ([1; HELLO_BYTES], [2; HELLO_BYTES]);
        for verdict in VERDICTS {
            let bytes = verdict.to_bytes(&secret, &a, &b);
            assert_eq!(Verdict::read(&bytes, &secret, &a, &b), Some(verdict));
            let other = Verdict::read(&bytes, &Secret::none(), &a, &b);
            assert_eq!(other, Some(Verdict::Secret));
            let mut changed = bytes;
            changed[3] ^= 1;
            let changed = Verdict::read(&changed, &secret, &a, &b);
            assert!(changed.is_none_or(|changed| changed == Verdict::Secret), "{changed:?}");
        }
    }

    #[test]
    fn a_refusal_names_both_values() {
        let check = |change: fn(&mut Hello), expect: &str| {
            let own = Hello::new(SEAT, None, [0; 32]);
            let mut other = Hello::new(Seat { index: 0, ..SEAT }, None, [0; 32]);
            change(&mut other);
            let error = Verdict::Differs.refusal(&own, &other).expect("a refusal");
            assert_eq!(error.message(), expect);
            assert_eq!(error.kind().exit_code(), 65);
        };
        check(|other| other.version = 9, "process 0 speaks protocol version 9, this one 2");
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

    #[test]
    fn who_may_call_again_is_not_ended() {
        let own = Hello::new(SEAT, None, [0; 32]);
        let other = Hello::new(Seat { index: 0, ..SEAT }, None, [0; 32]);
        for verdict in VERDICTS {
            let code = verdict.refusal(&own, &other).map(|error| error.kind().exit_code());
            let expect = match verdict {
                Verdict::Differs | Verdict::Taken => Some(65),
                Verdict::Checkpoint => Some(75),
                _ => None,
            };
            assert_eq!(code, expect, "{verdict:?}");
        }
    }
}
