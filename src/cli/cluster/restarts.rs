//! Whether, and when, a job is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::Kind;

/// The time within which restarts are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(600);

/// First and longest pause before a job that failed by itself is started again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is to be done when a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Starting again changes nothing.
    End,
    /// Start again after this time.
    Again(Duration),
    /// It has been started again so often for the same cause: it would not help.
    GiveUp(usize),
}

/// The restarts of a job, each with its time and the exit code that was its cause.
pub(super) struct Restarts {
    max: usize,
    past: VecDeque<(Instant, u8)>,
}

impl Restarts {
    /// At most so many for one cause within the [`WINDOW`].
    pub(super) fn new(max: usize) -> Restarts {
        Restarts { max, past: VecDeque::new() }
    }

    /// A job has ended with an exit code.
    pub(super) fn decide(&mut self, code: u8, now: Instant) -> Decision {
        let is = |kind: Kind| i32::from(code) == kind.exit_code();
        if code == 0 || is(Kind::Usage) || is(Kind::Config) {
            return Decision::End;
        }
        self.past.retain(|(then, _)| now.duration_since(*then) < WINDOW);
        let earlier = self.past.iter().filter(|(_, cause)| *cause == code).count();
        if self.max <= earlier {
            return Decision::GiveUp(earlier);
        }
        self.past.push_back((now, code));
        if is(Kind::Unreachable) {
            return Decision::Again(Duration::ZERO);
        }
        let doubled = PAUSES.0.saturating_mul(1 << earlier.min(16));
        Decision::Again(doubled.min(PAUSES.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    #[test]
    fn a_lost_peer_is_started_again_at_once_and_a_bug_later_and_later() {
        let mut restarts = Restarts::new(10);
        let mut now = Instant::now();
        let mut pauses = vec![];
        for _ in 0..10 {
            assert_eq!(restarts.decide(75, now), Decision::Again(Duration::ZERO));
            match restarts.decide(70, now) {
                Decision::Again(pause) => {
                    pauses.push(pause.as_secs());
                    now += pause;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(restarts.decide(70, now), Decision::GiveUp(10));
        assert_eq!(restarts.decide(75, now), Decision::GiveUp(10));
        // Another cause has a count of its own, and what is long past does not count.
        assert_eq!(restarts.decide(74, now), Decision::Again(seconds(1)));
        assert_eq!(restarts.decide(70, now + WINDOW), Decision::Again(seconds(1)));
    }

    #[test]
    fn what_a_restart_does_not_change_ends_the_job() {
        let mut restarts = Restarts::new(10);
        for code in [0, 64, 65] {
            assert_eq!(restarts.decide(code, Instant::now()), Decision::End);
        }
        // Without our hook, or by a shell.
        for code in [1, 101, 127, 134] {
            assert_eq!(restarts.decide(code, Instant::now()), Decision::Again(seconds(1)));
        }
        assert_eq!(Restarts::new(1).decide(75, Instant::now()), Decision::Again(Duration::ZERO));
    }
}
