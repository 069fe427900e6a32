//! The processes of one generation: started, watched, ended.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

use super::super::{leash, log};
use super::panel::Asked;
use crate::error::{Error, Kind, Result};

/// How often the processes are looked at.
pub(super) const TURN: Duration = Duration::from_millis(20);

/// How long processes may take to stop: longer than they give themselves.
const GRACE: Duration = Duration::from_secs(35);

/// How long the others may take to end by themselves once one has ended well.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long they may take once one has failed and all are to begin again: they lose it at once,
/// and who does not notice hangs.
const AFTERMATH: Duration = Duration::from_secs(2);

/// How much longer than each other's silence that of a process is borne here: who misses it knows
/// more about it.
const SLACK: Duration = Duration::from_secs(5);

/// This process itself has stood still when it has not looked for so long.
const STANDSTILL: Duration = Duration::from_secs(1);

/// The children.
pub(super) struct Processes {
    running: Vec<Running>,
    ended: Vec<Ended>,
    /// Who was killed for its silence.
    silent: Vec<usize>,
    silence_max: Duration,
}

/// A child.
struct Running {
    process: usize,
    child: Child,
    /// Its standard input, on which it answers once a second; letting go asks it to stop.
    line: Option<UnixStream>,
    heard: Instant,
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    process: usize,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Code(u8),
    Signal(i32),
    /// It has said nothing, and was killed.
    Silent,
    /// This process has killed it.
    Killed,
}

impl Running {
    /// Asks it to stop.
    fn ask(&mut self) {
        if let Some(mut line) = self.line.take() {
            // It fails only if nobody is there any more.
            let _ = line.write_all(&[leash::STOP]);
        }
    }
}

impl Processes {
    /// None yet; one that is silent for longer than this, and some, is killed.
    pub(super) fn new(silence_max: Duration) -> Processes {
        Processes {
            running: vec![],
            ended: vec![],
            silent: vec![],
            silence_max: silence_max + SLACK,
        }
    }

    /// Starts one in a process group of its own: Ctrl-C is for this process, which passes it on.
    ///
    /// # Errors
    ///
    /// The system refuses another process.
    pub(super) fn start(
        &mut self,
        index: usize,
        arguments: &[OsString],
        secret: Option<(&str, &str)>,
    ) -> Result<()> {
        let failed =
            |error| Error::unreachable(format!("process {index} cannot be started: {error}"));
        let binary = std::env::current_exe().map_err(failed)?;
        let (line, theirs) = UnixStream::pair().map_err(failed)?;
        line.set_nonblocking(true).map_err(failed)?;
        let mut command = Command::new(binary);
        command.args(arguments).envs(secret).process_group(0);
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = command.spawn().map_err(failed)?;
        let heard = Instant::now();
        self.running.push(Running { process: index, child, line: Some(line), heard });
        Ok(())
    }

    /// Waits for the end of all; the first signal asks them to stop, the second one kills. Returns
    /// the cause of the end, and whether it was asked for.
    pub(super) fn watch(&mut self, asked: &Asked, is_supervised: bool) -> (Ended, bool) {
        let (mut ask_at, mut kill_at, mut was_asked) = (None, None, false);
        let mut looked = Instant::now();
        while !self.running.is_empty() {
            let now = Instant::now();
            self.listen(now, now.duration_since(looked));
            looked = now;
            let has_ended = self.reap();
            if asked.take_signal() {
                // A second signal while they stop is impatience.
                kill_at = kill_at.map(|_| now);
                ask_at = Some(now);
                was_asked = true;
            }
            if asked.by_stop() && !was_asked {
                ask_at = Some(now);
                was_asked = true;
            }
            let has_failed = self.ended.iter().any(|ended| ended.code() != 0);
            if has_ended && has_failed && is_supervised && !was_asked {
                kill_at = kill_at.or(Some(now + AFTERMATH));
            } else if has_ended {
                let end = if has_failed { now } else { now + PATIENCE };
                ask_at = Some(ask_at.map_or(end, |at: Instant| at.min(end)));
            }
            if ask_at.is_some_and(|at| at <= now) && kill_at.is_none() {
                self.running.iter_mut().for_each(Running::ask);
                kill_at = Some(now + GRACE);
            }
            if kill_at.is_some_and(|at| at <= now) {
                self.kill();
            }
            sleep(TURN);
        }
        (cause(&self.ended), was_asked)
    }

    /// Hears who goes on, and ends who does not: it would keep its place, and all others waiting.
    fn listen(&mut self, now: Instant, absent: Duration) {
        for Running { process, child, line, heard } in &mut self.running {
            if STANDSTILL < absent || line.as_mut().is_some_and(has_spoken) {
                *heard = now;
            }
            let silent = now.duration_since(*heard);
            if line.is_some() && self.silence_max < silent {
                let seconds = silent.as_secs();
                log::say(&format!("process {process} is silent for {seconds} s and is killed"));
                // It fails only for a process that has ended.
                let _ = child.kill();
                self.silent.push(*process);
                *line = None;
            }
        }
    }

