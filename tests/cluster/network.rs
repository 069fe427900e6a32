//! A bad network between two processes: late, narrow, silent in one way or both, and a process that
//! stands still. Whatever it is, the rows are those of an undisturbed run.
//!
//! Each process has a supervisor of its own, as on two machines, and process 1 reaches process 0
//! through a proxy. Longer faults run with `HIGHWATER_TORTURE=1`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use highwater::testing::Scratch;
use highwater::testing::proxy::{Fault, Proxy, Way};

use super::strangers::secret;
use super::supervisor::{child, newer, signal};
use super::support::{Running, address, hosts};
use super::{LIMIT, set};
use crate::binary::highwater;
use crate::recovery::{assert_same, chat, undisturbed};

/// Two clusters of one process each, on two machines that see each other through a proxy.
struct Pair {
    dir: Scratch,
    proxy: Proxy,
    halves: [Running; 2],
}

impl Pair {
    /// Starts both; they have checkpoints when this returns.
    fn start(name: &str, silence_max: &str) -> Pair {
        let dir = Scratch::new(name);
        let here = hosts(dir.path(), 2);
        let to: SocketAddr = address(&here, 0).parse().expect("an address");
        let proxy = Proxy::start(to).expect("a port");
        let there = dir.path().join("there");
        fs::write(&there, format!("{}\n{}\n", proxy.address(), address(&here, 1))).expect("a file");
        let secret = secret(dir.path(), "pair");
        let start = |index: usize, hosts: &Path| {
            let mut command = highwater();
            command.args(["cluster", "chat", "-n", "2", "-p", &index.to_string(), "-h"]).arg(hosts);
            command.arg("--secret-file").arg(&secret);
            command = chat(command, dir.path());
            set(&mut command, &[format!("cluster.silence_max={silence_max}")]);
            Running::start(command, dir.path(), &format!("half-{index}"))
        };
        let places: [PathBuf; 2] = [here, there];
        let halves = [0, 1].map(|index| start(index, &places[index]));
        newer(dir.path(), None);
        Pair { dir, proxy, halves }
    }

    /// Both end well, having begun again or not, with the rows of an undisturbed run.
    fn ends(self, again: bool) {
        let calm = Scratch::new("calm");
        let (expected, _) = undisturbed(calm.path());
        let Pair { dir, proxy: _proxy, halves } = self;
        for half in halves {
            let ended = half.end(3 * LIMIT);
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            assert_eq!(ended.err.contains("generation 2 after "), again, "{}", ended.err);
        }
        assert_same(dir.path(), &expected);
    }

    /// Both ways, or one, are silent until both sides have given up.
    fn fall_silent(&self, way: Option<Way>) {
        let begun = Instant::now();
        match way {
            None => self.proxy.fault(Fault::Silent),
            Some(way) => self.proxy.fault_of(way, Fault::Silent),
        }
        for half in &self.halves {
            half.wait_for("error: lost process ");
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(0 < self.proxy.hindered(way.unwrap_or(Way::There)), "the fault has happened");
        self.proxy.fault(Fault::None);
    }
}

fn is_torture() -> bool {
    std::env::var_os("HIGHWATER_TORTURE").is_some()
}

#[test]
fn a_network_that_falls_apart_costs_a_generation_and_no_row() {
    let pair = Pair::start("network-parted", "3s");
    pair.fall_silent(None);
    let named = |half: &Running| half.err().contains("has been silent for 3 s");
    assert!(pair.halves.iter().any(named), "{}", pair.halves[0].err());
    pair.ends(true);
}

#[test]
fn a_connection_that_is_half_open_is_noticed() {
    if !is_torture() {
        eprintln!("skipped: HIGHWATER_TORTURE is not set");
        return;
    }
    for way in [Way::There, Way::Back] {
        let pair = Pair::start("network-half", "3s");
        pair.fall_silent(Some(way));
        pair.ends(true);
    }
}

#[test]
fn bytes_that_come_late_or_slowly_for_a_while_cost_nothing() {
    let faults = [Fault::Delay(Duration::from_millis(200)), Fault::Rate(1_000)];
    for fault in faults {
        let pair = Pair::start("network-slow", "30s");
        pair.proxy.fault(fault);
        sleep(Duration::from_secs(if is_torture() { 15 } else { 2 }));
        let hindered = [Way::There, Way::Back].map(|way| pair.proxy.hindered(way));
        assert!(hindered.iter().all(|bytes| 0 < *bytes), "{fault:?}: {hindered:?}");
        pair.proxy.fault(Fault::None);
        pair.ends(false);
    }
}

#[test]
fn a_process_that_stands_still_for_a_while_is_waited_for() {
    let pair = Pair::start("network-stopped", "15s");
    let stopped = child(&pair.halves[1], 1);
    signal(stopped, "STOP");
    sleep(Duration::from_secs(if is_torture() { 5 } else { 2 }));
    let stat = fs::read_to_string(format!("/proc/{stopped}/stat")).expect("it is there");
    assert!(stat.contains(") T "), "it stands still: {stat}");
    signal(stopped, "CONT");
    pair.ends(false);
}

#[test]
fn a_process_that_stands_still_for_too_long_is_replaced() {
    if !is_torture() {
        eprintln!(
            "skipped: HIGHWATER_TORTURE is not set; `supervisor.rs` has one of a single machine"
        );
        return;
    }
    let pair = Pair::start("network-too-long", "5s");
    let stopped = child(&pair.halves[1], 1);
    signal(stopped, "STOP");
    pair.halves[0].wait_for("error: lost process 1: its worker 1 has been silent for 5 s");
    // Its own supervisor misses it, as it answers no more.
    pair.halves[1].wait_for("process 1 is silent for 10 s and is killed");
    pair.ends(true);
}
