//! Run files: who runs here, where it answers, and what lets one end it.
//!
//! A process that runs jobs holds a lock on its file; the system lets go of it however the process
//! ends. So a file that nobody holds is one of a process that was killed, and whoever looks
//! removes it, with what else such a process has left behind.
//!
//! ```text
//! $XDG_RUNTIME_DIR/highwater, else $TMPDIR/highwater-run-USER      mode 0700
//!   PID.json     a process that runs jobs, or looks after some     mode 0600
//!   PID.hosts    the host file of the processes of a cluster
//!   PID.ended    how a process has ended that was asked to
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::observe::status::Role;
use crate::time::Time;

/// What nobody has asked for in so long is removed.
const LEFT_MAX: Duration = Duration::from_secs(600);

/// A process that runs jobs, or looks after processes that do.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its pid.
    pub pid: u32,
    /// What it does.
    pub role: Role,
    /// The system.
    pub system: String,
    /// Its jobs.
    pub jobs: Vec<String>,
    /// Its index among the processes of the job.
    pub index: usize,
    /// How many there are.
    pub processes: usize,
    /// The pid of the `highwater cluster` that has started it.
    pub supervisor: Option<u32>,
    /// When it began.
    pub began: Time,
    /// Where it answers, as `address:port`; nowhere with `http.listen = "off"`.
    pub address: Option<String>,
    /// What lets one end it.
    pub token: String,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({} {}, {:?} {})", self.system, self.pid, self.role, self.index)
    }
}

/// How a process has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its exit code.
    pub code: u8,
    /// What it said last, if it failed.
    pub error: Option<String>,
}

/// The folder of run files.
#[derive(Clone, Debug)]
pub struct Runs(PathBuf);

/// The run file of this process; removed with this value.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Runs {
    /// The folder of this user, made if it is not there; what killed processes have left in it is
    /// removed.
    ///
    /// # Errors
    ///
    /// Kind `Storage`: it cannot be made, or somebody else may write to it.
    pub fn open() -> Result<Runs> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = runtime.filter(|path| path.is_absolute() && path.is_dir());
        Runs::at(match runtime {
            Some(runtime) => runtime.join("highwater"),
            None => std::env::temp_dir().join(format!("highwater-run-{}", user())),
        })
    }

    /// As [`Runs::open`], at a path.
    ///
    /// # Errors
    ///
    /// As [`Runs::open`].
    pub fn at(path: PathBuf) -> Result<Runs> {
        let place = format!("folder of run files {}", path.display());
        let failed = |error: io::Error| Error::storage(error).within(&place);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        if !found.is_dir() || found.permissions().mode() & 0o022 != 0 {
            return Err(Error::storage("others may write to it")
                .hint("remove it; a new one is made")
                .within(place));
        }
        let runs = Runs(path);
        // What cannot be removed now is tried again by the next one.
        let _ = runs.list();
        Ok(runs)
    }

    /// Writes the run file of this process.
    ///
    /// # Errors
    ///
    /// Kind `Storage`: it cannot be written.
    pub fn register(&self, run: &Run) -> Result<RunFile> {
        let failed = |error: io::Error| {
            Error::storage(format!("the run file cannot be written: {error}"))
                .within(self.0.display())
        };
        let (path, new) = (self.file(run.pid, "json"), self.file(run.pid, "new"));
        // Of an earlier process with this pid.
        let _ = fs::remove_file(&new);
        let _ = fs::remove_file(self.file(run.pid, "ended"));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed)?;
        if file.metadata().map_err(failed)?.uid() != fs::metadata(&self.0).map_err(failed)?.uid() {
            remove(&new);
            return Err(Error::storage("it belongs to another user").within(self.0.display()));
        }
        // Before it has its name: a file that nobody holds would be removed.
        file.lock().map_err(failed)?;
        let text = serde_json::to_vec(run)
            .map_err(|error| Error::bug(format!("a run file is no JSON: {error}")))?;
        file.write_all(&text).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        Ok(RunFile { path, _file: file })
    }

    /// The processes that run, the oldest first. What killed ones have left is removed.
    ///
    /// # Errors
    ///
    /// Kind `Storage`: the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Run>> {
        let failed = |error: io::Error| Error::storage(error).within(self.0.display());
        let mut runs = Vec::new();
        let mut rest = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            match path.extension().and_then(|end| end.to_str()) {
                Some("json") if is_held(&path) => runs.extend(read(&path)),
                Some("json") => remove(&path),
                Some("hosts" | "ended" | "new") => rest.push(path),
                _ => {}
            }
        }
        // Behind all files that say who lives: these are of one who does, or of nobody.
        for path in rest {
            let is_old = age(&path).is_some_and(|age| LEFT_MAX < age);
            match path.extension().and_then(|end| end.to_str()) {
                Some("hosts") if is_held(&path.with_extension("json")) => {}
                Some("hosts") => remove(&path),
                _ if is_old => remove(&path),
                _ => {}
            }
        }
        runs.sort_by_key(|run: &Run| (run.began, run.pid));
        Ok(runs)
    }

    /// Whether a process is there still.
    pub fn is_running(&self, run: &Run) -> bool {
        let path = self.file(run.pid, "json");
        is_held(&path) && read(&path).is_some_and(|found| found == *run)
    }

    /// How a process has ended that was asked to; once.
    pub fn outcome(&self, run: &Run) -> Option<Outcome> {
        let path = self.file(run.pid, "ended");
        let outcome = serde_json::from_slice(&fs::read(&path).ok()?).ok();
        remove(&path);
        outcome
    }

    /// Where a cluster may have the host file of its processes: it is removed when nobody holds
    /// its run file.
    pub fn hosts(&self, pid: u32) -> PathBuf {
        self.file(pid, "hosts")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, pid: u32, end: &str) -> PathBuf {
        self.0.join(format!("{pid}.{end}"))
    }
}

