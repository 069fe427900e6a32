//! The heartbeat: every worker says once a second to all others that it goes on.
//!
//! A process that is killed is noticed by its socket. One that is stopped, or a thread that
//! computes or waits for ever, keeps its sockets open, and all others would wait for its share of
//! every watermark. So a small dataflow beside the jobs carries a beat of each worker, and a worker
//! that has not heard one for too long ends its process: the supervisor begins anew.
//!
//! Time in which this worker itself stood still does not count: it has not listened. A worker that
//! still restores its state has not begun to beat, and gets ten times as long.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Input, Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::error::{Error, Result};

/// How often a worker beats.
const EVERY: Duration = Duration::from_secs(1);

/// Who waits for longer than this between two looks has been kept from looking.
const STANDSTILL: Duration = Duration::from_secs(1);

/// As many times as long for a worker that has not begun.
const PATIENCE: u32 = 10;

/// One worker's part in the heartbeat.
pub(in crate::runtime) struct Heartbeat {
    input: Option<InputHandle<u64, CapacityContainerBuilder<Vec<Beat>>>>,
    probe: ProbeHandle<u64>,
    heard: Rc<RefCell<Vec<Beat>>>,
    pulses: Pulses,
    start: Instant,
    beats: u64,
}

/// A worker, and whether it goes on.
type Beat = (usize, bool);

impl Heartbeat {
    /// Builds the dataflow; on every worker at the same place in the order of dataflows.
    /// `start` is when the processes were told to begin.
    pub(in crate::runtime) fn new(
        worker: &mut Worker,
        (start, threads): (Instant, usize),
        silence_max: Duration,
    ) -> Heartbeat {
        let heard: Rc<RefCell<Vec<Beat>>> = Rc::default();
        let probe = ProbeHandle::new();
        let mut input = InputHandle::new_with_builder();
        let hear = heard.clone();
        worker.dataflow_named("heartbeat", |scope| {
            scope
                .input_from(&mut input)
                .broadcast()
                .inspect(move |beat: &Beat| hear.borrow_mut().push(*beat))
                .probe_with(&probe);
        });
        let (own, peers) = (worker.index(), worker.peers());
        let pulses = Pulses::new((own, peers), threads.max(1), silence_max, Instant::now());
        Heartbeat { input: Some(input), probe, heard, pulses, start, beats: 0 }
    }

    /// Beats when it is time to, and hears who else does.
    ///
    /// # Errors
    ///
    /// Kind `Unreachable`: a worker of another process is silent.
    pub(in crate::runtime) fn step(&mut self) -> Result<()> {
        let now = Instant::now();
        for (worker, goes_on) in self.heard.borrow_mut().drain(..) {
            self.pulses.hear(worker, goes_on, now);
        }
        // All processes begin at "go", so their workers wake each other at about the same moment.
        let due = (now - self.start).as_secs() / EVERY.as_secs() + 1;
        if let Some(input) = &mut self.input
            && self.beats < due
        {
            self.beats = due;
            input.send((self.pulses.own, true));
            // Advancing also pushes what was sent.
            input.advance_to(due);
        }
        self.pulses.look(now)
    }

    /// The jobs of this worker have ended: from here on it says nothing more.
    pub(in crate::runtime) fn close(&mut self) {
        if let Some(mut input) = self.input.take() {
            input.send((self.pulses.own, false));
        }
    }

    /// Whether all workers have closed it.
    pub(in crate::runtime) fn is_done(&self) -> bool {
        self.probe.done()
    }
}

/// When each worker was heard last.
#[derive(Debug)]
struct Pulses {
    /// Index of this worker.
    own: usize,
    /// Index of its process, and how many workers each has.
    process: (usize, usize),
    silence_max: Duration,
    workers: Vec<Pulse>,
    looked: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulse {
    /// It has not been heard yet; since when it could have been.
    Awaited(Instant),
    /// When it was heard last.
    Heard(Instant),
    /// It has said that its jobs have ended.
    Ended,
}

impl Pulses {
    fn new(
        (own, peers): (usize, usize),
        threads: usize,
        silence_max: Duration,
        now: Instant,
    ) -> Pulses {
        let workers = vec![Pulse::Awaited(now); peers];
        Pulses { own, process: (own / threads, threads), silence_max, workers, looked: now }
    }

