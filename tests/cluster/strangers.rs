//! Strangers at the sockets of processes, at the start and behind it: nothing crashes, hangs, grows
//! or is taken over. What they say word by word is tested beside the handshake.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use highwater::testing::Scratch;

use super::support::{Running, address, hosts, ledger, process};
use super::{LIMIT, VIEWERS, bounded, endless, into_blackholes, into_files, set};

#[test]
fn strangers_at_the_door_do_not_disturb_a_pair_that_starts() {
    let dir = Scratch::new("cluster-strangers");
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &[bounded(), VIEWERS.to_string()]);
        set(&mut command, &into_files(dir.path()));
        command.arg("-r");
        Running::start(command, dir.path(), &format!("process-{index}"))
    };
    let first = start(0);
    first.wait_for("process 0 of 2 listens");
    let knock = || TcpStream::connect(address(&hosts, 0)).expect("it listens");
    drop(knock());
    let _silent: Vec<TcpStream> = (0..5).map(|_| knock()).collect();
    for index in [77u64, 0, 1] {
        let mut stranger = knock();
        stranger.write_all(&index.to_be_bytes()).expect("it is open");
        let mut answer = vec![];
        // It hangs up, with or without what it has not read.
        let _ = stranger.read_to_end(&mut answer);
        assert_eq!(answer, [0u8; 0]);
    }
    let second = start(1);
    let ended = [first, second].map(|process| process.end(LIMIT));
    assert!(ended.iter().all(|ended| ended.code == Some(0)), "{ended:?}");
    assert!(ended[0].err.contains("it is no process of highwater"), "{}", ended[0].err);
    let read: u64 = ended.iter().map(|ended| ledger(&ended.err, "chat", 0)).sum();
    assert_eq!(read, 20_000);
}

/// A file with a secret, as it has to be.
pub(super) fn secret(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join(format!("secret-{text}"));
    fs::write(&path, format!("{text} of sixteen bytes\n")).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    path
}

/// Sends bytes until nobody takes them any more; how many went.
fn flood(mut stranger: TcpStream, first: &[u8], limit: usize) -> usize {
    let zeros = [0; 1 << 16];
    let mut sent = 0;
    if stranger.write_all(first).is_err() {
        return 0;
    }
    while sent < limit {
        match stranger.write(&zeros) {
            Ok(length) => sent += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    sent
}

/// The memory of a process that is in use, in MiB.
fn resident(process: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") >> 10
}

#[test]
fn whoever_knocks_at_the_start_or_behind_it_gets_nothing() {
    let dir = Scratch::new("cluster-knocks");
    let hosts = hosts(dir.path(), 2);
    let (right, wrong) = (secret(dir.path(), "right"), secret(dir.path(), "wrong"));
    let start = |index: usize, name: &str, secret: &Path, more: &[&str]| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &endless());
        set(&mut command, &into_blackholes());
        command.arg("-r").arg("--secret-file").arg(secret).args(more);
        Running::start(command, dir.path(), name)
    };
    let first = start(0, "first", &right, &[]);
    first.wait_for("process 0 of 2 listens");
    let before = resident(&first);
    let knock = || TcpStream::connect(address(&hosts, 0)).expect("it listens");
    let silent: Vec<TcpStream> = (0..100).map(|_| knock()).collect();
    // An index as timely itself would send it, and then a header that promises 2^40 bytes.
    for first_words in [&1u64.to_be_bytes()[..], &[0xff; 48], b"GET / HTTP/1.1\r\n", b"hghwater"] {
        let sent = flood(knock(), first_words, 256 << 20);
        assert!(sent < 32 << 20, "{sent} bytes were taken");
    }
    let mut half = knock();
    half.write_all(b"hghw").expect("it is open");
    half.shutdown(Shutdown::Write).expect("it is open");
    assert!(matches!(half.read(&mut [0]), Ok(0) | Err(_)));
    // A process with another secret gives up by itself, with a sentence.
    let other = start(1, "other", &wrong, &["--connect-timeout", "500ms"]).end(LIMIT);
    assert_eq!(other.code, Some(65), "{}", other.err);
    assert!(other.err.contains("do not share a secret"), "{}", other.err);
    assert!(other.err.contains("--secret-file"), "{}", other.err);
    let mut none = process(&hosts, 1, 2);
    set(&mut none, &endless());
    set(&mut none, &into_blackholes());
    none.args(["--connect-timeout", "500ms"]);
    let none = Running::start(none, dir.path(), "none").end(LIMIT);
    assert_eq!(none.code, Some(65), "{}", none.err);

    let second = start(1, "second", &right, &[]);
    second.wait_for("all 2 processes are connected");
    first.wait_for("all 2 processes are connected");
    first.wait_for("connections refused: ");
    drop(silent);
    // Nobody listens any more, so nobody can be taken for somebody else.
    for index in [0, 1] {
        let refused = TcpStream::connect(address(&hosts, index)).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    let late = start(1, "late", &right, &["--connect-timeout", "300ms"]).end(LIMIT);
    assert_eq!(late.code, Some(75), "{}", late.err);
    let grown = resident(&first).saturating_sub(before);
    assert!(grown < 100, "{grown} MiB more, most of it the job's own");
    first.signal("TERM");
    for process in [first, second] {
        let ended = process.end(Duration::from_secs(40));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.err.contains("chat stopped after"), "{}", ended.err);
    }
}
