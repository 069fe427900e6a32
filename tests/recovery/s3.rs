//! Checkpoints in a bucket of S3: kills, a server that is away, and two attempts at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use highwater::testing::s3::{S3Server, USER};
use highwater::testing::{Dice, Scratch, or_skip};

use super::{LIMIT, assert_same, killed_until_it_ends, manifests, run, undisturbed};
use crate::binary::highwater;
use crate::cluster::support::{Running, until};

/// A job whose checkpoints are in a bucket, reached by what its file says.
fn in_bucket(mut command: Command, server: &S3Server, bucket: &str) -> Command {
    let s3 = format!(
        "checkpoint.s3={{endpoint=\"{}\",access_key=\"{}\",secret_key=\"{}\",\
         request_timeout=\"5s\"}}",
        server.endpoint(),
        USER.0,
        USER.1
    );
    let path = format!("checkpoint.path=\"s3://{bucket}/checkpoints\"");
    command.args(["--set", &path, "--set", &s3]);
    command
}

/// A server of this test alone, with a bucket; the folder that the server keeps it in.
fn server(dir: &Path, bucket: &str) -> Option<(S3Server, PathBuf)> {
    let server = or_skip(S3Server::start(&dir.join("s3")))?;
    let data = server.make_bucket(bucket).expect("a bucket");
    Some((server, data))
}

#[test]
fn a_job_that_is_killed_again_and_again_goes_on_from_a_bucket() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("killed-s3"));
    let Some((server, data)) = server(dir.path(), "kills") else { return };
    let (expected, _) = undisturbed(calm.path());
    let (path, mut dice) = (dir.path(), Dice::new());
    let command = |workers| in_bucket(run(path, workers), &server, "kills");
    killed_until_it_ends((path, &mut dice, 8), command);
    assert_same(path, &expected);
    assert!(!path.join("checkpoints").exists(), "nothing is in a folder");
    let epochs = manifests(&data);
    assert_eq!(epochs.len(), 3, "older ones were removed: {epochs:?}");

    // What `inspect` shows, with the variables that other programs know.
    let mut command = highwater();
    command.args(["inspect", "s3://kills/checkpoints"]);
    command.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", USER.0).env("AWS_SECRET_ACCESS_KEY", USER.1);
    let inspected = Running::start(command, path, "inspect").end(LIMIT);
    assert_eq!(inspected.code, Some(0), "{}", inspected.err);
    for words in ["s3://kills/checkpoints/chat", "chat of chat", "its input has ended"] {
        assert!(inspected.out.contains(words), "{words}: {}", inspected.out);
    }
    assert!(!inspected.out.contains("does not add up"), "{}", inspected.out);
    let checked = {
        let mut command = highwater();
        command.args(["check", "chat"]);
        let command = in_bucket(super::chat(command, path), &server, "kills");
        Running::start(command, path, "check").end(LIMIT)
    };
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("s3://kills/checkpoints/chat"), "{}", checked.out);
}

#[test]
fn a_bucket_that_is_away_for_a_while_costs_checkpoints_and_not_the_job() {
    let (calm, dir) = (Scratch::new("calm"), Scratch::new("away-s3"));
    let Some((mut server, data)) = server(dir.path(), "away") else { return };
    let (expected, _) = undisturbed(calm.path());
    let path = dir.path();
    let command = in_bucket(run(path, 2), &server, "away");
    let running = Running::start(command, path, "away");
    until(LIMIT, || data.join("checkpoints/chat").is_dir() && !manifests(&data).is_empty());
    server.kill();
    running.wait_for("trying again");
    sleep(Duration::from_millis(500));
    server.restart().expect("the server");
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_same(path, &expected);
    let epochs = manifests(&data);
    assert!(2 <= epochs.len(), "checkpoints after the outage: {epochs:?}");
}

#[test]
fn a_bucket_that_stays_away_ends_the_job_with_75() {
    let dir = Scratch::new("gone-s3");
    let Some((mut server, data)) = server(dir.path(), "gone") else { return };
    let mut command = in_bucket(run(dir.path(), 2), &server, "gone");
    command.args(["--set", "checkpoint.age_max=300ms"]);
    let running = Running::start(command, dir.path(), "gone");
    until(LIMIT, || data.join("checkpoints/chat").is_dir() && !manifests(&data).is_empty());
    server.kill();
    let ended = running.end(LIMIT);
    assert_eq!(ended.code, Some(75), "{}", ended.err);
    for words in ["s3://gone/checkpoints/chat", "S3 cannot be used now", "hint: "] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }

    // At the start it is waited for as sources and sinks are.
    let mut command = in_bucket(run(dir.path(), 2), &server, "gone");
    command.args(["--set", "connect.attempts=2", "--set", "connect.every=10ms"]);
    let ended = Running::start(command, dir.path(), "again").end(LIMIT);
    assert_eq!(ended.code, Some(75), "{}", ended.err);
    assert!(ended.err.contains("(attempt 1/2)"), "{}", ended.err);
}

#[test]
fn of_two_attempts_with_one_bucket_one_ends_with_75() {
    let dir = Scratch::new("race-s3");
    let Some((server, data)) = server(dir.path(), "race") else { return };
    let start = |name: &str| {
        let mut command = in_bucket(run(dir.path(), 2), &server, "race");
        // Neither misses a file that the other has written, or removed while it starts.
        command.args(["--set", "checkpoint.keep=1000"]);
        for port in ["sink.chat_summary_minute", "sink.moments", "dead_letters"] {
            command.args(["--set", &format!("{port}={{blackhole={{}}}}")]);
        }
        Running::start(command, dir.path(), name)
    };
    let ended = [start("one"), start("other")].map(|running| running.end(LIMIT));
    let codes = ended.each_ref().map(|ended| ended.code);
    let words = ended.each_ref().map(|ended| ended.err.as_str());
    assert!(codes == [Some(0), Some(75)] || codes == [Some(75), Some(0)], "{codes:?}: {words:?}");
    let loser = &ended[usize::from(codes[1] == Some(75))];
    assert!(loser.err.contains("was published by another process"), "{}", loser.err);
    assert!(!manifests(&data).is_empty());
}
