//! Which files make up a state, and when all of it is saved again.

use std::time::{Duration, Instant};

use super::*;
use crate::checkpoint::{Directory, Options, Owner};
use crate::runtime::Failure;
use crate::testing::Scratch;

const NAME: &str = "counts";

fn agent(dir: &Scratch) -> Agent {
    let store = Arc::new(Directory::open(dir.path()).unwrap());
    let owner = Owner { system: "chat".into(), job: "chat".into(), ..Owner::default() };
    let checkpoints = Arc::new(Checkpoints::open(store, owner, Options::default(), 1).unwrap());
    let host = Host::default();
    let keeper = Keeper::start(&host, checkpoints.clone(), (0, Failure::default()), || {}).unwrap();
    let agent = Agent::new(host, checkpoints, (0, 1), keeper);
    assert_eq!(agent.expect_state(), 0);
    agent
}

fn saved(whole: bool, bytes: usize) -> Saved {
    Saved { whole, groups: vec![(0, vec![7; bytes])], ..Saved::default() }
}

/// Saves a state and returns the epochs of the files that it then consists of.
fn save(agent: &Agent, epoch: u64, saved: Saved) -> Vec<u64> {
    agent.state(At::Epoch(epoch), (0, &NAME.into()), vec![saved]);
    let begun = Instant::now();
    loop {
        if let Some((_, Note::Part(part))) = agent.outgoing().pop() {
            assert_eq!(part.epoch, epoch);
            let epochs = part.states.iter().map(|(name, file)| {
                assert_eq!(*name, NAME);
                file.name.split('-').nth(1).unwrap().parse().unwrap()
            });
            return epochs.collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the file is not kept");
        std::thread::yield_now();
    }
}

#[test]
fn a_state_consists_of_the_last_whole_file_and_all_that_follow_it() {
    let dir = Scratch::new("agent");
    let agent = agent(&dir);
    assert!(agent.wants_whole(NAME), "it has saved nothing");
    assert_eq!(save(&agent, 1, saved(true, 900)), [1]);
    assert!(!agent.wants_whole(NAME));
    assert_eq!(save(&agent, 2, saved(false, 500)), [1, 2]);
    assert!(!agent.wants_whole(NAME));
    // Epoch 3 was passed over; whether 2 is part of a manifest does not matter.
    assert_eq!(save(&agent, 4, saved(false, 500)), [1, 2, 4]);
    assert!(agent.wants_whole(NAME), "to read what has changed takes longer than to read all");
    assert_eq!(save(&agent, 5, saved(true, 900)), [5]);
    assert!(!agent.wants_whole(NAME));
}

#[test]
fn all_is_saved_now_and_then_however_little_has_changed() {
    let dir = Scratch::new("agent");
    let agent = agent(&dir);
    let mut wholes = Vec::new();
    for epoch in 0..100 {
        let whole = agent.wants_whole(NAME);
        wholes.extend(whole.then_some(epoch));
        let files = save(&agent, epoch, saved(whole, if whole { 100_000 } else { 1 }));
        assert!(files.len() <= CHAIN_MAX && files[0] == *wholes.last().unwrap(), "{files:?}");
    }
    assert_eq!(wholes, [0, 32, 64, 96]);
}

#[test]
fn an_operator_with_a_part_that_is_saved_whole_still_adds_to_its_files() {
    let dir = Scratch::new("agent");
    let agent = agent(&dir);
    save(&agent, 1, saved(true, 900));
    agent.state(At::Epoch(2), (0, &NAME.into()), vec![saved(true, 1), saved(false, 1)]);
    assert!(!agent.wants_whole(NAME));
}

#[test]
fn what_is_restored_goes_on_with_its_files() {
    let dir = Scratch::new("agent");
    let agent = agent(&dir);
    let file = |epoch: u64, bytes, whole| {
        let name = format!("state-{epoch:020}-1-0-0");
        StateFile { name, bytes, worker: 0, whole }
    };
    agent.resume(&NAME.into(), vec![file(1, 1_000, true), file(2, 300, false)]);
    assert!(!agent.wants_whole(NAME));
    assert_eq!(save(&agent, 3, saved(false, 500)), [1, 2, 3]);
    assert!(!agent.wants_whole(NAME));
    assert_eq!(save(&agent, 4, saved(false, 200)), [1, 2, 3, 4]);
    assert!(agent.wants_whole(NAME));
    assert_eq!(save(&agent, 5, saved(true, 900)), [5]);
}