    fn hear(&mut self, worker: usize, goes_on: bool, now: Instant) {
        if let Some(pulse) = self.workers.get_mut(worker)
            && *pulse != Pulse::Ended
        {
            *pulse = if goes_on { Pulse::Heard(now) } else { Pulse::Ended };
        }
    }

    /// Looks whether a worker is silent.
    fn look(&mut self, now: Instant) -> Result<()> {
        let absent = now.saturating_duration_since(self.looked);
        self.looked = now;
        if STANDSTILL < absent {
            for pulse in &mut self.workers {
                if let Pulse::Awaited(since) | Pulse::Heard(since) = pulse {
                    *since += absent;
                }
            }
        }
        for (worker, pulse) in self.workers.iter().enumerate() {
            let (since, max) = match pulse {
                _ if worker == self.own => continue,
                Pulse::Awaited(since) => (since, self.silence_max * PATIENCE),
                Pulse::Heard(since) => (since, self.silence_max),
                Pulse::Ended => continue,
            };
            let silent = now.saturating_duration_since(*since);
            if max < silent {
                return Err(self.silence(worker, silent));
            }
        }
        Ok(())
    }

    fn silence(&self, worker: usize, silent: Duration) -> Error {
        let (own, threads) = self.process;
        let name = match worker / threads {
            process if process == own => "this process".to_string(),
            process => format!("process {process}"),
        };
        let silent = silent.as_secs();
        Error::unreachable(format!(
            "lost {name}: its worker {worker} has been silent for {silent} s"
        ))
        .hint(
            "it is stopped, cut off, or computes for too long: start the job again, or raise \
                 `cluster.silence_max`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::time::{millis, seconds};

    /// Worker 1 of two processes with two workers each.
    fn pulses(now: Instant) -> Pulses {
        Pulses::new((1, 4), 2, seconds(15), now)
    }

    /// Looks ten times a second, and hears some workers once a second.
    fn live(pulses: &mut Pulses, from: Instant, seconds: u32, heard: &[usize]) -> Result<()> {
        for turn in 1..=seconds * 10 {
            let now = from + millis(100) * turn;
            if turn % 10 == 0 {
                heard.iter().for_each(|worker| pulses.hear(*worker, true, now));
            }
            pulses.look(now)?;
        }
        Ok(())
    }

    #[test]
    fn who_is_silent_for_too_long_is_named() {
        let check = |heard: &[usize], expect: &str| {
            let now = Instant::now();
            let mut pulses = pulses(now);
            assert_eq!(live(&mut pulses, now, 20, &[0, 1, 2, 3]), Ok(()));
            assert_eq!(live(&mut pulses, now + seconds(20), 15, heard), Ok(()));
            let error = live(&mut pulses, now + seconds(35), 1, heard).expect_err(expect);
            assert_eq!(error.kind(), Kind::Unreachable);
            assert_eq!(error.message(), expect);
        };
        check(&[0, 2], "lost process 1: its worker 3 has been silent for 15 s");
        check(&[0], "lost process 1: its worker 2 has been silent for 15 s");
        check(&[2, 3], "lost this process: its worker 0 has been silent for 15 s");
    }

    #[test]
    fn who_has_not_begun_has_more_time_and_who_has_ended_all_of_it() {
        let now = Instant::now();
        let mut first = pulses(now);
        assert_eq!(live(&mut first, now, 150, &[0, 3]), Ok(()));
        assert!(live(&mut first, now + seconds(150), 1, &[0, 3]).is_err());
        let mut second = pulses(now);
        (0..3).for_each(|worker| second.hear(worker, worker != 2, now));
        second.hear(3, false, now);
        second.hear(3, true, now);
        assert_eq!(live(&mut second, now, 1_000, &[0]), Ok(()));
    }

    #[test]
    fn time_in_which_nobody_listened_does_not_count() {
        let now = Instant::now();
        let mut pulses = pulses(now);
        assert_eq!(live(&mut pulses, now, 10, &[0, 1, 2, 3]), Ok(()));
        let later = now + seconds(3_600);
        assert_eq!(pulses.look(later), Ok(()));
        assert_eq!(live(&mut pulses, later, 14, &[0, 2]), Ok(()));
        assert!(live(&mut pulses, later + seconds(14), 2, &[0, 2]).is_err());
    }
}
