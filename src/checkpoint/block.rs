//! The form of every file of a checkpoint: blocks, each with a checksum, and an end.
//!
//! ```text
//! header   "HWCP" · version 2 · kind 2 · checksum 4                                   12 bytes
//! block    length 4 · checksum 4 · the bytes                                          any number
//! end      length ffff_ffff · checksum 4 · number of blocks 8                         16 bytes
//! ```
//!
//! Numbers are little endian. A checksum (CRC-32) covers the number of its block and the length as
//! well as the bytes, so blocks cannot change places, and nothing may follow the end. Whatever is
//! missing or changed is found before any block is given out: [`Blocks::read`] is all or nothing.

use std::fmt;

use crc32fast::Hasher;

/// What a file holds; a file of one kind is not read as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A manifest.
    Manifest,
    /// The state of an operator.
    State,
    /// Rows that a sink has to deliver.
    Outbox,
}

impl Kind {
    fn code(self) -> u16 {
        match self {
            Kind::Manifest => 1,
            Kind::State => 2,
            Kind::Outbox => 3,
        }
    }
}

const MAGIC: [u8; 4] = *b"HWCP";

/// Version of this form, and of what is in the blocks.
pub const VERSION: u16 = 3;

/// The oldest version that is read. Version 2 has no blocks of what was added to entries.
const OLDEST: u16 = 2;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 12;

/// In the place of a length: no block follows.
const END: u32 = u32::MAX;

/// A file that is being made, in memory.
#[derive(Debug)]
pub struct BlockWriter {
    bytes: Vec<u8>,
    blocks: u64,
}

impl BlockWriter {
    /// With no block.
    pub fn new(kind: Kind) -> BlockWriter {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(kind.code().to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        BlockWriter { bytes, blocks: 0 }
    }

    /// Adds a block, whose bytes are written by a function.
    ///
    /// # Panics
    ///
    /// The block has 4 GiB or more.
    pub fn block(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 8]);
        write(&mut self.bytes);
        let length = u32::try_from(self.bytes.len() - start - 8).ok().filter(|n| *n < END);
        let length = length.expect("a block has less than 4 GiB");
        let checksum = checksum(self.blocks, length, &self.bytes[start + 8..]);
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
        self.blocks += 1;
    }

    /// The whole file.
    pub fn finish(mut self) -> Vec<u8> {
        let count = self.blocks.to_le_bytes();
        self.bytes.extend(END.to_le_bytes());
        self.bytes.extend(checksum(self.blocks, END, &count).to_le_bytes());
        self.bytes.extend(count);
        self.bytes
    }
}

fn checksum(number: u64, length: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The blocks of a file that is whole.
#[derive(Debug)]
pub struct Blocks<'a>(Vec<&'a [u8]>);

