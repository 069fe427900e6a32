//! A store of objects in memory, and a bucket of a real server.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;

use super::super::{Checkpoints, Manifest, Options, Owner, Place};
use super::*;
use crate::objects::S3Options;
use crate::testing::s3::{S3Server, USER};
use crate::testing::{Scratch, or_skip};

fn memory(store: &Arc<InMemory>) -> Objects {
    Objects::new(Client::new(store.clone(), "jobs/chat".into(), "memory://jobs".into()).unwrap())
}

fn options(server: &S3Server) -> S3Options {
    S3Options {
        endpoint: server.endpoint(),
        access_key: USER.0.into(),
        secret_key: USER.1.into(),
        request_timeout: Some(Duration::from_secs(5)),
        ..S3Options::default()
    }
}

/// What the trait promises, of two clients of one place.
fn keeps_its_promises(one: &dyn Store, other: &dyn Store) {
    assert_eq!(one.list().unwrap(), [""; 0]);
    one.put("b", b"two").unwrap();
    one.put("a", b"").unwrap();
    one.put("b", b"again").unwrap();
    assert_eq!(other.list().unwrap(), ["a", "b"]);
    assert_eq!(other.get("b").unwrap().as_deref(), Some(&b"again"[..]));
    assert_eq!(other.get("a").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(other.get("c").unwrap(), None);
    other.delete("a").unwrap();
    other.delete("a").unwrap();

    assert!(one.publish("manifest", b"first").unwrap());
    assert!(!other.publish("manifest", b"second").unwrap());
    assert!(one.publish("manifest", b"first").unwrap(), "its answer may have been lost");
    assert_eq!(other.get("manifest").unwrap().as_deref(), Some(&b"first"[..]));
    one.rename("manifest", "damaged").unwrap();
    other.rename("manifest", "damaged").unwrap();
    assert_eq!(one.list().unwrap(), ["b", "damaged"]);
    assert!(other.publish("manifest", b"second").unwrap());
    assert_eq!(one.get("damaged").unwrap().as_deref(), Some(&b"first"[..]));
}

#[test]
fn objects_keep_the_promises_of_a_store() {
    let store = Arc::new(InMemory::new());
    keeps_its_promises(&memory(&store), &memory(&store));
}

#[test]
fn a_bucket_keeps_the_promises_of_a_store() {
    let Some(server) = S3Server::shared() else { return };
    server.make_bucket("store").unwrap();
    let place = Place::new("s3://store/jobs", &options(server)).unwrap().of_job("chat");
    assert!(!place.is_used().unwrap());
    keeps_its_promises(&*place.open().unwrap(), &*place.open().unwrap());
    assert!(place.is_used().unwrap());
    assert_eq!(place.to_string(), "s3://store/jobs/chat");
}

#[test]
fn what_is_large_goes_in_pieces_and_comes_back_whole() {
    let store = Arc::new(InMemory::new());
    let client = Client::new(store.clone(), "jobs".into(), "memory://jobs".into()).unwrap();
    let objects = Objects::new(client.in_pieces(1_000));
    for length in [0, 1, 999, 1_000, 1_001, 2_000, 12_345] {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        objects.put("state", &bytes).unwrap();
        assert!(objects.get("state").unwrap().as_ref() == Some(&bytes), "{length}");
    }
    // A real server takes pieces of 5 MiB or more, but for the last.
    let Some(server) = S3Server::shared() else { return };
    server.make_bucket("pieces").unwrap();
    let bucket = Bucket::new("pieces/jobs", &options(server)).unwrap();
    let objects = Objects::new(bucket.connect().unwrap().in_pieces(5 << 20));
    let bytes: Vec<u8> = (0..11 << 20).map(|at| (at % 251) as u8).collect();
    objects.put("state", &bytes).unwrap();
    assert!(objects.get("state").unwrap() == Some(bytes));
    assert_eq!(objects.list().unwrap(), ["state"]);
}

/// Many at once, as attempts that do not know of each other: exactly one has each epoch.
#[test]
fn of_attempts_that_race_for_an_epoch_one_has_it() {
    let Some(server) = S3Server::shared() else { return };
    server.make_bucket("race").unwrap();
    let place = Place::new("s3://race", &options(server)).unwrap().of_job("chat");
    for epoch in 0..10 {
        let name = Manifest::name(epoch);
        let publish = |who: u8| loop {
            match place.open().unwrap().publish(&name, &[who]) {
                Ok(won) => break won.then_some(who),
                // Two at the same instant: the server takes neither.
                Err(error) => assert_eq!(error.kind(), Kind::Unreachable, "{error}"),
            }
        };
        let won: Vec<u8> = std::thread::scope(|scope| {
            let all = [1, 2, 3].map(|who| scope.spawn(move || publish(who)));
            all.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1, "epoch {epoch}: {won:?}");
        assert_eq!(place.open().unwrap().get(&name).unwrap(), Some(won));
    }
}

#[test]
fn what_is_wrong_is_told_at_the_start_and_without_the_password() {
    let Some(server) = S3Server::shared() else { return };
    server.make_bucket("wrong").unwrap();
    let check = |path: &str, options: S3Options, kind: Kind, say: &str| {
        let error = Place::new(path, &options).unwrap().open().err().expect("an error");
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(say) && text.contains(path), "{text}");
        assert!(!text.contains(&options.secret_key), "{text}");
        assert!(error.has_hint(), "{text}");
    };
    check("s3://no-such-bucket/v", options(server), Kind::Config, "NoSuchBucket");
    let guessed = S3Options { secret_key: "guessed".into(), ..options(server) };
    assert!(!format!("{guessed:?}").contains("guessed"));
    check("s3://wrong/v", guessed, Kind::Config, "SignatureDoesNotMatch");
    let free = crate::testing::process::free_port().unwrap();
    let nobody = S3Options { endpoint: format!("http://127.0.0.1:{free}"), ..options(server) };
    check("s3://wrong/v", nobody, Kind::Unreachable, "Connection refused");
}

#[test]
fn a_server_that_is_away_is_no_other_checkpoint() {
    let dir = Scratch::new("store-away");
    let Some(mut server) = or_skip(S3Server::start(dir.path())) else { return };
    server.make_bucket("away").unwrap();
    let place = Place::new("s3://away/jobs", &options(&server)).unwrap().of_job("chat");
    let store = place.open().unwrap();
    store.put("state", b"bytes").unwrap();
    server.kill();
    let owner = || Owner { system: "chat".into(), job: "chat".into(), ..Owner::default() };
    let opened = Checkpoints::open(store.clone(), owner(), Options::default(), 1);
    assert_eq!(opened.unwrap_err().kind(), Kind::Unreachable);
    for error in [
        store.get("state").unwrap_err(),
        store.put("state", b"").unwrap_err(),
        store.publish("manifest", b"").unwrap_err(),
        store.delete("state").unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    }
    server.restart().unwrap();
    assert_eq!(store.get("state").unwrap().as_deref(), Some(&b"bytes"[..]));
    assert!(Checkpoints::open(store, owner(), Options::default(), 1).is_ok());
}
