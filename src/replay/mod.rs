//! Replay files: events that were decoded before, for benchmarks without a broker and a decoder.
//!
//! ```text
//! header   magic · version · codec · bytes of a record · records · fingerprint · build · CRC-32
//! block*   CRC-32 · up to 8,192 records, as they lie in memory
//! ```
//!
//! Events are *plain*: of one size, without pointers and padding. By default a record is the bytes
//! of its event, which `bytemuck` knows how to look at without a copy. The format of `abomonation`
//! stands behind the feature of that name, to be measured beside it, and reads only what the same
//! build has written. Neither is for state or for the wire: a machine of another byte order refuses
//! these files.
//!
//! A file is judged before it is believed: by its length before memory is taken for it, by its
//! fingerprint before its bytes become events, by the checksum of each block. A damaged one, or one
//! of other events, is an error that says what to do.

#[cfg(feature = "abomonation")]
mod abomonation;
mod header;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use bytemuck::Pod;

use crate::error::{Error, Result};
use header::{Header, damaged};

/// Records of a block; the last one has what is left.
const BLOCK_RECORDS: usize = 8_192;

/// Bytes of the checksum in front of a block.
const CHECKSUM_BYTES: usize = size_of::<u32>();

/// An event that is its own bytes.
pub trait Plain: Pod + Send + Sync {
    /// Names and types of the fields, in their order. A file of other fields is refused, also where
    /// they have the same size.
    const FIELDS: &'static str;
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// The bytes of the event, by `bytemuck`.
    Bytemuck,
    /// What `abomonation` makes of it; needs the feature `abomonation`.
    Abomonation,
}

impl Codec {
    /// Whether this build has it.
    pub const fn is_built(self) -> bool {
        matches!(self, Codec::Bytemuck) || cfg!(feature = "abomonation")
    }

    /// What a file of this codec says about the build that wrote it; nothing where any may read it.
    #[cfg(feature = "abomonation")]
    fn build(self) -> Result<u64> {
        match self {
            Codec::Bytemuck => Ok(0),
            Codec::Abomonation => abomonation::build(),
        }
    }

    #[cfg(not(feature = "abomonation"))]
    fn build(self) -> Result<u64> {
        match self {
            Codec::Bytemuck => Ok(0),
            Codec::Abomonation => Err(Error::config("the codec abomonation is not in this build")
                .hint("build with `--features abomonation`, or take bytemuck")),
        }
    }
}

/// Writes a file of events; one that is there is replaced.
///
/// # Errors
///
/// It cannot be written; the codec is not in this build.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use highwater::replay::{self, Codec, Plain};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
/// #[repr(C)]
/// struct Reading {
///     at: i64,
///     value: f64,
/// }
///
/// impl Plain for Reading {
///     const FIELDS: &'static str = "at: i64, value: f64";
/// }
///
/// let path = std::env::temp_dir().join(format!("readings-{}.replay", std::process::id()));
/// let readings = [Reading { at: 1, value: 0.5 }, Reading { at: 2, value: 0.25 }];
/// replay::write(&path, Codec::Bytemuck, &readings)?;
/// assert_eq!(replay::read::<Reading>(&path)?, readings);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), highwater::error::Error>(())
/// ```
pub fn write<E: Plain>(path: &Path, codec: Codec, events: &[E]) -> Result<()> {
    let failed = |error: io::Error| Error::storage(error);
    let written = File::create(path)
        .map_err(failed)
        .and_then(|mut file| encode(codec, events, &mut file).and(file.flush().map_err(failed)));
    written.map_err(|error| error.within(path.display()))
}

/// Reads a file of events.
///
/// # Errors
///
/// It cannot be read, is damaged, or holds other events than these.
pub fn read<E: Plain>(path: &Path) -> Result<Vec<E>> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let read = match opened {
        Ok((bytes, mut file)) => decode(&mut file, bytes),
        Err(error) => Err(Error::config(error).hint("write it first, or name another file")),
    };
    read.map_err(|error| error.within(path.display()))
}

/// Writes the bytes of a file.
///
/// # Errors
///
/// They cannot be written; the codec is not in this build.
pub fn encode<E: Plain>(codec: Codec, events: &[E], out: &mut impl Write) -> Result<()> {
    let header = Header::of::<E>(codec, events.len() as u64)?;
    let mut scratch = Vec::new();
    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(Error::storage);
    write(&header.bytes())?;
    for block in events.chunks(BLOCK_RECORDS) {
        let records = match codec {
            Codec::Bytemuck => bytemuck::cast_slice(block),
            Codec::Abomonation => entombed(block, &mut scratch),
        };
        write(&crc32fast::hash(records).to_le_bytes())?;
        write(records)?;
    }
    Ok(())
}

/// Reads the bytes of a file, of which there are `bytes`.
///
/// # Errors
///
/// They cannot be read, are damaged, or are of other events.
pub fn decode<E: Plain>(input: &mut impl Read, bytes: u64) -> Result<Vec<E>> {
    let mut read = |bytes: &mut [u8]| input.read_exact(bytes).map_err(Error::storage);
    let header = Header::read::<E>(bytes, &mut read)?;
    // The length of the file was compared with this number, so it is no more than was written.
    let mut events = vec![E::zeroed(); header.records as usize];
    for (number, block) in events.chunks_mut(BLOCK_RECORDS).enumerate() {
        let mut checksum = [0; CHECKSUM_BYTES];
        read(&mut checksum)?;
        let records: &mut [u8] = bytemuck::cast_slice_mut(block);
        read(records)?;
        let (found, expect) = (crc32fast::hash(records), u32::from_le_bytes(checksum));
        if found != expect {
            let text = format!("block {number} has the CRC-32 {found:08x}, not {expect:08x}");
            return Err(damaged(text));
        }
        if header.codec == Codec::Abomonation {
            exhume(block);
        }
    }
    Ok(events)
}

#[cfg(feature = "abomonation")]
use abomonation::{entombed, exhume};

/// Never called: a header of this codec is neither made nor accepted by this build.
#[cfg(not(feature = "abomonation"))]
fn entombed<'a, E: Plain>(_block: &[E], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch
}

#[cfg(not(feature = "abomonation"))]
fn exhume<E: Plain>(_block: &mut [E]) {}