impl RunFile {
    /// Leaves word of how the process ends, for the one who has asked it to.
    pub fn leave(&self, outcome: &Outcome) {
        let Ok(text) = serde_json::to_vec(outcome) else { return };
        // Without it the one who asked hears that it has ended, and not how.
        let new = self.path.with_extension("new");
        if fs::write(&new, text).is_ok() {
            let _ = fs::rename(&new, self.path.with_extension("ended"));
        }
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Whether a process holds a file.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn read(path: &Path) -> Option<Run> {
    // A file of another version may say other things.
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

fn remove(path: &Path) {
    // Somebody else may have been faster.
    let _ = fs::remove_file(path);
}

/// The user, as a part of a name of a file.
fn user() -> String {
    let id = fs::metadata("/proc/self").map(|own| own.uid().to_string());
    id.or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "user".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    fn run(pid: u32) -> Run {
        Run {
            pid,
            role: Role::Run,
            system: "chat".into(),
            jobs: vec!["chat".into()],
            index: 0,
            processes: 1,
            supervisor: None,
            began: Time::from_seconds(pid.into()),
            address: Some("127.0.0.1:8080".into()),
            token: "secret".into(),
        }
    }

    #[test]
    fn a_run_file_is_there_as_long_as_its_process() {
        let dir = Scratch::new("runs");
        let runs = Runs::at(dir.path().join("runs")).expect("a folder");
        let (second, first) = (runs.register(&run(8)), runs.register(&run(7)));
        let (second, first) = (second.expect("a file"), first.expect("a file"));
        assert_eq!(runs.list(), Ok(vec![run(7), run(8)]));
        let mode = fs::metadata(runs.file(7, "json")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{:?}", run(7)).contains("secret"));
        drop(first);
        assert_eq!(runs.list(), Ok(vec![run(8)]));
        assert!(!runs.is_running(&run(7)) && runs.is_running(&run(8)));
        let outcome = Outcome { code: 75, error: Some("lost".into()) };
        second.leave(&outcome);
        drop(second);
        assert_eq!((runs.outcome(&run(8)), runs.outcome(&run(8))), (Some(outcome), None));
    }

    #[test]
    fn what_a_killed_process_has_left_is_removed() {
        let dir = Scratch::new("runs-left");
        let runs = Runs::at(dir.path().join("runs")).expect("a folder");
        let alive = runs.register(&run(8)).expect("a file");
        // As a process leaves them that is killed: nobody holds the lock.
        fs::write(runs.file(7, "json"), serde_json::to_vec(&run(7)).expect("JSON"))
            .expect("a file");
        for pid in [7, 8] {
            fs::write(runs.hosts(pid), "127.0.0.1:1").expect("a file");
        }
        assert_eq!(runs.list(), Ok(vec![run(8)]));
        assert!(!runs.file(7, "json").exists() && !runs.hosts(7).exists());
        assert!(runs.hosts(8).exists());
        drop(alive);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let dir = Scratch::new("runs-open");
        let path = dir.path().join("runs");
        fs::create_dir(&path).expect("a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("its mode");
        let error = Runs::at(path).expect_err("an open folder");
        assert!(error.to_string().contains("others may write to it"), "{error}");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).expect("a link");
        assert!(Runs::at(link).is_err());
    }
}
