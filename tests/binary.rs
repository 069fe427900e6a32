//! The binary `highwater`, built once per test run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A command line of the binary, without arguments and with nothing of the environment that the
/// replaced systems knew.
pub fn highwater() -> Command {
    let mut command = Command::new(path());
    for name in highwater::config::ENVIRONMENT {
        command.env_remove(name.name);
    }
    for name in ["HIGHWATER_LOG", "HIGHWATER_SECRET", "HIGHWATER_FAILPOINTS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    // Run files of tests are among themselves, whoever runs them.
    command.env("XDG_RUNTIME_DIR", run_files());
    command
}

/// The folder in which the run files of all tests are.
fn run_files() -> PathBuf {
    let path = std::env::temp_dir().join("highwater-tests");
    std::fs::create_dir_all(&path).expect("a folder");
    path
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
    command.env("XDG_RUNTIME_DIR", run_files());
    let output = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}
