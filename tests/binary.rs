//! The binary `highwater`, built once per test run, and processes of it that end with their values.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A command line of the binary, without arguments and with nothing of the environment that the
/// replaced systems knew.
pub fn highwater() -> Command {
    let mut command = Command::new(path());
    for name in highwater::config::ENVIRONMENT {
        command.env_remove(name.name);
    }
    command.env_remove("HIGHWATER_LOG").env_remove("RUST_BACKTRACE");
    command
}

fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--workspace", "--all-features", "--bin", "highwater"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cargo build --bin highwater failed");
        let test = std::env::current_exe().expect("the test has a path");
        let folder = test.parent().and_then(|deps| deps.parent());
        folder.expect("tests lie in target/…/deps").join("highwater")
    })
}

/// How a run of the binary ended.
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs `highwater` in a folder to its end. It sees none of the variables that job files and data
/// sets refer to.
pub fn run_in(dir: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(path());
    command.args(args).current_dir(dir).stdin(Stdio::null()).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let output = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A running process; killed when the value goes.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts a command with its output piped.
    pub fn start(command: &mut Command) -> Running {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: child.spawn().expect("the binary starts") }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name} {pid} failed");
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Waits for its end; what it wrote to stdout and stderr comes with the code.
    ///
    /// # Panics
    ///
    /// When it takes longer.
    pub fn wait(mut self, limit: Duration) -> (i32, String, String) {
        let pipes = (self.child.stdout.take(), self.child.stderr.take());
        let out = std::thread::spawn(move || text(pipes.0));
        let err = std::thread::spawn(move || text(pipes.1));
        let begun = Instant::now();
        let status = loop {
            match self.ended() {
                Some(status) => break status,
                None if limit < begun.elapsed() => {
                    let _ = self.child.kill();
                    let said = err.join().expect("it only reads");
                    panic!("still running after {limit:?}; it said:\n{said}");
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let join = |thread: std::thread::JoinHandle<String>| thread.join().expect("it only reads");
        (status.code().unwrap_or(-1), join(out), join(err))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What was written before a pipe broke still counts.
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
