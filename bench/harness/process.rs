//! A tree of processes that is measured from outside: its processor time and its memory, whatever
//! it starts and whichever language it is written in.
//!
//! Processor time is user and system time of all threads. While the tree lives it is summed over
//! `/proc`; in the end it is what the kernel accounts to this process for its ended children, so
//! that nothing a tree has started and waited for escapes, or the most that was seen, if that is
//! more: a root that ends first takes only its own account along. Memory is the greatest sum of
//! resident pages that was seen, or the greatest peak of one process. A tree is looked at five
//! times a second, and more often while it ends.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use highwater::error::{Error, Result};

/// Steps of the kernel's accounting in a second, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes of a page.
const PAGE_BYTES: u64 = 4_096;

/// How often a tree is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(200);

/// How often a tree is looked at that is about to end.
const END_LOOK: Duration = Duration::from_millis(10);

/// A running tree; killed when it is dropped.
pub struct Tree {
    child: Child,
    log: PathBuf,
    started: Instant,
    sampler: Sampler,
}

/// What an ended tree has used.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How its root ended.
    pub status: ExitStatus,
    /// Processor seconds from its start to its end.
    pub cpu_s: f64,
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Greatest resident memory, in bytes.
    pub peak_bytes: u64,
}

/// What a living tree has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor seconds.
    pub cpu_s: f64,
    /// Resident memory now, in bytes.
    pub resident_bytes: u64,
}

impl Tree {
    /// Starts a command in a process group of its own, with all it says in a file.
    ///
    /// # Errors
    ///
    /// The program or the file cannot be had.
    pub fn spawn(command: Command, log: &Path) -> Result<Tree> {
        let output = File::create(log).map_err(Error::storage)?;
        let errors = output.try_clone().map_err(Error::storage)?;
        Tree::start(command, (output, errors), log)
    }

    /// As [`Tree::spawn`], with what it prints and what it says in files of their own.
    ///
    /// # Errors
    ///
    /// The program or the files cannot be had.
    pub fn spawn_apart(command: Command, out: &Path, log: &Path) -> Result<Tree> {
        let file = |path: &Path| File::create(path).map_err(Error::storage);
        Tree::start(command, (file(out)?, file(log)?), log)
    }

    fn start(mut command: Command, (output, errors): (File, File), log: &Path) -> Result<Tree> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |error| Error::config(format!("cannot start {program}: {error}"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let child = command.spawn().map_err(failed)?;
        let sampler = Sampler::start(child.id());
        Ok(Tree { child, log: log.into(), started: Instant::now(), sampler })
    }

    /// The process id of its root.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        usage(self.child.id())
    }

    /// Whether its root has ended; it is not waited for, so that its accounts stay readable.
    pub fn has_ended(&self) -> bool {
        stat(self.child.id()).is_none_or(|stat| stat.is_zombie)
    }

    /// Waits for its end; asks for it by SIGTERM if `ask`, and kills it after the limit.
    ///
    /// # Errors
    ///
    /// It cannot be waited for.
    pub fn end(mut self, ask: bool, limit: Duration) -> Result<Ended> {
        // A root that ends before what it has started leaves it to somebody else, and with it the
        // account; so the tree is looked at while it is whole.
        let mut seen = self.usage().cpu_s;
        if ask && !self.has_ended() {
            signal(self.child.id(), "TERM");
        }
        let deadline = Instant::now() + limit;
        while !self.has_ended() {
            if deadline < Instant::now() {
                kill_group(self.child.id());
            }
            thread::sleep(END_LOOK);
            seen = seen.max(self.usage().cpu_s);
        }
        let wall_s = self.started.elapsed().as_secs_f64();
        let before = children_cpu_s()?;
        let status = self.child.wait().map_err(Error::storage)?;
        // What it started and left behind was not waited for by it, and is not measured further.
        kill_group(self.child.id());
        let most = self.sampler.finish();
        let cpu_s = (children_cpu_s()? - before).max(seen).max(most.cpu_s);
        Ok(Ended { status, cpu_s, wall_s, peak_bytes: most.resident_bytes })
    }

    /// The end of what it has said.
    pub fn last_words(&self) -> String {
        last_lines(&self.log)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.sampler.finish();
        if let Ok(None) = self.child.try_wait() {
            kill_group(self.child.id());
            // It has just been killed.
            let _ = self.child.wait();
        }
    }
}

