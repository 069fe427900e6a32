//! Records in the format of `abomonation`, for the comparison that the guide to measuring shows.
//!
//! The crate copies memory and takes what it reads for values of a type, without looking at it:
//! unsound for most types (RUSTSEC-2021-0120). Here it gets the only ones for which that is true.
//! An event is [`Plain`]: it has no pointers, no padding, and every pattern of bits is a value of
//! it. Records are read where they will stay, in the memory of a vector of events, so they are
//! aligned. And a file is read only by the program that wrote it, after its checksums were found
//! right.
#![allow(unsafe_code)]

use std::time::UNIX_EPOCH;

use abomonation::Abomonation;

use super::Plain;
use crate::error::{Error, Result};
use crate::hash;

/// An event as the crate sees it: it has nothing outside of itself, so nothing is entombed beside
/// its own bytes, and nothing is to be exhumed.
#[repr(transparent)]
struct Entombed<E>(E);

impl<E: Plain> Abomonation for Entombed<E> {}

/// The bytes of a block of events, in memory that is used again.
pub(super) fn entombed<'a, E: Plain>(block: &[E], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch.clear();
    scratch.reserve(size_of_val(block));
    for event in block {
        // SAFETY: `encode` reads the bytes of the value. It is transparent around a `Plain`, hence
        // a `Pod`, which has no padding, so all of them are initialised.
        let written = unsafe { abomonation::encode(&Entombed(*event), scratch) };
        written.expect("memory takes all that is written to it");
    }
    scratch
}

/// Makes events of the bytes that were read into their memory.
pub(super) fn exhume<E: Plain>(block: &mut [E]) {
    let events = block.len();
    let mut rest: &mut [u8] = bytemuck::cast_slice_mut(block);
    for _ in 0..events {
        // SAFETY: `decode` takes the first bytes for a value. They are as many as it needs, as
        // `rest` has a whole number of events; aligned for it, as they are the memory of an `E`,
        // around which it is transparent; and any bytes are a value of it, as `E` is a `Pod`.
        let decoded = unsafe { abomonation::decode::<Entombed<E>>(rest) };
        let (_, after) = decoded.expect("a block holds whole events");
        rest = after;
    }
}

/// Tells one build from another: the size of the running program, and when it was linked.
pub(super) fn build() -> Result<u64> {
    let program = std::env::current_exe().and_then(std::fs::metadata);
    let linked = program.and_then(|program| Ok((program.len(), program.modified()?)));
    let (bytes, linked) = linked.map_err(|error| {
        Error::config(format!("the running program cannot be looked at: {error}"))
            .hint("abomonation reads only what the same build wrote; take bytemuck")
    })?;
    let linked = linked.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Ok(hash::of(&(bytes, linked)))
}
