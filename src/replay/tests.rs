//! What was written is read; what is damaged, or is something else, is refused with a way out.

use super::*;
use crate::error::Kind;

type Event = [u64; 5];

impl Plain for Event {
    const FIELDS: &'static str = "at: u64, offset: u64, amount: u64, user: u64, item: u64";
}

impl Plain for [u32; 10] {
    const FIELDS: &'static str = "ten: [u32; 10]";
}

impl Plain for [u64; 3] {
    const FIELDS: &'static str = "three: [u64; 3]";
}

fn events(count: u64) -> Vec<Event> {
    (0..count).map(|n| [n, n * n, !n, n << 32, 7]).collect()
}

fn codecs() -> Vec<Codec> {
    [Codec::Bytemuck, Codec::Abomonation].into_iter().filter(|codec| codec.is_built()).collect()
}

fn encoded(codec: Codec, events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(codec, events, &mut bytes).unwrap();
    bytes
}

fn decoded<E: Plain>(bytes: &[u8]) -> Result<Vec<E>> {
    decode(&mut &bytes[..], bytes.len() as u64)
}

/// The message of a refusal, which always has a hint.
fn refused<E: Plain + std::fmt::Debug>(bytes: &[u8]) -> String {
    let error = decoded::<E>(bytes).expect_err("it is refused");
    assert!(error.has_hint(), "{error}");
    assert_eq!(error.kind(), Kind::Config, "{error}");
    error.to_string()
}

/// A file with other bytes at some place of its header, whose checksum is right all the same.
fn forged(mut bytes: Vec<u8>, at: usize, with: &[u8]) -> Vec<u8> {
    bytes[at..at + with.len()].copy_from_slice(with);
    let checksum = crc32fast::hash(&bytes[..44]);
    bytes[44..48].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_was_written_is_read_for_every_number_of_blocks() {
    let block = BLOCK_RECORDS as u64;
    for codec in codecs() {
        for count in [0, 1, block - 1, block, block + 1, 2 * block + 5] {
            let events = events(count);
            assert_eq!(decoded::<Event>(&encoded(codec, &events)), Ok(events), "{codec:?} {count}");
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_or_has_more_is_refused() {
    for codec in codecs() {
        let mut bytes = encoded(codec, &events(3));
        for length in 0..bytes.len() {
            let message = refused::<Event>(&bytes[..length]);
            assert!(message.contains("damaged") && message.contains("write it again"), "{message}");
        }
        bytes.push(0);
        assert!(refused::<Event>(&bytes).contains("bytes are not those of 3 events"));
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_refused() {
    for codec in codecs() {
        let good = encoded(codec, &events(3));
        for bit in 0..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused::<Event>(&bytes);
        }
    }
}

#[test]
fn the_block_that_is_damaged_is_named() {
    for codec in codecs() {
        let mut bytes = encoded(codec, &events(BLOCK_RECORDS as u64 + 1));
        *bytes.last_mut().unwrap() ^= 1;
        assert!(refused::<Event>(&bytes).contains("block 1 has the CRC-32"));
    }
}

#[test]
fn events_of_another_type_are_refused_by_size_and_by_fields() {
    let bytes = encoded(Codec::Bytemuck, &events(3));
    let check = |message: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    check(refused::<[u64; 3]>(&bytes), &["40 bytes instead of 24", "three: [u64; 3]"]);
    check(refused::<[u32; 10]>(&bytes), &["other fields", "ten: [u32; 10]", "write them again"]);
}

#[test]
fn another_version_codec_or_kind_of_file_is_refused_by_name() {
    let good = encoded(Codec::Bytemuck, &events(3));
    let check = |at: usize, with: &[u8], part: &str| {
        let message = refused::<Event>(&forged(good.clone(), at, with));
        assert!(message.contains(part), "{message}");
    };
    check(0, b"PAR1", "it is no replay file");
    check(8, &[2], "its version is 2, this build reads 1");
    check(12, &[9], "its codec has the number 9");
    // A number of events that no memory could hold is compared with the length of the file first.
    check(20, &[0xff; 8], "bytes are not those of 18446744073709551615 events");
    check(20, &[0; 8], "bytes are not those of 0 events");
}

#[cfg(feature = "abomonation")]
#[test]
fn abomonation_refuses_what_another_build_wrote() {
    let bytes = encoded(Codec::Abomonation, &events(3));
    let message = refused::<Event>(&forged(bytes, 36, &[1, 2, 3]));
    assert!(message.contains("another build wrote it"), "{message}");
}

#[cfg(not(feature = "abomonation"))]
#[test]
fn a_codec_that_is_not_built_is_refused_with_its_feature() {
    let error = encode(Codec::Abomonation, &events(3), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("--features abomonation"), "{error}");
    let bytes = forged(encoded(Codec::Bytemuck, &events(3)), 12, &[1]);
    assert!(refused::<Event>(&bytes).contains("not in this build"));
}

#[test]
fn a_file_is_named_where_it_fails() {
    let missing = std::env::temp_dir().join("none/events.replay");
    let read = read::<Event>(&missing).unwrap_err();
    assert!(read.to_string().contains("none/events.replay: ") && read.has_hint(), "{read}");
    let written = write(&missing, Codec::Bytemuck, &events(1)).unwrap_err();
    assert_eq!(written.kind(), Kind::Storage);
}
