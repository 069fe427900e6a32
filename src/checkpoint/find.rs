//! Which checkpoint a job goes on from: the newest one that is whole.

use super::block::{Blocks, Kind};
use super::manifest::{Manifest, StateFile};
use super::store::Store;
use crate::error::{Error, Result};

/// What was found; nothing is changed by finding it.
#[derive(Debug)]
pub(super) struct Found {
    /// The newest manifest whose files are all there and sound; `None` if there never was one.
    pub(super) newest: Option<Manifest>,
    /// The epochs of newer ones that are damaged.
    pub(super) damaged: Vec<u64>,
}

/// A checkpoint that is in a store.
#[derive(Debug)]
pub struct Inspected {
    /// Its epoch.
    pub epoch: u64,
    /// The manifest, if it and all its files are whole; else what is wrong with them.
    pub manifest: Result<Manifest, String>,
}

/// Looks at all checkpoints of a store, the oldest first; changes nothing.
///
/// # Errors
///
/// Kind `Storage`: the store cannot be read.
pub fn inspect(store: &dyn Store) -> Result<Vec<Inspected>> {
    let names = store.list()?;
    let mut epochs: Vec<u64> = names.iter().filter_map(|name| Manifest::epoch_of(name)).collect();
    epochs.sort_unstable();
    let mut all = Vec::with_capacity(epochs.len());
    for epoch in epochs {
        let name = Manifest::name(epoch);
        // A running job removes old ones.
        let Some(bytes) = store.get(&name)? else { continue };
        all.push(Inspected { epoch, manifest: whole(store, (&name, epoch), &bytes)? });
    }
    Ok(all)
}

/// Looks for the newest manifest that is whole, and says which ones are damaged.
///
/// # Errors
///
/// Kind `Config`: it is that of another job, or there are manifests and none of them is whole.
/// Kind `Storage`: the store cannot be read.
pub(super) fn newest(store: &dyn Store, (system, job): (&str, &str)) -> Result<Found> {
    let mut epochs: Vec<u64> =
        store.list()?.iter().filter_map(|name| Manifest::epoch_of(name)).collect();
    epochs.sort_unstable();
    let mut damages = Vec::new();
    for epoch in epochs.iter().rev() {
        let name = Manifest::name(*epoch);
        let Some(bytes) = store.get(&name)? else {
            // Another process that starts with this one has moved it aside.
            continue;
        };
        match whole(store, (&name, *epoch), &bytes)? {
            Ok(manifest) if (&*manifest.system, &*manifest.job) != (system, job) => {
                let theirs = format!("job `{}` of `{}`", manifest.job, manifest.system);
                return Err(Error::config(format!(
                    "the checkpoints are those of {theirs}, not of job `{job}` of `{system}`"
                ))
                .hint("set another `checkpoint.path`")
                .within(store.name()));
            }
            Ok(manifest) => {
                for (epoch, damage) in &damages {
                    tracing::warn!(
                        "checkpoint {epoch} of `{}` is damaged, going back to the one before it: \
                         {damage}",
                        store.name()
                    );
                }
                let damaged = damages.into_iter().map(|(epoch, _)| epoch).collect();
                return Ok(Found { newest: Some(manifest), damaged });
            }
            Err(damage) => damages.push((*epoch, damage)),
        }
    }
    match damages.first() {
        None => Ok(Found { newest: None, damaged: vec![] }),
        Some((epoch, damage)) => {
            let all = damages.len();
            Err(Error::config(format!(
                "none of {all} checkpoints is whole; the newest, of epoch {epoch}: {damage}"
            ))
            .hint("bring the files back, or set another `checkpoint.path` to start anew")
            .within(store.name()))
        }
    }
}

/// Looks at a manifest and all its files; the inner error says what is wrong with them.
fn whole(
    store: &dyn Store,
    (name, epoch): (&str, u64),
    bytes: &[u8],
) -> Result<Result<Manifest, String>> {
    let manifest = match Manifest::read(bytes) {
        Ok(manifest) if manifest.epoch == epoch => manifest,
        Ok(other) => return Ok(Err(format!("`{name}` holds epoch {}", other.epoch))),
        Err(damage) => return Ok(Err(format!("`{name}`: {damage}"))),
    };
    let states = manifest.states.values().flatten();
    let states = states.map(|file| (&file.name, file.bytes, Kind::State));
    let outbox = manifest.outbox().map(|file| (&file.name, file.bytes, Kind::Outbox));
    for (name, length, kind) in states.chain(outbox) {
        let Some(bytes) = store.get(name)? else {
            return Ok(Err(format!("`{name}` is missing")));
        };
        if bytes.len() as u64 != length {
            let found = bytes.len();
            return Ok(Err(format!("`{name}` has {found} bytes instead of {length}")));
        }
        if let Err(damage) = Blocks::read(&bytes, kind) {
            return Ok(Err(format!("`{name}`: {damage}")));
        }
    }
    Ok(Ok(manifest))
}

