//! Records of every wire type with random damage: decoding never panics, and what is JSON is an
//! event.

use highwater::codec::{BadDocument, Options, WrongType};
use highwater::letter::Reason;
use serde_json::Value;

use super::wire::{TYPES, Type, plain};

/// Damaged records of each wire type.
const RECORDS: usize = 3_000;

/// Bytes that matter to the grammar, and some that are wrong everywhere.
const BYTES: &[u8] = b"{}[]\",:\\'u0d8-+.eE19tfnN \n\0\xff\xc3";

/// A step of splitmix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) as usize
}

/// Damages a record once.
fn damage(record: &mut Vec<u8>, random: &mut u64) {
    let at = next(random) % record.len().max(1);
    let (to, length) = (next(random) % (record.len() + 1), 1 + next(random) % 40);
    let end = (at + length).min(record.len());
    match next(random) % 7 {
        // A bit that flips.
        0 if at < record.len() => record[at] ^= 1 << (length % 8),
        1 if at < record.len() => record[at] = BYTES[length % BYTES.len()],
        2 => record.truncate(at),
        // Two bytes that change places.
        3 if at < record.len() && to < record.len() => record.swap(at, to),
        // A piece that occurs again, or is missing.
        4 => {
            let piece = record[at.min(end)..end].to_vec();
            record.splice(to..to, piece);
        }
        5 => drop(record.drain(at.min(end)..end)),
        _ => record.insert(at.min(record.len()), BYTES[length % BYTES.len()]),
    }
}

/// Whether a decoder that knows no field of the record must take it.
fn is_sound(record: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(record) {
        Ok(Value::Object(_)) => true,
        Ok(Value::Array(elements)) => !elements.is_empty(),
        _ => false,
    }
}

/// Decodes a damaged record, and says whether it is an event.
fn check(one: &Type, record: &[u8], options: &Options) -> bool {
    let outcome = one.decode_bytes(Some(record), options);
    let text = record.escape_ascii();
    match outcome.result {
        Ok(count) => {
            assert_eq!(count, outcome.events.len(), "{}: {text}", one.name);
            assert!(0 < count + outcome.rejects.len(), "{}: {text} is lost", one.name);
            true
        }
        Err(reject) => {
            assert!(!reject.detail.is_empty(), "{}: {text}", one.name);
            assert_ne!(reject.reason, Reason::DecoderPanic, "{}: {text}", one.name);
            let is_expected = !is_sound(record) || reject.reason == Reason::WrongType;
            assert!(is_expected, "{}: {text} is refused: {reject:?}", one.name);
            false
        }
    }
}

#[test]
fn a_damaged_record_is_an_event_or_a_letter_of_every_wire_type() {
    let options = [
        plain(),
        Options::default(),
        Options { errors: BadDocument::NullRow, ..plain() },
        Options { types: WrongType::Reject, keep_nan: true, ..plain() },
    ];
    for (seed, one) in TYPES.iter().enumerate() {
        let (mut random, mut events) = (seed as u64, 0);
        let good = one.document();
        for round in 0..RECORDS {
            let whole = if round % 3 == 0 { format!("[{good},{good}]") } else { good.clone() };
            let mut record = whole.into_bytes();
            for _ in 0..=next(&mut random) % 4 {
                damage(&mut record, &mut random);
            }
            events += usize::from(check(one, &record, &options[round % options.len()]));
        }
        // Neither outcome may be so rare that the test shows nothing.
        let range = RECORDS / 10..RECORDS - RECORDS / 10;
        assert!(range.contains(&events), "{}: {events} of {RECORDS}, seed {seed}", one.name);
    }
}

#[test]
fn each_prefix_of_a_record_is_refused() {
    for one in TYPES {
        let good = one.document();
        for end in 0..good.len() {
            assert!(!check(one, &good.as_bytes()[..end], &plain()), "{}: {end}", one.name);
        }
    }
}
