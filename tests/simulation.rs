//! Simulated runs of whole jobs: the real engine on a machine whose threads, clocks, disk, log and
//! sinks are drawn from a seed. Whatever happens, the rows, letters and ledgers are in the end
//! those of a plain recomputation.
//!
//! | file | holds |
//! |---|---|
//! | `workload.rs` | dataflows, and a log with everything that may be wrong with one |
//! | `reference.rs` | what they must give; shares no code with the engine |
//! | `case.rs` | scenarios; attempts until the input has ended; what must then be true |
//!
//! `HIGHWATER_SEED=n make simulate` repeats a seed and prints more of its trace with
//! `HIGHWATER_TRACE=lines`; `HIGHWATER_CASES=n` plays so many from there, or from 0.

mod case;
mod reference;
mod workload;

use case::{Played, SCENARIOS, Scenario, play};
use workload::WORKLOADS;

/// Seeds of `make test`: each workload with each scenario.
const CASES: u64 = (WORKLOADS.len() * SCENARIOS.len()) as u64;

/// Plays some seeds; all are played, whatever fails.
fn play_all(seeds: impl Iterator<Item = u64>) -> Vec<Played> {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for seed in seeds {
        match play(seed) {
            Ok(played) => {
                // Shown with a test that fails, and then only.
                eprintln!("{seed}: {played}");
                all.push(played);
            }
            Err(text) => wrong.push((seed, text)),
        }
    }
    let text: String = wrong.iter().map(|(_, text)| text.as_str()).take(3).collect();
    let seeds: Vec<u64> = wrong.iter().map(|(seed, _)| *seed).collect();
    assert!(wrong.is_empty(), "{text}{} of {} seeds: {seeds:?}", seeds.len(), all.len());
    all
}

#[test]
fn a_job_ends_with_the_same_rows_whatever_happens_to_its_machine() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = match (number("HIGHWATER_SEED"), number("HIGHWATER_CASES")) {
        (Some(first), count) => (first, count.unwrap_or(1)),
        (None, count) => (0, count.map_or(CASES, |count| count.max(CASES))),
    };
    let all = play_all(first..first + count);
    // A fault that did not happen was not tested.
    let calm = all.iter().find(|played| played.faults == 0);
    assert!(calm.is_none(), "nothing happened: {}", calm.expect("found"));
    if CASES <= count {
        for scenario in SCENARIOS.into_iter().filter(|scenario| *scenario != Scenario::Undisturbed)
        {
            let of = |played: &&Played| played.scenario == scenario && 0 < played.kills;
            assert!(all.iter().any(|played| of(&played)), "{scenario:?} without a kill");
        }
    }
}

#[test]
fn seeds_that_have_failed_once_do_not_fail_again() {
    let file = include_str!("seeds/simulation.txt");
    let seeds = file.lines().filter(|line| !line.starts_with('#'));
    let seeds = seeds.filter_map(|line| line.split_whitespace().next());
    play_all(seeds.map(|seed| seed.parse().expect("a number at the begin of the line")));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    // One of each scenario, each of another workload.
    for seed in (0..CASES).step_by(WORKLOADS.len() + 1) {
        let [one, other] = [(); 2].map(|()| play(seed).unwrap_or_else(|text| panic!("{text}")));
        let hashes = [&one, &other].map(|played| (played.trace.count(), played.trace.hash()));
        assert_eq!(hashes[0], hashes[1], "seed {seed}");
    }
    let [one, other] = [1, 2].map(|seed| play(seed).unwrap_or_else(|text| panic!("{text}")));
    assert_ne!(one.trace.hash(), other.trace.hash(), "it is a hash of what happens");
}
