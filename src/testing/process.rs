//! A server process: started in the background with its output in a file, waited for until it is
//! ready, ended by its own pid. A guard ends it if this process dies first.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Skip;

/// A running server; killed when it is dropped, unless it was detached.
pub struct Process {
    child: Child,
    guard: Option<Guard>,
    log: PathBuf,
    pid_file: PathBuf,
    detached: bool,
}

impl Process {
    /// Starts a command with its output appended to `server.log`, and its pid in `pid`, in `dir`.
    /// It gets a process group of its own, so that Ctrl-C ends the test and not the server.
    ///
    /// # Errors
    ///
    /// The command or the files cannot be had.
    pub fn spawn(mut command: Command, dir: &Path) -> io::Result<Process> {
        let (log, pid_file) = (dir.join("server.log"), dir.join("pid"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        let mut process = Process { child, guard: None, log, pid_file, detached: false };
        fs::write(&process.pid_file, process.id().to_string())?;
        process.guard = Some(Guard::new(process.id())?);
        Ok(process)
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    ///
    /// The process ended, or was not ready in time; with the end of its log.
    pub fn wait(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<(), Skip> {
        let deadline = Instant::now() + limit;
        loop {
            if ready() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || deadline < Instant::now() {
                let why = ended.map_or_else(
                    || format!("was not ready after {} s", limit.as_secs()),
                    |status| format!("ended with {status}"),
                );
                let log = tail(&self.log, 2_000);
                return Err(Skip::new(format!("the server {why}; its log ends:\n{log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The pid.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM` or `STOP`.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        // Both fail only for a process that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.guard = None;
        let _ = fs::remove_file(&self.pid_file);
    }

    /// Asks it to end (SIGTERM) and waits; kills it after the limit. Returns its exit status, or
    /// `None` if it had to be killed.
    pub fn stop(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal("TERM");
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.guard = None;
                let _ = fs::remove_file(&self.pid_file);
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.kill();
        None
    }

    /// Lets it live on behind this value and this process.
    pub fn detach(&mut self) {
        self.guard = None;
        self.detached = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.detached {
            self.kill();
        }
    }
}

/// Kills a server within a second after this process died, however it died: a server in a static
/// is never dropped, and nothing is dropped by SIGKILL. A small shell that looks once a second; it
/// ends with this value, or when the server has ended.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn new(server: u32) -> io::Result<Guard> {
        let watch = "while kill -0 $1 && kill -0 $2; do sleep 1; done; kill -0 $1 || kill -9 $2";
        let mut shell = Command::new("sh");
        shell.args(["-c", watch, "guard", &std::process::id().to_string(), &server.to_string()]);
        let quiet = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Guard(quiet.process_group(0).spawn()?))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal to a process, by its name. The shell's own `kill` is there on every machine.
pub(crate) fn signal(pid: u32, name: &str) {
    let command = format!("kill -{name} {pid}");
    // It fails only for a process that has ended.
    let _ = Command::new("sh").arg("-c").arg(command).stderr(Stdio::null()).status();
}

/// A port of 127.0.0.1 that is free now.
///
/// # Errors
///
/// The system has none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where a program is, searched in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// The last bytes of a file, as text.
pub(crate) fn tail(file: &Path, bytes: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(file)?;
        let start = file.metadata()?.len().saturating_sub(bytes);
        file.seek(SeekFrom::Start(start))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    };
    read().unwrap_or_default()
}

/// Runs a command to its end; its standard output.
///
/// # Errors
///
/// It cannot be started, or fails; with what it printed.
pub fn run(mut command: Command) -> Result<String, Skip> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Skip::new(format!("{program}: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Skip::new(format!("{program} ended with {}:\n{text}{errors}", output.status)))
}