    /// Takes leave of those that have ended; whether there was one.
    fn reap(&mut self) -> bool {
        let before = self.running.len();
        let all = &mut self.ended;
        self.running.retain_mut(|Running { process, child, .. }| {
            let how = match child.try_wait() {
                Ok(None) => return true,
                Ok(Some(_)) if self.silent.contains(process) => How::Silent,
                Ok(Some(status)) => How::of(status),
                Err(error) => {
                    log::say(&format!("process {process} cannot be watched: {error}"));
                    How::Killed
                }
            };
            let ended = Ended { process: *process, how };
            if ended.code() != 0 {
                log::say(&format!("process {process} ended: {how}"));
            }
            all.push(ended);
            false
        });
        self.running.len() < before
    }

    fn kill(&mut self) {
        for Running { process, mut child, .. } in std::mem::take(&mut self.running) {
            log::say(&format!("process {process} did not end in time and is killed"));
            // Both fail only for a process that has ended.
            let _ = child.kill();
            let _ = child.wait();
            self.ended.push(Ended { process, how: How::Killed });
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // Some have started and one could not be: without it they would wait for nothing.
        self.kill();
    }
}

/// Whether something has come on a line.
fn has_spoken(line: &mut UnixStream) -> bool {
    let mut words = [0; 64];
    match line.read(&mut words) {
        Ok(length) => 0 < length,
        Err(error) => error.kind() == ErrorKind::Interrupted,
    }
}

/// Why all have ended. A lost peer (75) is what all others end with when one fails, so any other
/// code is the cause, whenever it was seen; then who was killed, then who came first.
fn cause(all: &[Ended]) -> Ended {
    let rank = |ended: &&Ended| match ended.how {
        How::Code(0) => 4,
        How::Killed => 3,
        _ if ended.code() != LOST => 0,
        How::Signal(_) | How::Silent => 1,
        How::Code(_) => 2,
    };
    all.iter().min_by_key(rank).copied().unwrap_or(Ended { process: 0, how: How::Code(0) })
}

const LOST: u8 = Kind::Unreachable.exit_code() as u8;

impl Ended {
    /// Its exit code. A process that was killed counts as lost, as starting again is the way out;
    /// one that the system has ended for what it did has a bug.
    pub(super) fn code(&self) -> u8 {
        match self.how {
            How::Code(code) => code,
            How::Signal(SIGABRT | SIGBUS | SIGFPE | SIGILL | SIGSEGV) => {
                Kind::Bug.exit_code() as u8
            }
            How::Signal(_) | How::Silent | How::Killed => LOST,
        }
    }
}

impl How {
    fn of(status: ExitStatus) -> How {
        match (status.code(), status.signal()) {
            (Some(code), _) => How::Code(code as u8),
            (None, Some(signal)) => How::Signal(signal),
            (None, None) => How::Killed,
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Code(code) => write!(f, "exit {code}"),
            How::Signal(signal) => write!(f, "signal {signal}"),
            How::Silent => f.write_str("silence"),
            How::Killed => f.write_str("the end"),
        }
    }
}

/// Such as `exit 75 of process 1`.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = if matches!(self.how, How::Signal(_)) { "to" } else { "of" };
        write!(f, "{} {to} process {}", self.how, self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_decides_the_exit_code() {
        let check = |hows: &[How], code: u8, expect: &str| {
            let all = hows.iter().enumerate();
            let all: Vec<Ended> = all.map(|(process, how)| Ended { process, how: *how }).collect();
            let cause = cause(&all);
            assert_eq!((cause.code(), cause.to_string().as_str()), (code, expect));
        };
        use How::{Code, Killed, Signal, Silent};
        check(&[Code(0), Code(0)], 0, "exit 0 of process 0");
        check(&[Code(0), Code(75), Code(0)], 75, "exit 75 of process 1");
        check(&[Code(75), Code(65), Code(75)], 65, "exit 65 of process 1");
        check(&[Code(70), Code(74)], 70, "exit 70 of process 0");
        check(&[Code(75), Signal(9)], 75, "signal 9 to process 1");
        check(&[Code(75), Signal(9), Signal(SIGSEGV)], 70, "signal 11 to process 2");
        check(&[Killed, Code(75), Signal(15)], 75, "signal 15 to process 2");
        check(&[Killed, Code(75)], 75, "exit 75 of process 1");
        check(&[Code(75), Silent], 75, "silence of process 1");
        check(&[Killed, Code(0)], 75, "the end of process 0");
    }
}