/// Gives a damaged manifest another name, so that its epoch can be published again.
pub(super) fn set_aside(store: &dyn Store, epoch: u64) -> Result<()> {
    let name = Manifest::name(epoch);
    store.rename(&name, &format!("damaged-{name}"))
}

/// The bytes of a file with state.
pub(super) fn state_file(store: &dyn Store, file: &StateFile) -> Result<Vec<u8>> {
    let bytes = store.get(&file.name)?;
    bytes.ok_or_else(|| damaged(store, &file.name, "it is missing"))
}

/// The error of a file that was whole when the job started.
pub(super) fn damaged(store: &dyn Store, name: &str, damage: &str) -> Error {
    Error::storage(format!("`{name}` has changed while the job started: {damage}"))
        .hint("start the job again: it goes back to a checkpoint that is whole")
        .within(store.name())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::Shape;
    use super::super::{BlockWriter, Checkpoints, Directory, Options, Owner, State};
    use super::*;
    use crate::error::Kind as Failed;
    use crate::keyed::Saved;
    use crate::testing::Scratch;
    use crate::time::Time;

    const NAMES: (&str, &str) = ("chat", "chat");

    fn store() -> (Scratch, Directory) {
        let scratch = Scratch::new("checkpoints");
        let store = Directory::open(scratch.path()).unwrap();
        (scratch, store)
    }

    /// A checkpoint with one file, whose one block is of key group 7.
    fn write(store: &Directory, epoch: u64) {
        let mut file = BlockWriter::new(Kind::State);
        State::write(1, 7, &epoch.to_le_bytes(), &mut file);
        let (name, bytes) = (format!("state-{epoch}"), file.finish());
        store.put(&name, &bytes).unwrap();
        let file = StateFile { name, bytes: bytes.len() as u64, worker: 0, whole: true };
        let manifest =
            Manifest { states: [("counts".into(), vec![file])].into(), ..manifest(epoch) };
        assert!(store.publish(&Manifest::name(epoch), &manifest.to_bytes()).unwrap());
    }

    /// The operator whose states are kept.
    fn counts() -> Vec<Shape> {
        let (operator, parts) = ("counts".into(), vec!["a window".into()]);
        vec![Shape { operator, parts, views: vec![], sources: vec![], source: None }]
    }

    /// A manifest with no file.
    fn manifest(epoch: u64) -> Manifest {
        Manifest {
            system: NAMES.0.into(),
            job: NAMES.1.into(),
            engine: "0".into(),
            generation: epoch + 100,
            life: 100,
            epoch,
            peers: 1,
            written_at: Time::from_micros(0),
            done: false,
            shapes: counts(),
            sources: BTreeMap::new(),
            states: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    fn found(store: &Directory) -> Option<u64> {
        let Found { newest, damaged } = newest(store, NAMES).unwrap();
        damaged.iter().for_each(|epoch| set_aside(store, *epoch).unwrap());
        newest.map(|manifest| manifest.epoch)
    }

    #[test]
    fn the_newest_checkpoint_is_found_and_none_where_there_never_was_one() {
        let (_scratch, store) = store();
        assert_eq!(found(&store), None);
        write(&store, 9);
        write(&store, 10);
        assert_eq!(found(&store), Some(10));
    }

    #[test]
    fn a_checkpoint_with_a_file_that_is_missing_or_changed_is_passed_over() {
        type Break = fn(&Directory);
        let breaks: [Break; 4] = [
            |store| store.delete("state-10").unwrap(),
            |store| store.put("state-10", b"").unwrap(),
            |store| {
                let mut bytes = store.get("state-10").unwrap().unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                store.put("state-10", &bytes).unwrap();
            },
            |store| {
                let bytes = store.get(&Manifest::name(9)).unwrap().unwrap();
                store.put(&Manifest::name(10), &bytes).unwrap();
            },
        ];
        for (number, damage) in breaks.iter().enumerate() {
            let (_scratch, store) = store();
            write(&store, 9);
            write(&store, 10);
            damage(&store);
            assert_eq!(found(&store), Some(9), "{number}");
            write(&store, 10);
            assert_eq!(found(&store), Some(10), "{number}: its name is free again");
        }
    }

    #[test]
    fn without_a_whole_one_and_with_those_of_another_job_it_is_an_error() {
        let (_scratch, store) = store();
        write(&store, 9);
        let error = newest(&store, ("chat", "archive")).unwrap_err();
        assert_eq!(error.kind(), Failed::Config);
        assert!(error.message().contains("not of job `archive`"), "{error}");
        store.delete("state-9").unwrap();
        let error = newest(&store, NAMES).unwrap_err();
        assert_eq!(error.kind(), Failed::Config);
        assert!(error.message().contains("`state-9` is missing"), "{error}");
        assert!(error.has_hint(), "{error}");
        assert_eq!(store.list().unwrap(), [Manifest::name(9)], "nothing is moved away");
    }

    #[test]
    fn each_worker_gets_the_key_groups_that_it_owns() {
        let (scratch, store) = store();
        write(&store, 9);
        drop(store);
        let store = Arc::new(Directory::open(scratch.path()).unwrap());
        let (system, job) = (NAMES.0.into(), NAMES.1.into());
        let owner = Owner { system, job, shapes: counts(), ..Owner::default() };
        let kept = Checkpoints::open(store, owner, Options::default(), 5).unwrap();
        assert_eq!((kept.first_epoch(), kept.generation()), (10, 110));
        let state = State { part: 1, group: 7, added: false, bytes: 9u64.to_le_bytes().to_vec() };
        let entries = |operator, seat| kept.state(operator, seat).unwrap().entries;
        assert_eq!(entries("counts", (1, 2)), [state]);
        assert_eq!(entries("counts", (0, 2)), []);
        assert_eq!(entries("others", (1, 2)), []);
    }

    /// Whether a part is whole, its head, and texts by key group.
    type Part<'a> = (bool, &'a str, &'a [(u32, &'a str)]);

    /// A file of worker 0 of two, with what was saved of two parts; what begins with `+` was added
    /// to entries.
    fn file(store: &Directory, name: &str, parts: [Part<'_>; 2]) -> StateFile {
        let mut file = BlockWriter::new(Kind::State);
        for (part, (whole, head, groups)) in parts.into_iter().enumerate() {
            let groups = groups.iter().map(|(group, text)| (*group, text.as_bytes().to_vec()));
            let (added, groups) = groups.partition(|(_, text)| text[0] == b'+');
            let saved = Saved { whole, head: head.as_bytes().to_vec(), groups, added };
            State::write_saved(part as u16, saved, &mut file);
        }
        let bytes = file.finish();
        store.put(name, &bytes).unwrap();
        let (name, bytes) = (name.to_owned(), bytes.len() as u64);
        StateFile { name, bytes, worker: 0, whole: parts.iter().all(|part| part.0) }
    }

    #[test]
    fn what_was_saved_later_follows_and_a_part_that_is_whole_stands_for_itself() {
        let (scratch, store) = store();
        let files = vec![
            file(&store, "one", [(true, "h1", &[(2, "a"), (4, "b")]), (true, "i1", &[(4, "c")])]),
            file(&store, "two", [(false, "h2", &[(4, "+d")]), (true, "i2", &[(4, "e")])]),
            file(&store, "three", [(false, "h3", &[(2, "f")]), (false, "i3", &[(4, "+g")])]),
        ];
        let states = [("counts".into(), files.clone())].into();
        let manifest = Manifest { peers: 2, states, ..manifest(9) };
        assert!(store.publish(&Manifest::name(9), &manifest.to_bytes()).unwrap());
        let (system, job) = (NAMES.0.into(), NAMES.1.into());
        let owner = Owner { system, job, shapes: counts(), ..Owner::default() };
        let kept = Checkpoints::open(Arc::new(store), owner, Options::default(), 5).unwrap();
        let texts = |states: Vec<State>| {
            let text = |State { part, group, added, bytes }| {
                assert_eq!(added, bytes[0] == b'+');
                format!("{part} {group} {}", String::from_utf8(bytes).unwrap())
            };
            states.into_iter().map(text).collect::<Vec<_>>()
        };
        let restored = kept.state("counts", (4, 64)).unwrap();
        let entries = ["0 4 b", "0 4 +d", "1 4 e", "1 4 +g"];
        assert_eq!(texts(restored.entries), entries);
        let heads = [4, 68, 132, 196].map(|group| format!("0 {group} h3"));
        assert_eq!(texts(restored.heads)[..4], heads, "of each group that this worker takes over");
        let restored = kept.state("counts", (2, 64)).unwrap();
        assert_eq!(texts(restored.entries), ["0 2 a", "0 2 f"]);
        let restored = kept.state("counts", (1, 64)).unwrap();
        assert_eq!(restored.heads, [], "what the other worker had is not here");
        assert_eq!(kept.files("counts", (0, 2)), files);
        assert_eq!(kept.files("counts", (1, 2)), [], "it had none");
        assert_eq!(kept.files("counts", (0, 64)), [], "it has other key groups now");
        drop(scratch);
    }
}