impl<'a> Blocks<'a> {
    /// Takes a file apart.
    ///
    /// # Errors
    ///
    /// The first place where it is not what was written.
    pub fn read(bytes: &'a [u8], kind: Kind) -> Result<Blocks<'a>, Damage> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Damage::Torn(bytes.len()))?;
        if header[..4] != MAGIC || number(header, 8) != crc32fast::hash(&header[..8]) {
            return Err(Damage::Header);
        }
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        if !(OLDEST..=VERSION).contains(&half(4)) {
            return Err(Damage::Version(half(4)));
        }
        if half(6) != kind.code() {
            return Err(Damage::Kind);
        }
        let (mut blocks, mut at) = (Vec::new(), HEADER_BYTES);
        loop {
            let head = bytes.get(at..at + 8).ok_or(Damage::Torn(bytes.len()))?;
            let (length, expected) = (number(head, 0), number(head, 4));
            let size = if length == END { 8 } else { length as usize };
            let block = bytes.get(at + 8..).and_then(|rest| rest.get(..size));
            let block = block.ok_or(Damage::Torn(bytes.len()))?;
            if checksum(blocks.len() as u64, length, block) != expected {
                return Err(Damage::Checksum { block: blocks.len(), at });
            }
            at += 8 + size;
            if length == END {
                break;
            }
            blocks.push(block);
        }
        if at < bytes.len() {
            return Err(Damage::Trailing(bytes.len() - at));
        }
        Ok(Blocks(blocks))
    }

    /// The blocks in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.0.iter().copied()
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// How a file differs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as such a file does.
    Header,
    /// It was written by a version that this program does not read.
    Version(u16),
    /// It is another kind of file.
    Kind,
    /// It ends too early, after so many bytes.
    Torn(usize),
    /// The bytes of a block, at a position of the file, are not those that were written.
    Checksum {
        /// Number of the block.
        block: usize,
        /// Where it begins.
        at: usize,
    },
    /// So many bytes follow its end.
    Trailing(usize),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Header => f.write_str("it does not begin as a checkpoint file does"),
            Damage::Version(version) => {
                write!(
                    f,
                    "it has version {version} of the format, this program reads {OLDEST} to \
                     {VERSION}"
                )
            }
            Damage::Kind => f.write_str("it is another kind of checkpoint file"),
            Damage::Torn(bytes) => write!(f, "it is torn: it ends after {bytes} bytes"),
            Damage::Checksum { block, at } => {
                write!(f, "the checksum of block {block}, at byte {at}, is wrong")
            }
            Damage::Trailing(bytes) => write!(f, "{bytes} bytes follow its end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(blocks: &[&[u8]]) -> Vec<u8> {
        let mut writer = BlockWriter::new(Kind::State);
        blocks.iter().for_each(|block| writer.block(|out| out.extend_from_slice(block)));
        writer.finish()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Damage> {
        let blocks = Blocks::read(bytes, Kind::State)?;
        Ok(blocks.iter().map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn blocks_come_back_as_they_were_written() {
        for blocks in [vec![], vec![&b""[..]], vec![b"one", b"", b"three"]] {
            assert_eq!(read(&file(&blocks)), Ok(blocks.iter().map(|b| b.to_vec()).collect()));
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_damaged() {
        let whole = file(&[b"one", b"", b"three"]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn every_single_bit_counts() {
        let whole = file(&[b"one", b"", b"three"]);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
        }
    }

    #[test]
    fn blocks_neither_change_places_nor_repeat_nor_vanish() {
        let block = |bytes: &[u8]| file(&[bytes])[HEADER_BYTES..][..8 + bytes.len()].to_vec();
        let whole = file(&[b"aaa", b"bbb"]);
        let (header, rest) = whole.split_at(HEADER_BYTES);
        let (first, rest) = rest.split_at(8 + 3);
        let (second, end) = rest.split_at(8 + 3);
        let check = |parts: &[&[u8]]| assert!(read(&parts.concat()).is_err(), "{parts:?}");
        check(&[header, second, first, end]);
        check(&[header, first, first, second, end]);
        check(&[header, first, end]);
        check(&[header, first, second, end, end]);
        check(&[header, first, &block(b"bbb"), end]);
        assert!(read(&[header, first, second, end].concat()).is_ok());
    }

    #[test]
    fn a_damage_says_what_is_wrong() {
        let whole = file(&[b"one"]);
        let check = |bytes: &[u8], kind, expect: &str| {
            let damage = Blocks::read(bytes, kind).expect_err("it is damaged");
            assert_eq!(damage.to_string(), expect);
        };
        check(&whole[..20], Kind::State, "it is torn: it ends after 20 bytes");
        check(&whole, Kind::Manifest, "it is another kind of checkpoint file");
        check(b"not one of our files", Kind::State, "it does not begin as a checkpoint file does");
        let mut changed = whole.clone();
        changed[20] ^= 1;
        check(&changed, Kind::State, "the checksum of block 0, at byte 12, is wrong");
        check(&[&whole[..], b"x"].concat(), Kind::State, "1 bytes follow its end");
    }
}