/// Looks at a tree from time to time, and keeps the most that it has seen.
struct Sampler {
    most: Arc<Mutex<Usage>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    fn start(root: u32) -> Sampler {
        let (most, over) = (Arc::new(Mutex::new(Usage::default())), Arc::default());
        let shared: (Arc<Mutex<Usage>>, Arc<AtomicBool>) = (most.clone(), Arc::clone(&over));
        let thread = thread::spawn(move || {
            let (most, over) = shared;
            while !over.load(Ordering::Relaxed) {
                let now = usage(root);
                let resident_bytes = now.resident_bytes.max(peak_of(root));
                let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
                most.cpu_s = most.cpu_s.max(now.cpu_s);
                most.resident_bytes = most.resident_bytes.max(resident_bytes);
                drop(most);
                thread::sleep(SAMPLE_EVERY);
            }
        });
        Sampler { most, over, thread: Some(thread) }
    }

    fn finish(&mut self) -> Usage {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A sampler that failed has seen what it has seen.
            let _ = thread.join();
        }
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process and all below it have used so far, with what they have waited for.
pub fn usage(root: u32) -> Usage {
    let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
    for stat in processes() {
        children.entry(stat.parent).or_default().push(stat);
    }
    let mut usage = Usage::default();
    let mut left: Vec<Stat> = stat(root).into_iter().collect();
    while let Some(stat) = left.pop() {
        usage.cpu_s += stat.ticks as f64 / TICKS_PER_SECOND;
        usage.resident_bytes += stat.pages * PAGE_BYTES;
        left.extend(children.remove(&stat.id).unwrap_or_default());
    }
    usage
}

/// A line of `/proc/PID/stat`.
struct Stat {
    id: u32,
    parent: u32,
    is_zombie: bool,
    /// Its own time and that of children it has waited for.
    ticks: u64,
    pages: u64,
}

fn processes() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?))
}

fn stat(id: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program is in brackets and may hold anything; the state is field 3.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        id,
        parent: number(4)? as u32,
        is_zombie: fields.first() == Some(&"Z"),
        ticks: (14..=17).filter_map(number).sum(),
        pages: number(24)?,
    })
}

/// The greatest memory that one process has had so far, in bytes.
fn peak_of(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

/// Processor seconds of all children of this process that have ended and were waited for.
fn children_cpu_s() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat").map_err(Error::storage)?;
    let fields: Vec<&str> =
        text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<f64>().ok());
    match (ticks(16), ticks(17)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err(Error::bug("/proc/self/stat has no times of children")),
    }
}

/// Sends a signal by its name.
pub fn signal(id: u32, name: &str) {
    run_kill(&[&format!("-{name}"), &id.to_string()]);
}

fn kill_group(leader: u32) {
    run_kill(&["-KILL", "--", &format!("-{leader}")]);
}

fn run_kill(arguments: &[&str]) {
    // A process that is gone needs no signal.
    let _ = Command::new("kill").args(arguments).stderr(Stdio::null()).status();
}

/// The last lines of a log, for messages.
fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::Scratch;

    fn shell(script: &str) -> (Tree, Scratch) {
        let dir = Scratch::new("bench-tree");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        (Tree::spawn(command, &dir.path().join("log")).unwrap(), dir)
    }

    #[test]
    fn the_time_of_a_grandchild_is_counted() {
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let (tree, _dir) = shell(&format!("sh -c '{busy}'; true"));
        let ended = tree.end(false, Duration::from_secs(60)).unwrap();
        assert!(ended.status.success());
        assert!(0.05 < ended.cpu_s && ended.cpu_s < 2.0 * ended.wall_s + 0.1, "{ended:?}");
        assert!(100_000 < ended.peak_bytes, "{ended:?}");
    }

    #[test]
    fn a_tree_that_does_not_end_is_asked_and_then_killed_with_all_it_started() {
        let (tree, _dir) = shell("trap '' TERM; sleep 61 & sleep 61");
        thread::sleep(Duration::from_millis(100));
        let root = tree.child.id();
        let ended = tree.end(true, Duration::from_millis(100)).unwrap();
        assert!(!ended.status.success());
        assert!(processes().all(|stat| stat.parent != root || stat.is_zombie));
    }

    #[test]
    fn the_time_of_a_child_that_its_root_has_left_behind_is_counted() {
        let (tree, _dir) = shell("sh -c 'while :; do :; done' & wait");
        let deadline = Instant::now() + Duration::from_secs(20);
        while tree.usage().cpu_s < 0.2 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let ended = tree.end(true, Duration::from_secs(20)).unwrap();
        assert!(0.2 <= ended.cpu_s, "{ended:?}");
    }

    #[test]
    fn its_last_words_are_kept() {
        let (tree, _dir) = shell("echo one; echo two >&2");
        while !tree.has_ended() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(tree.last_words(), "one\ntwo");
    }
}
