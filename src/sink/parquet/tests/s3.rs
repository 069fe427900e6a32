//! A bucket of a real server.

use super::readers::run_job;
use super::*;
use crate::testing::s3::{S3Server, USER};
use crate::testing::{Scratch, or_skip};

fn settings(endpoint: &str, user: &str, password: &str) -> String {
    format!(
        "s3 = {{ endpoint = \"{endpoint}\", access_key = \"{user}\", \
         secret_key = \"{password}\", request_timeout = \"5s\" }}\n",
    )
}

/// The sink of a view at a path, for the user that the server knows.
fn at(server: &S3Server, path: &str, view: &View, overwrite: bool) -> Box<dyn Sink> {
    bind(Path::new(path), view, &settings(&server.endpoint(), USER.0, USER.1), overwrite)
}

fn texts(folder: &Temporary) -> Vec<String> {
    let mut rows: Vec<String> = read(folder).iter().map(|row| row.to_string()).collect();
    rows.sort();
    rows
}

#[test]
fn a_view_in_a_bucket_has_the_rows_of_one_in_a_folder() {
    let Some(server) = S3Server::shared() else { return };
    let data = server.make_bucket("rows-of-a-job").unwrap();
    let path = "s3a://rows-of-a-job/realtime views/topic=counts";
    run_job(2, |view| {
        let mut sink = at(server, path, view, false);
        sink.check().unwrap();
        sink
    });
    let folder = Temporary::new("beside-s3");
    run_job(2, |view| bind(&folder.0, view, "", false));

    let mut bucket = storage::of(&Place::new(path, &options(server), "a view").unwrap()).unwrap();
    let names = bucket.list().unwrap();
    assert_eq!(names.len(), 2, "one file of each worker: {names:?}");
    assert!(names.iter().all(|name| part::is_part(name) && !name.starts_with('.')), "{names:?}");
    // The server keeps an object as a file.
    let objects = Temporary(data.join("realtime views/topic=counts"));
    assert_eq!(texts(&objects).len(), 33 * 40 + 20);
    assert_eq!(texts(&objects), texts(&folder));

    let again = |overwrite| at(server, path, &numbers(), overwrite).check();
    let error = again(false).unwrap_err();
    assert!(error.message().contains("holds files already"), "{error}");
    again(true).unwrap();
    at(server, path, &numbers(), true).open(Shard { index: 0, count: 1 }).unwrap();
    assert_eq!(bucket.list(), Ok(vec![]));
}

fn options(server: &S3Server) -> S3Options {
    let options = settings(&server.endpoint(), USER.0, USER.1);
    toml::from_str::<Options>(&format!("path = \"x\"\n{options}")).unwrap().s3
}

#[test]
fn of_two_writers_of_one_name_one_is_told() {
    let Some(server) = S3Server::shared() else { return };
    server.make_bucket("one-name").unwrap();
    let finish = || {
        let mut writer = at(server, "s3://one-name/v", &numbers(), false).open(ONLY).unwrap();
        writer.write(&some(0..1)).unwrap();
        writer.finish()
    };
    for _ in 0..5 {
        let ended = std::thread::scope(|scope| {
            let writers = [0; 4].map(|_| scope.spawn(finish));
            writers.map(|writer| writer.join().unwrap())
        });
        let failed: Vec<_> = ended.into_iter().filter_map(|ended| ended.err()).collect();
        assert_eq!(failed.len(), 3, "{failed:?}");
        for error in failed {
            assert_eq!(error.kind(), Kind::Config, "{error}");
            let expect = "`s3://one-name/v/part-0000000000-0-00000-0.snappy.parquet` is there";
            assert!(error.message().contains(expect), "{error}");
        }
        at(server, "s3://one-name/v", &numbers(), true).open(ONLY).unwrap();
    }
}

#[test]
fn what_is_wrong_with_the_binding_is_told_at_the_start_and_without_the_password() {
    let Some(server) = S3Server::shared() else { return };
    let data = server.make_bucket("wrong-binding").unwrap();
    let check = |path: &str, endpoint: &str, user: &str, password: &str, kind: Kind, say: &str| {
        let settings = settings(endpoint, user, password);
        let error = bind(Path::new(path), &numbers(), &settings, true).check().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(text.contains(say), "{text}");
        assert!(text.contains("s3://") && !text.contains(password), "{text}");
    };
    let (endpoint, path) = (server.endpoint(), "s3://wrong-binding/v");
    check("s3://no-such-bucket/v", &endpoint, USER.0, USER.1, Kind::Config, "NoSuchBucket");
    check(path, &endpoint, USER.0, "guessed", Kind::Config, "SignatureDoesNotMatch");
    check(path, &endpoint, "nobody", USER.1, Kind::Config, "InvalidAccessKeyId");
    let free = crate::testing::process::free_port().unwrap();
    let nobody = format!("http://127.0.0.1:{free}");
    check(path, &nobody, USER.0, USER.1, Kind::Unreachable, "Connection refused");
    std::fs::create_dir_all(data.join("v/_spark_metadata")).unwrap();
    std::fs::write(data.join("v/_spark_metadata/0"), "v1").unwrap();
    check(path, &endpoint, USER.0, USER.1, Kind::Config, "_spark_metadata");
}

#[test]
fn a_server_that_is_away_for_a_while_gets_every_row_once() {
    let dir = Scratch::new("s3-away");
    let Some(mut server) = or_skip(S3Server::start(dir.path())) else { return };
    let data = server.make_bucket("away").unwrap();
    let mut writer = at(&server, "s3://away/v", &numbers(), false).open(ONLY).unwrap();
    writer.write(&some(0..10)).unwrap();
    writer.flush().unwrap();
    server.kill();
    writer.write(&some(10..20)).unwrap();
    writer.epoch(1).unwrap();
    for _ in 0..2 {
        assert_eq!(writer.flush().unwrap_err().kind(), Kind::Unreachable);
    }
    server.restart().unwrap();
    writer.flush().unwrap();
    writer.finish().unwrap();
    let folder = Temporary(data.join("v"));
    assert_eq!(folder.names().len(), 2);
    assert_eq!(read_numbers(&folder), (0..20).collect::<Vec<_>>());
}
