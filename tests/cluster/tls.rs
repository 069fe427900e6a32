//! Processes of the built binary that speak TLS to each other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use highwater::config::Tls;
use highwater::testing::{Authority, Scratch, or_skip};

use super::support::{Running, address, hosts, ledger, process, sorted};
use super::{FILES, LIMIT, VIEWERS, bounded, cluster, endless, into_blackholes, into_files, set};
use crate::binary::highwater;

fn tls(files: &Tls) -> String {
    let Tls { cert, key, ca } = files;
    format!("cluster.tls={{cert={cert:?},key={key:?},ca={ca:?}}}")
}

fn authority(dir: &Path) -> Option<Authority> {
    or_skip(Authority::new(dir))
}

#[test]
fn two_processes_under_tls_give_the_rows_of_one() {
    let dir = Scratch::new("cluster-tls");
    let Some(authority) = authority(&dir.path().join("ca")) else { return };
    let into = |name: &str| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).expect("a folder");
        let mut sets = vec![bounded(), VIEWERS.to_string()];
        sets.extend(into_files(&dir));
        (dir, sets)
    };
    let (alone, sets) = into("alone");
    let ended = cluster(dir.path(), "-n 1", &sets);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let rows = |dir: &Path| FILES.map(|name| sorted(&dir.join(name)));
    let expected = rows(&alone);

    // By hand, each with a certificate of its own.
    let (pair, sets) = into("pair");
    let hosts = hosts(dir.path(), 2);
    let running = [0, 1].map(|index| {
        let files = authority.sign(&format!("process-{index}")).expect("a certificate");
        let mut command = process(&hosts, index, 2);
        set(&mut command, &sets);
        set(&mut command, &[tls(&files)]);
        command.arg("-r");
        Running::start(command, dir.path(), &format!("process-{index}"))
    });
    let ended = running.map(|process| process.end(LIMIT));
    assert!(ended.iter().all(|ended| ended.code == Some(0)), "{ended:?}");
    let read: u64 = ended.iter().map(|ended| ledger(&ended.err, "chat", 0)).sum();
    assert_eq!(read, 20_000);
    assert!(rows(&pair) == expected);

    // By a cluster, which passes the files on; some keys each by itself.
    let (whole, mut sets) = into("whole");
    let Tls { cert, key, ca } = authority.sign("whole").expect("a certificate");
    sets.push(format!("cluster.tls.cert={cert:?}"));
    sets.push(format!("cluster.tls.key={key:?}"));
    sets.push(format!("cluster.tls.ca={ca:?}"));
    let ended = cluster(dir.path(), "-n 3 -w 2", &sets);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(rows(&whole) == expected);
}

#[test]
fn a_plain_process_and_one_under_tls_do_not_come_together_and_say_why() {
    let dir = Scratch::new("cluster-tls-plain");
    let Some(authority) = authority(&dir.path().join("ca")) else { return };
    let Some(other) = self::authority(&dir.path().join("other")) else { return };
    let hosts = hosts(dir.path(), 2);
    let start = |index: usize, name: &str, sets: &[String], timeout: &str| {
        let mut command = process(&hosts, index, 2);
        set(&mut command, &endless());
        set(&mut command, &into_blackholes());
        set(&mut command, sets);
        command.args(["-r", "--connect-timeout", timeout]);
        Running::start(command, dir.path(), name)
    };
    let [right, wrong] = [&authority, &other].map(|authority| authority.sign("process"));
    let right = [tls(&right.expect("a certificate"))];
    let first = start(0, "first", &right, "60s");
    first.wait_for("process 0 of 2 listens");
    // Whoever asks without TLS hears an alert, and no hello.
    let mut stranger = TcpStream::connect(address(&hosts, 0)).expect("it listens");
    stranger.write_all(b"hghwater and more").expect("it is open");
    stranger.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
    let mut answer = vec![];
    stranger.read_to_end(&mut answer).expect("an end");
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 10]);
    first.wait_for("it speaks without TLS, which this process wants: give it `cluster.tls`");
    let plain = start(1, "plain", &[], "1s").end(LIMIT);
    assert_eq!(plain.code, Some(65), "{}", plain.err);
    assert!(plain.err.contains("speaks TLS, and this process does not"), "{}", plain.err);
    assert!(plain.err.contains("`cluster.tls`"), "{}", plain.err);
    let foreign = start(1, "foreign", &[tls(&wrong.expect("a certificate"))], "1s").end(LIMIT);
    assert_eq!(foreign.code, Some(65), "{}", foreign.err);
    assert!(foreign.err.contains("shows a certificate that is refused"), "{}", foreign.err);
    assert!(foreign.err.contains("`cluster.tls.ca`"), "{}", foreign.err);
    first.wait_for("it refuses the certificate of this process");

    let second = start(1, "second", &right, "60s");
    second.wait_for("all 2 processes are connected");
    first.wait_for("connections refused: ");
    let counts = first.err();
    let line = counts.lines().find(|line| line.contains("connections refused: "));
    let line = line.expect("a line of counts");
    assert!(line.contains("tls ") && line.contains("plaintext "), "{line}");
    // Once they run, one is lost and the other one hears of it.
    std::thread::sleep(Duration::from_millis(300));
    second.signal("KILL");
    let ended = first.end(LIMIT);
    assert_eq!(ended.code, Some(75), "{}", ended.err);
    assert!(ended.err.contains("error: lost "), "{}", ended.err);
}

#[test]
fn files_that_do_not_fit_are_refused_before_anything_starts() {
    let dir = Scratch::new("cluster-tls-files");
    let Some(authority) = authority(&dir.path().join("ca")) else { return };
    let right = authority.sign("process").expect("a certificate");
    let other = authority.sign("other").expect("a certificate");
    let mixed = Tls { key: other.key, ..right.clone() };
    let gone = Tls { ca: "/nowhere/ca.pem".into(), ..right.clone() };
    let check = |flags: &str, sets: &[String], code: i32, expect: &[&str]| {
        let mut command = highwater();
        command.args(flags.split(' '));
        set(&mut command, &[bounded(), VIEWERS.to_string()]);
        set(&mut command, &into_blackholes());
        set(&mut command, sets);
        let ended = Running::start(command, dir.path(), "check").end(LIMIT);
        assert_eq!(ended.code, Some(code), "{flags}: {}", ended.err);
        for words in expect {
            assert!(ended.err.contains(words), "{flags}: {}", ended.err);
        }
    };
    check("check chat", &[tls(&right)], 0, &[]);
    for command in ["check chat", "cluster chat -n 2"] {
        check(command, &[tls(&mixed)], 65, &["other.key", "is not the key", "hint: "]);
        check(command, &[tls(&gone)], 65, &["/nowhere/ca.pem", "cannot be read"]);
    }
    let part = ["cluster.tls={cert=\"c.pem\"}".to_string()];
    check("check chat", &part, 65, &["`key` is missing", "`cert`, `key` and `ca`"]);
    let more = ["cluster.tls={cert=\"c\",key=\"k\",ca=\"a\",name=\"n\"}".to_string()];
    check("check chat", &more, 65, &["unknown key `name`"]);
}
