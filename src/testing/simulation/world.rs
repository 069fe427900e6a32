//! [`World`]: the machine of a simulated job. One thread runs at a time; who is next, and how much
//! time passes, is drawn from a seed.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::trace::Trace;
use crate::host::{Host, Stage};
use crate::testing::Dice;
use crate::time::Time;

/// A machine that is simulated; it outlives the attempts to run a job on it.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    /// What the clock of the host shows at time zero.
    base: Instant,
    state: Mutex<State>,
}

/// How a world behaves.
#[derive(Clone, Copy, Debug)]
pub struct Climate {
    /// Time that passes between two turns, at most.
    pub step_max: Duration,
    /// One of so many turns makes a thread stand still for some time.
    pub stalls: u64,
    /// How long it then stands still, at most.
    pub stall_max: Duration,
    /// One of so many turns moves a clock; 0 for never.
    pub jumps: u64,
    /// By how much the clock that never goes back moves at most.
    pub jump_max: Duration,
    /// More turns than this mean that the job does not end.
    pub turns_max: u64,
}

/// When the machine is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// At the n-th turn of this attempt.
    Turn(u64),
    /// At the n-th act of its disk and its sinks.
    Act(u64),
}

struct State {
    dice: Dice,
    climate: Climate,
    trace: Trace,
    now: Duration,
    /// By how many microseconds the time of day is wrong.
    skew: i64,
    /// The clock stands still for so many turns.
    frozen: u64,
    threads: Vec<Thread>,
    /// Workers of the attempt, and how many of them have begun.
    workers: usize,
    begun: usize,
    current: Option<usize>,
    signals: usize,
    is_on: bool,
    kill: Option<Kill>,
    turns: u64,
    acts: u64,
    /// Turns of workers since anything else has happened.
    quiet: usize,
    counts: Counts,
    stuck: Option<String>,
}

/// What has happened to a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times at which it was switched off.
    pub kills: u64,
    /// Times at which a clock was moved or stopped.
    pub clocks: u64,
    /// Times at which a thread stood still.
    pub stalls: u64,
    /// Turns of all threads.
    pub turns: u64,
}

struct Thread {
    name: String,
    turn: Arc<Condvar>,
    standing: Standing,
    /// Is not chosen before this time, if others are there.
    stalled: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ready,
    /// For a signal, or a time.
    Waits(Option<usize>, Option<Duration>),
    /// A worker that has nothing to do, it says, before this time.
    Idle(Duration),
    Joins(usize),
    Ended,
}

