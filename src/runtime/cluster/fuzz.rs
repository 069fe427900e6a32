//! Any bytes from a socket are what a peer says, or the end of it.

use super::frames::{Frames, Limits};
use super::generation::Generation;
use super::hello::{HELLO_BYTES, Hello, Seat, VERDICT_BYTES, Verdict};
use super::secret::Secret;
use crate::testing::fuzz::Fuzz;

const SEAT: Seat = Seat { index: 1, processes: 3, threads: 2, fingerprint: 77, resumed: 5 };

#[test]
fn any_bytes_are_a_hello_or_none() {
    let own = Hello::new(SEAT, None, [0; 32]);
    let generation = Some(Generation { number: 8, nonce: 9 });
    let secret = Secret::new(b"a secret of a test").unwrap();
    let verdict = Verdict::Taken.to_bytes(&secret, &[1; HELLO_BYTES], &[2; HELLO_BYTES]);
    let fuzz = Fuzz {
        name: "hello",
        test: concat!(module_path!(), "::any_bytes_are_a_hello_or_none"),
        seeds: vec![
            own.to_bytes().to_vec(),
            Hello::new(Seat { index: 0, ..SEAT }, generation, [7; 32]).to_bytes().to_vec(),
            [&own.to_bytes()[..], &verdict].concat(),
        ],
        words: &["hghwater"],
        bytes_max: HELLO_BYTES + VERDICT_BYTES,
    };
    fuzz.run(|bytes| {
        if let Some(said) = bytes.last_chunk::<VERDICT_BYTES>() {
            let read = Verdict::read(said, &secret, &[1; HELLO_BYTES], &[2; HELLO_BYTES]);
            assert!(
                read.is_none_or(|read| read == Verdict::Secret || *said == verdict),
                "a verdict without its proof: {read:?}"
            );
        }
        let Some(hello) = Hello::read(bytes) else { return false };
        assert!(HELLO_BYTES <= bytes.len());
        let again = Hello::read(&hello.to_bytes()).unwrap();
        assert_eq!(again.to_bytes(), hello.to_bytes());
        let (differs, refusal) = (own.differs(&hello), Verdict::Differs.refusal(&own, &hello));
        assert!(differs.is_none_or(|words| words.len() < 200) && refusal.is_some());
        true
    });
}

fn header(fields: [u64; 6]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_be_bytes()).collect()
}

#[test]
fn any_stream_is_messages_for_workers_that_are_here_or_wrong() {
    const BODY_MAX: usize = 1_000;
    let message = |length: usize| [header([5, 3, 0, 1, length as u64, 9]), vec![0xff; length]];
    let end = [header([0; 6]), vec![]];
    let fuzz = Fuzz {
        name: "frames",
        test: concat!(
            module_path!(),
            "::any_stream_is_messages_for_workers_that_are_here_or_wrong"
        ),
        seeds: vec![
            message(1).concat(),
            [message(2).concat(), message(60).concat(), end.concat()].concat(),
            [message(BODY_MAX - 1).concat(), message(BODY_MAX).concat()].concat(),
            end.concat(),
        ],
        words: &[],
        bytes_max: 4_096,
    };
    fuzz.run(|bytes| {
        let limits = || Limits::new(1, 0, 2, BODY_MAX);
        let mut whole = Frames::new(limits());
        let passed = whole.pass(bytes).is_ok();
        // However it is cut, the same is found.
        for piece in [1, 47, 49] {
            let mut frames = Frames::new(limits());
            let cut = bytes.chunks(piece).try_for_each(|bytes| frames.pass(bytes));
            assert_eq!(cut.is_ok(), passed, "in pieces of {piece}");
        }
        passed
    });
}
