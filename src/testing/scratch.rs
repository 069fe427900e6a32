//! Folders of a test run, and the servers that a killed run has left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::signal;

/// A folder that is removed with this value: `$TMPDIR/highwater-tests/PID-NUMBER-NAME`.
///
/// The first one of a process sweeps: folders whose process is gone are removed, and servers that
/// still run in them are killed, by the pid in their file `pid` and only if their command line
/// names the folder.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder; the name is for people.
    ///
    /// # Panics
    ///
    /// The folder for temporary files cannot be written.
    pub fn new(name: &str) -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        let root = std::env::temp_dir().join("highwater-tests");
        SWEPT.call_once(|| sweep(&root));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = root.join(format!("{}-{number}-{name}", std::process::id()));
        if let Err(error) = fs::create_dir_all(&dir) {
            panic!("{}: {error}", dir.display());
        }
        Scratch(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Ends what processes that are gone have left behind.
fn sweep(root: &Path) {
    for dir in fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let owner = name.split('-').next().and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            end_servers(&dir, 0);
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

/// Kills the servers whose pid files lie in a folder or just below it.
fn end_servers(dir: &Path, depth: u32) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && depth < 2 {
            end_servers(&path, depth + 1);
        } else if name == "pid" || name == "postmaster.pid" {
            end_server(&path, dir);
        }
    }
}

/// Kills the process that a pid file names, if it is the one that belongs to the folder.
fn end_server(pid_file: &Path, dir: &Path) {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else {
        return;
    };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command).contains(&*dir.to_string_lossy()) {
        signal(pid, "KILL");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::process::Process;
    use std::process::Command;

    #[test]
    fn a_server_of_a_run_that_is_gone_is_killed_and_a_stranger_is_not() {
        let root = Scratch::new("sweep");
        // No process has a pid beyond the limit of the kernel, 2^22.
        let dir = root.path().join("99999999-0-left");
        fs::create_dir_all(&dir).unwrap();
        let sleep = |word: &Path| {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 60; true"]).arg(word);
            command
        };
        let mut left = Process::spawn(sleep(&dir), &dir).unwrap();
        let stranger_dir = dir.join("stranger");
        fs::create_dir_all(&stranger_dir).unwrap();
        let mut stranger = Process::spawn(sleep(root.path()), &stranger_dir).unwrap();

        sweep(root.path());

        left.wait(std::time::Duration::from_secs(5), || false).unwrap_err();
        assert!(!dir.exists());
        assert!(stranger.stop(std::time::Duration::from_secs(5)).is_some_and(|s| !s.success()));
    }
}
