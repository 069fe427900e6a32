//! Any bytes are a file of a checkpoint that was written whole, or damage is found.

use super::block::HEADER_BYTES;
use super::manifest::tests::manifest;
use super::*;
use crate::testing::fuzz::Fuzz;

fn state(blocks: usize) -> Vec<u8> {
    let mut file = BlockWriter::new(Kind::State);
    for block in 0..blocks {
        State::write(block as u16, block as u32, &vec![7; block * 5], &mut file);
    }
    file.finish()
}

/// A file that is changed in any way is refused: the checksums are of 32 bits, and the mutations
/// are not made to meet them. But a head has a checksum of its own, so mutations may put the whole
/// head of one file before all that follows the head of another; no disk does.
#[test]
fn any_bytes_are_a_whole_file_or_damaged() {
    let sound = [manifest().to_bytes(), state(0), state(1), state(4)];
    let crossed = [&sound[1][..HEADER_BYTES], &sound[0][HEADER_BYTES..]].concat();
    let fuzz = Fuzz {
        name: "blocks",
        test: concat!(module_path!(), "::any_bytes_are_a_whole_file_or_damaged"),
        seeds: sound.iter().cloned().chain([crossed]).collect(),
        words: &["HWCP", "\u{2}\u{0}", "\u{3}\u{0}", "\u{0}\u{0}\u{0}\u{0}"],
        bytes_max: 4_096,
    };
    fuzz.run(|bytes| {
        let (state, manifest) = (Blocks::read(bytes, Kind::State), Manifest::read(bytes));
        assert!(Blocks::read(bytes, Kind::Outbox).is_err());
        if let Ok(blocks) = &state {
            let total: usize = blocks.iter().map(<[u8]>::len).sum();
            assert!(total < bytes.len());
            blocks.iter().filter_map(State::read).for_each(drop);
        }
        let whole = state.is_ok() || manifest.is_ok();
        let as_written = |sound: &Vec<u8>| sound[HEADER_BYTES..] == bytes[HEADER_BYTES..];
        assert!(!whole || sound.iter().any(as_written), "it was changed");
        whole
    });
}

/// What is in a sound block, as another version of the engine may have written it.
#[test]
fn any_text_is_a_manifest_or_none() {
    let whole = serde_json::to_vec_pretty(&manifest()).unwrap();
    let fuzz = Fuzz {
        name: "manifest",
        test: concat!(module_path!(), "::any_text_is_a_manifest_or_none"),
        seeds: vec![whole, serde_json::to_vec(&manifest()).unwrap()],
        words: &[
            "\"epoch\": ",
            "\"peers\": ",
            "\"states\": {",
            "\"files\": [",
            "null",
            "{}",
            "[]",
            "-1",
            "18446744073709551616",
            "1e99",
            "\"\\u0000\"",
            "[[[[[[[[",
            "{\"a\":",
            ",",
            "\"",
        ],
        bytes_max: 4_096,
    };
    fuzz.run(|text| {
        let mut file = BlockWriter::new(Kind::Manifest);
        file.block(|out| out.extend_from_slice(text));
        let Ok(manifest) = Manifest::read(&file.finish()) else { return false };
        assert_eq!(Manifest::read(&manifest.to_bytes()), Ok(manifest.clone()));
        manifest.files().for_each(drop);
        assert_eq!(Manifest::epoch_of(&Manifest::name(manifest.epoch)), Some(manifest.epoch));
        true
    });
}

/// The blocks of a state that is whole, whatever they hold.
#[test]
fn any_block_of_a_state_is_an_entry_or_none() {
    let mut seed = 3u16.to_le_bytes().to_vec();
    seed.extend(HEAD.to_le_bytes());
    seed.extend([1, 2, 3, 1]);
    let fuzz = Fuzz {
        name: "state",
        test: concat!(module_path!(), "::any_block_of_a_state_is_an_entry_or_none"),
        seeds: vec![seed, vec![0; 6]],
        words: &[],
        bytes_max: 256,
    };
    fuzz.run(|bytes| {
        let mut file = BlockWriter::new(Kind::State);
        file.block(|out| out.extend_from_slice(bytes));
        let file = file.finish();
        let blocks = Blocks::read(&file, Kind::State).unwrap();
        let states: Vec<State> = blocks.iter().filter_map(State::read).collect();
        assert_eq!(states.len(), usize::from(6 <= bytes.len()), "{} bytes", bytes.len());
        let mut chain = Chain::default();
        chain.take(states.into_iter(), |group| group % 2 == 0);
        let mut restored = Restored::default();
        chain.finish(|group| group % 2 == 0, &mut restored);
        assert!(restored.entries.iter().all(|state| state.group % 2 == 0));
        6 <= bytes.len()
    });
}
