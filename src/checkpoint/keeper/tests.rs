//! The thread against a store that fails, and against another process.

use std::sync::Mutex;

use super::*;
use crate::checkpoint::{Directory, Options, Owner};
use crate::keyed::Saved;
use crate::testing::Scratch;

/// A store that refuses so many writes.
struct Refusing {
    inner: Directory,
    refusals: Mutex<usize>,
}

impl Refusing {
    fn refuse(&self) -> Result<()> {
        let mut left = self.refusals.lock().unwrap();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(Error::storage("no space left on device"))
    }
}

impl Store for Refusing {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.refuse().and_then(|()| self.inner.put(name, bytes))
    }

    /// A refusal comes when all is done.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let done = self.inner.publish(name, bytes)?;
        self.refuse().map(|()| done)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.inner.get(name)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.inner.list()
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name)
    }

    fn rename(&self, name: &str, other: &str) -> Result<()> {
        self.inner.rename(name, other)
    }
}

fn owner() -> Owner {
    Owner { system: "chat".into(), job: "chat".into(), ..Owner::default() }
}

/// A keeper of worker 0 in a folder; where its failure is seen.
fn keeper(
    dir: &Scratch,
    refusals: usize,
    age_max: Duration,
) -> (Arc<Checkpoints>, Keeper, Failure) {
    let inner = Directory::open(dir.path()).unwrap();
    let store = Arc::new(Refusing { inner, refusals: Mutex::new(refusals) });
    let options = Options { keep: 2, age_max };
    let checkpoints = Arc::new(Checkpoints::open(store, owner(), options, 1).unwrap());
    let failure = Failure::default();
    let keeper =
        Keeper::start(&Host::default(), checkpoints.clone(), (0, failure.clone()), || {}).unwrap();
    (checkpoints, keeper, failure)
}

fn answer(keeper: &Keeper) -> Option<Kept> {
    keeper.answers.recv_timeout(Duration::from_secs(20)).ok()
}

fn saved(whole: bool) -> Snapshot {
    vec![Saved { whole, groups: vec![(0, vec![1, 2, 3])], ..Saved::default() }]
}

/// Saves a state and publishes the manifest of its epoch.
fn save(checkpoints: &Checkpoints, keeper: &Keeper, epoch: u64) {
    let name = state_name(epoch, checkpoints.generation(), 0, 0);
    keeper.put(At::Epoch(epoch), "counts".into(), name, saved(true));
    let Some(Kept::State(At::Epoch(found), operator, file)) = answer(keeper) else {
        panic!("the state of epoch {epoch} is not kept");
    };
    assert_eq!(found, epoch);
    let mut manifest = Manifest { epoch, ..checkpoints.manifest(1) };
    manifest.states.insert(operator, vec![file]);
    keeper.publish(manifest);
    assert_eq!(answer(keeper), Some(Kept::Published(epoch, false)));
}

#[test]
fn what_no_manifest_that_is_kept_names_is_removed() {
    let dir = Scratch::new("keeper");
    let (checkpoints, keeper, failure) = keeper(&dir, 0, Duration::from_secs(60));
    keeper.put(At::Epoch(1), "counts".into(), state_name(1, 1, 0, 9), saved(true));
    answer(&keeper).expect("a state that no manifest will name");
    (1..=4).for_each(|epoch| save(&checkpoints, &keeper, epoch));
    let names = [3, 4].map(Manifest::name);
    let states = [3, 4].map(|epoch| state_name(epoch, 1, 0, 0));
    let expected: Vec<String> = names.into_iter().chain(states).collect();
    assert_eq!(checkpoints.store.list().unwrap(), expected);
    assert!(failure.get().is_none());
}

#[test]
fn a_file_that_a_later_manifest_adds_to_is_kept_though_its_epoch_has_no_manifest() {
    let dir = Scratch::new("keeper");
    let (checkpoints, keeper, failure) = keeper(&dir, 0, Duration::from_secs(60));
    let mut files = Vec::new();
    for epoch in 1..=6 {
        let name = state_name(epoch, checkpoints.generation(), 0, 0);
        keeper.put(At::Epoch(epoch), "counts".into(), name, saved(epoch == 1));
        let Some(Kept::State(_, operator, file)) = answer(&keeper) else {
            panic!("the state of epoch {epoch} is not kept");
        };
        files.push(file);
        // Another worker has passed over the even epochs.
        if epoch % 2 == 1 {
            let mut manifest = Manifest { epoch, ..checkpoints.manifest(1) };
            manifest.states.insert(operator, files.clone());
            keeper.publish(manifest);
            assert_eq!(answer(&keeper), Some(Kept::Published(epoch, false)));
        }
    }
    let names = [3, 5].map(Manifest::name);
    let states = (1..=6).map(|epoch| state_name(epoch, 1, 0, 0));
    let expected: Vec<String> = names.into_iter().chain(states).collect();
    assert_eq!(checkpoints.store.list().unwrap(), expected);
    assert!(failure.get().is_none());
}

#[test]
fn a_store_that_fails_for_a_while_is_tried_again() {
    let dir = Scratch::new("keeper");
    let (checkpoints, keeper, failure) = keeper(&dir, 3, Duration::from_secs(60));
    save(&checkpoints, &keeper, 1);
    assert_eq!(keeper.waiting(), 0);
    assert!(failure.get().is_none());
}

#[test]
fn a_manifest_whose_publication_failed_at_the_end_is_recognised() {
    let dir = Scratch::new("keeper");
    let (checkpoints, keeper, failure) = keeper(&dir, 1, Duration::from_secs(60));
    keeper.publish(Manifest { epoch: 1, ..checkpoints.manifest(1) });
    assert_eq!(answer(&keeper), Some(Kept::Published(1, false)));
    assert!(failure.get().is_none(), "{:?}", failure.get());
}

#[test]
fn a_store_that_fails_for_too_long_ends_the_job_with_74() {
    let dir = Scratch::new("keeper");
    let (_, keeper, failure) = keeper(&dir, usize::MAX, Duration::ZERO);
    keeper.put(At::Epoch(1), "counts".into(), state_name(1, 1, 0, 0), saved(true));
    assert_eq!(answer(&keeper), None, "the thread has ended");
    let error = failure.get().expect("the job ends");
    assert_eq!(error.kind(), Kind::Storage);
    assert!(error.has_hint(), "{error}");
}

#[test]
fn an_epoch_that_another_process_has_published_ends_the_job_with_75() {
    let dir = Scratch::new("keeper");
    let (first, one, _) = keeper(&dir, 0, Duration::from_secs(60));
    let (second, other, failure) = keeper(&dir, 0, Duration::from_secs(60));
    one.publish(Manifest { epoch: 7, ..first.manifest(1) });
    assert_eq!(answer(&one), Some(Kept::Published(7, false)));
    other.publish(Manifest { epoch: 7, done: true, ..second.manifest(1) });
    assert_eq!(answer(&other), None);
    let error = failure.get().expect("the job ends");
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Fenced, 75));
    assert!(error.message().contains("published by another process"), "{error}");
}
