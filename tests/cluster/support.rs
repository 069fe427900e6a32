//! Processes of the built binary, with their output in files, ended with their values.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::highwater;

/// A host file of so many free ports, with a comment.
pub(crate) fn hosts(dir: &Path, processes: usize) -> PathBuf {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listeners: Vec<TcpListener> = (0..processes).map(listen).collect();
    let mut text = "# the processes of a test\n\n".to_string();
    for listener in &listeners {
        text.push_str(&format!("{}\n", listener.local_addr().expect("an address")));
    }
    let path = dir.join("hosts");
    fs::write(&path, text).expect("a host file");
    path
}

/// The address of a process in a host file.
pub(crate) fn address(hosts: &Path, index: usize) -> String {
    let text = fs::read_to_string(hosts).expect("a host file");
    text.lines().filter(|line| line.contains(':')).nth(index).expect("its line").into()
}

/// `highwater run chat` as one of several processes; more arguments may follow.
pub(crate) fn process(hosts: &Path, index: usize, processes: usize) -> Command {
    let mut command = highwater();
    command.args(["run", "chat", "-n", &processes.to_string(), "-p", &index.to_string()]);
    command.arg("-h").arg(hosts);
    command
}

/// A process that runs; killed with this value.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    /// Starts a command with its output in `NAME.out` and `NAME.err` of a folder.
    pub(crate) fn start(mut command: Command, dir: &Path, name: &str) -> Running {
        let (out, err) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.err")));
        let file = |path: &Path| File::create(path).expect("a file for output");
        command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err));
        Running { child: command.spawn().expect("the binary"), out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.id());
        Command::new("sh").args(["-c", &command]).status().expect("a shell");
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// What it has written to its output so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it has said so far.
    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until it has said something.
    pub(crate) fn wait_for(&self, words: &str) {
        until(Duration::from_secs(30), || self.err().contains(words));
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, limit: Duration) -> Ended {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}:\n{}", self.err());
            sleep(Duration::from_millis(5));
        };
        Ended { code: status.code(), out: self.out(), err: self.err() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn until(limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not after {limit:?}");
        sleep(Duration::from_millis(10));
    }
}

/// The lines of a file, sorted.
pub(crate) fn sorted(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    lines.sort();
    lines
}

/// The sum of a column of the ledgers that processes printed at their end: 0 records read, 1 used,
/// 2 late, 3 dead, 4 duplicates.
pub(crate) fn ledger(err: &str, source: &str, column: usize) -> u64 {
    let of_source = err.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_source = of_source.filter(|words| words.len() == 7 && words[0] == source);
    of_source
        .map(|words| words[2 + column].replace(',', "").parse::<u64>().expect("a number"))
        .sum()
}