thread_local! {
    static SEAT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A worker looks so often whether there is something to do while nothing else happens: messages of
/// other workers come without a signal.
const LOOKS: usize = 6;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    /// With a seed.
    pub fn new(seed: u64, climate: Climate) -> World {
        let state = State {
            dice: Dice::of(seed),
            climate,
            trace: Trace::default(),
            now: Duration::ZERO,
            skew: 0,
            frozen: 0,
            threads: vec![],
            workers: 0,
            begun: 0,
            current: None,
            signals: 0,
            is_on: false,
            kill: None,
            turns: 0,
            acts: 0,
            quiet: 0,
            counts: Counts::default(),
            stuck: None,
        };
        World(Arc::new(Inner { base: Instant::now(), state: Mutex::new(state) }))
    }

    /// Switches the machine on, for an attempt with so many workers.
    pub fn begin(&self, workers: usize, kill: Option<Kill>) -> Host {
        let mut state = self.state();
        let thread = |worker| Thread {
            name: format!("worker {worker}"),
            turn: Arc::default(),
            standing: Standing::Ready,
            stalled: Duration::ZERO,
        };
        state.threads = (0..workers).map(thread).collect();
        (state.workers, state.begun, state.current, state.is_on) = (workers, 0, None, true);
        (state.kill, state.turns, state.acts, state.quiet) = (kill, 0, 0, 0);
        state.note("world", &format!("on with {workers} workers, {kill:?}"));
        Host::staged(Arc::new(self.clone()))
    }

    /// Whether the attempt was cut short.
    pub fn is_off(&self) -> bool {
        !self.state().is_on
    }

    /// Why the attempt was given up, if it does not end.
    pub fn stuck(&self) -> Option<String> {
        self.state().stuck.clone()
    }

    /// What has happened.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The time since the world began.
    pub fn time(&self) -> Duration {
        self.state().now
    }

    /// Below `high`, which is not zero.
    pub fn below(&self, high: u64) -> u64 {
        self.state().dice.below(high)
    }

    /// True one in so many times.
    pub fn one_in(&self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Adds a line to the trace, while the machine is on.
    pub fn note(&self, line: &str) {
        let mut state = self.state();
        let who = state.who();
        state.note(&who, line);
    }

    /// Adds a line to the trace also if the machine is off.
    pub fn note_always(&self, line: &str) {
        let mut state = self.state();
        let now = state.now;
        state.trace.add(now, "world", line);
    }

    /// The trace so far.
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// Something is about to be done outside of the process, and takes a moment: others run
    /// meanwhile. False if the machine was switched off before it could be done.
    pub fn act(&self, line: &str) -> bool {
        let mut state = self.state();
        let who = state.who();
        state.note(&who, line);
        state.quiet = 0;
        state.acts += 1;
        if state.kill.is_some_and(|kill| kill == Kill::Act(state.acts)) {
            state.switch_off();
        }
        if let Some(seat) = SEAT.get() {
            let until = state.now + state.draw();
            state.threads[seat].standing = Standing::Waits(None, Some(until));
            state = self.give_back(state, seat);
        }
        state.is_on
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others run until it is the turn of this thread again.
    fn give_back<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        seat: usize,
    ) -> MutexGuard<'a, State> {
        state.choose();
        self.await_turn(state, seat)
    }

    fn await_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        seat: usize,
    ) -> MutexGuard<'a, State> {
        let turn = state.threads[seat].turn.clone();
        while state.current != Some(seat) {
            state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

impl State {
    fn who(&self) -> String {
        let seat = SEAT.get().and_then(|seat| self.threads.get(seat));
        seat.map_or("world".into(), |thread| thread.name.clone())
    }

    fn note(&mut self, who: &str, line: &str) {
        if self.is_on {
            self.trace.add(self.now, who, line);
        }
    }

    fn draw(&mut self) -> Duration {
        let most = self.climate.step_max.as_micros() as u64;
        Duration::from_micros(self.dice.below(most.max(1)) + 1)
    }

    fn switch_off(&mut self) {
        if self.is_on {
            self.counts.kills += 1;
            let turns = self.turns;
            self.note("world", &format!("off at turn {turns}, act {}", self.acts));
            self.is_on = false;
        }
    }

    /// Says whose turn is next.
    fn choose(&mut self) {
        self.turns += 1;
        self.counts.turns += 1;
        if self.kill == Some(Kill::Turn(self.turns)) {
            self.switch_off();
        }
        if self.climate.turns_max <= self.turns && self.stuck.is_none() {
            self.stuck = Some(format!("{} turns, and no end", self.turns));
            self.switch_off();
        }
        self.pass_time();
        loop {
            let (ready, mut due) = self.ready();
            if ready.is_empty() {
                // STEP 1. Nobody has anything to do: the next time at which somebody has.
                due.sort_unstable();
                let Some(next) = due.first() else {
                    self.current = None;
                    let all = self.threads.iter().map(|t| format!("{} {:?}", t.name, t.standing));
                    panic!("all threads wait for ever: {:?}", all.collect::<Vec<_>>());
                };
                self.now = self.now.max(*next);
                self.quiet = 0;
                continue;
            }
            // STEP 2. Some stand still, unless they are alone.
            let free = |seat: &&usize| self.threads[**seat].stalled <= self.now;
            let free: Vec<usize> = ready.iter().filter(free).copied().collect();
            let from = if free.is_empty() { &ready } else { &free };
            let seat = from[self.dice.below(from.len() as u64) as usize];
            if self.climate.stalls != 0 && self.dice.below(self.climate.stalls) == 0 {
                let most = self.climate.stall_max.as_micros() as u64;
                let stall = Duration::from_micros(self.dice.below(most) + 1);
                self.threads[seat].stalled = self.now + stall;
                self.counts.stalls += 1;
                let line = format!("stands still for {} us", stall.as_micros());
                let name = self.threads[seat].name.clone();
                self.note(&name, &line);
                continue;
            }
            match self.threads[seat].standing {
                Standing::Idle(_) => self.quiet += 1,
                _ => self.quiet = 0,
            }
            if seat < self.workers && !self.is_on {
                self.quiet = 0;
            }
            self.threads[seat].standing = Standing::Ready;
            self.trace.turn(seat);
            self.current = Some(seat);
            self.threads[seat].turn.notify_all();
            return;
        }
    }

    /// Who can run, and when others could.
    fn ready(&self) -> (Vec<usize>, Vec<Duration>) {
        let (mut ready, mut due) = (Vec::new(), Vec::new());
        for (seat, thread) in self.threads.iter().enumerate() {
            let until = match thread.standing {
                Standing::Ready => None,
                Standing::Idle(_) if !self.is_on || self.quiet < LOOKS * self.workers => None,
                Standing::Idle(until) | Standing::Waits(_, Some(until)) => Some(until),
                Standing::Joins(other) if self.threads[other].standing == Standing::Ended => None,
                Standing::Joins(_) | Standing::Waits(_, None) | Standing::Ended => continue,
            };
            match until {
                Some(until) if self.now < until => due.push(until),
                _ => ready.push(seat),
            }
        }
        (ready, due)
    }

    fn pass_time(&mut self) {
        let step = self.draw();
        if 0 < self.frozen {
            self.frozen -= 1;
        } else {
            self.now += step;
        }
        let Climate { jumps, jump_max, .. } = self.climate;
        if jumps == 0 || !self.is_on || self.dice.below(jumps) != 0 {
            return;
        }
        self.counts.clocks += 1;
        let line = match self.dice.below(3) {
            0 => {
                let jump = self.dice.below(jump_max.as_micros() as u64);
                self.now += Duration::from_micros(jump);
                format!("the clock jumps {jump} us")
            }
            1 => {
                self.frozen = self.dice.below(200) + 1;
                format!("the clock stands still for {} turns", self.frozen)
            }
            _ => {
                // An hour to either side.
                self.skew = self.dice.below(7_200_000_000) as i64 - 3_600_000_000;
                format!("the time of day is wrong by {} us", self.skew)
            }
        };
        self.note("world", &line);
    }
}

impl Stage for World {
    fn now(&self) -> Instant {
        self.0.base + self.state().now
    }

    fn wall_time(&self) -> Time {
        let state = self.state();
        // Some day in 2026.
        let micros = 1_780_000_000_000_000 + state.now.as_micros() as i64 + state.skew;
        Time::from_micros(micros)
    }

    fn is_on(&self) -> bool {
        self.state().is_on
    }

    fn announce(&self, name: &str) -> usize {
        let mut state = self.state();
        let seat = state.threads.len();
        let by = SEAT.get().map_or(String::new(), |seat| format!(" of {seat}"));
        state.threads.push(Thread {
            name: format!("{name}{by}"),
            turn: Arc::default(),
            standing: Standing::Ready,
            stalled: Duration::ZERO,
        });
        seat
    }

    fn enter(&self, number: usize) {
        SEAT.set(Some(number));
        let mut state = self.state();
        if number < state.workers {
            state.begun += 1;
            if state.begun == state.workers {
                state.choose();
            }
        }
        drop(self.await_turn(state, number));
    }

    fn leave(&self, number: usize) {
        SEAT.set(None);
        let mut state = self.state();
        state.threads[number].standing = Standing::Ended;
        state.quiet = 0;
        state.current = None;
        if state.threads.iter().any(|thread| thread.standing != Standing::Ended) {
            state.choose();
        }
    }

    fn join(&self, number: usize) {
        let Some(seat) = SEAT.get() else { return };
        let mut state = self.state();
        state.threads[seat].standing = Standing::Joins(number);
        drop(self.give_back(state, seat));
    }

    fn signal(&self) -> usize {
        let mut state = self.state();
        state.signals += 1;
        state.signals
    }

    fn wait(&self, signal: usize, timeout: Option<Duration>) {
        let Some(seat) = SEAT.get() else { return };
        let mut state = self.state();
        let until = timeout.map(|timeout| state.now + timeout);
        state.threads[seat].standing = Standing::Waits(Some(signal), until);
        drop(self.give_back(state, seat));
    }

    fn notify(&self, signal: usize) {
        let mut state = self.state();
        state.quiet = 0;
        for thread in &mut state.threads {
            if matches!(thread.standing, Standing::Waits(Some(of), _) if of == signal) {
                thread.standing = Standing::Ready;
            }
        }
    }

    fn turn(&self, pause: Duration) {
        let Some(seat) = SEAT.get() else { return };
        let mut state = self.state();
        let until = state.now + pause;
        state.threads[seat].standing = Standing::Idle(until);
        drop(self.give_back(state, seat));
    }
}
