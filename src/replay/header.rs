//! The header of a replay file: what its events are, and why a file is refused.

use super::{BLOCK_RECORDS, CHECKSUM_BYTES, Codec, Plain};
use crate::error::{Error, Result};
use crate::hash;

/// The first bytes of every file.
const MAGIC: [u8; 8] = *b"hwreplay";

/// The layout that this module reads and writes.
const VERSION: u32 = 1;

/// Bytes of a header.
const HEADER_BYTES: usize = 48;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) codec: Codec,
    pub(super) records: u64,
    record_bytes: u32,
    /// Of the fields of an event, their layout and the order of their bytes.
    fingerprint: u64,
    build: u64,
}

impl Header {
    /// Of a file with so many events.
    pub(super) fn of<E: Plain>(codec: Codec, records: u64) -> Result<Header> {
        const { assert!(0 < size_of::<E>(), "an event of no bytes cannot be counted") };
        Ok(Header {
            codec,
            records,
            record_bytes: size_of::<E>() as u32,
            fingerprint: fingerprint::<E>(),
            build: codec.build()?,
        })
    }

    pub(super) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let fields: [&[u8]; 7] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &(self.codec as u32).to_le_bytes(),
            &self.record_bytes.to_le_bytes(),
            &self.records.to_le_bytes(),
            &self.fingerprint.to_le_bytes(),
            &self.build.to_le_bytes(),
        ];
        let mut at = 0;
        for field in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        }
        let checksum = crc32fast::hash(&bytes[..at]);
        bytes[at..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a file of so many bytes, and compares it with the events asked for.
    pub(super) fn read<E: Plain>(
        file_bytes: u64,
        read: &mut impl FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<Header> {
        if file_bytes < HEADER_BYTES as u64 {
            let text = format!("it has {file_bytes} bytes, a header alone has {HEADER_BYTES}");
            return Err(damaged(text));
        }
        let mut bytes = [0; HEADER_BYTES];
        read(&mut bytes)?;
        let header = Header::parse(&bytes)?;
        let asked = Header::of::<E>(header.codec, header.records)?;
        header.compare(&asked, E::FIELDS)?;
        header.expect_bytes(file_bytes)?;
        Ok(header)
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header> {
        let mut rest = &bytes[..];
        if take(&mut rest) != MAGIC {
            return Err(Error::config("it is no replay file").hint("name one that was written so"));
        }
        // Before the checksum, which another version may keep elsewhere.
        let version = u32::from_le_bytes(take(&mut rest));
        if version != VERSION {
            return Err(Error::config(format!(
                "its version is {version}, this build reads {VERSION}"
            ))
            .hint("write it again with this build"));
        }
        let codec = u32::from_le_bytes(take(&mut rest));
        let record_bytes = u32::from_le_bytes(take(&mut rest));
        let [records, fingerprint, build] = [(); 3].map(|()| u64::from_le_bytes(take(&mut rest)));
        let checksum = u32::from_le_bytes(take(&mut rest));
        if checksum != crc32fast::hash(&bytes[..HEADER_BYTES - CHECKSUM_BYTES]) {
            return Err(damaged("its header has another CRC-32 than it says"));
        }
        let codecs = [Codec::Bytemuck, Codec::Abomonation];
        let Some(codec) = codecs.into_iter().find(|known| *known as u32 == codec) else {
            return Err(Error::config(format!("its codec has the number {codec}, which is none"))
                .hint("write it again with this build"));
        };
        Ok(Header { codec, records, record_bytes, fingerprint, build })
    }

    /// Refuses other events, and what another build wrote where that matters.
    fn compare(&self, asked: &Header, fields: &str) -> Result<()> {
        let (found, expect) = (self.record_bytes, asked.record_bytes);
        if (found, self.fingerprint) != (expect, asked.fingerprint) {
            let which = if found == expect {
                "its events have other fields".into()
            } else {
                format!("its events have {found} bytes instead of {expect}")
            };
            let text = format!("{which}; those asked for are {fields}");
            return Err(Error::config(text).hint("read them as what they are, or write them again"));
        }
        if self.build != asked.build {
            return Err(Error::config(
                "another build wrote it, and abomonation has no other proof",
            )
            .hint("write it again with this very program, or take bytemuck"));
        }
        Ok(())
    }

    /// Refuses a file that is longer or shorter than its events need.
    fn expect_bytes(&self, found: u64) -> Result<()> {
        let blocks = self.records.div_ceil(BLOCK_RECORDS as u64);
        let records = self.records.checked_mul(u64::from(self.record_bytes));
        let expect = records
            .and_then(|records| records.checked_add(blocks * CHECKSUM_BYTES as u64))
            .and_then(|blocks| blocks.checked_add(HEADER_BYTES as u64));
        if expect != Some(found) {
            let records = self.records;
            return Err(damaged(format!("{found} bytes are not those of {records} events")));
        }
        Ok(())
    }
}

/// What is wrong with a file that was a whole one once.
pub(super) fn damaged(text: impl std::fmt::Display) -> Error {
    Error::config(format!("it is damaged: {text}")).hint("write it again")
}

fn fingerprint<E: Plain>() -> u64 {
    let little = cfg!(target_endian = "little");
    hash::of(&(E::FIELDS, size_of::<E>() as u64, align_of::<E>() as u64, little))
}

/// The next bytes of a header, which are there.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, after) = rest.split_first_chunk().expect("a header is as long as its fields");
    *rest = after;
    *taken
}
