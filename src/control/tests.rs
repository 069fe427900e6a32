//! The server, asked by friends and strangers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::*;
use crate::observe::status::{Phase, ProcessStatus, Role, Status};
use crate::time::Time;

#[derive(Default)]
struct Fake {
    stops: AtomicUsize,
    refused: RequestCounts,
}

impl Panel for Fake {
    fn status(&self) -> Status {
        Status {
            engine: "0.0.0".into(),
            system: "chat".into(),
            now: Time::from_seconds(1),
            process: ProcessStatus {
                role: Role::Run,
                pid: 7,
                index: 0,
                processes: 1,
                threads: 2,
                began: Time::from_seconds(0),
                phase: Phase::Running,
                generation: None,
                supervisor: None,
                cause: None,
            },
            refused_connections: Default::default(),
            refused_requests: self.refused.named(),
            jobs: vec![],
        }
    }

    fn stop(&self) {
        self.stops.fetch_add(1, Relaxed);
    }

    fn was_asked(&self) -> bool {
        0 < self.stops.load(Relaxed)
    }

    fn refused(&self) -> &RequestCounts {
        &self.refused
    }
}

const TOKEN: &str = "0123456789abcdef";

fn server() -> (Server, Arc<Fake>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let fake = Arc::new(Fake::default());
    let guard = Guard { name: None, token: Token::new(TOKEN) };
    (Server::start(listener, guard, fake.clone()).expect("a server"), fake)
}

fn run(address: SocketAddr) -> Run {
    Run {
        pid: 7,
        role: Role::Run,
        system: "chat".into(),
        jobs: vec![],
        index: 0,
        processes: 1,
        supervisor: None,
        began: Time::from_seconds(0),
        address: Some(address.to_string()),
        token: TOKEN.into(),
    }
}

/// The first line of the answer to a request; `HOST` stands for the address.
fn first_line(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an option");
    let request = request.replace("HOST", &address.to_string());
    // It may answer, and hang up, before it has read all of it.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    answer.lines().next().unwrap_or_default().to_string()
}

#[test]
fn a_run_file_is_all_that_one_needs() {
    let (server, fake) = server();
    let run = run(server.address());
    assert_eq!(ask(&run), Ok(fake.status()));
    assert_eq!(command(&run), Ok(()));
    assert_eq!(fake.stops.load(Relaxed), 1);
    let wrong = Run { token: "fedcba9876543210".into(), ..run.clone() };
    let error = command(&wrong).expect_err("a wrong token");
    assert!(error.to_string().contains("it refuses: 401"), "{error}");
    drop(server);
    assert_eq!(ask(&run).expect_err("nobody").kind(), crate::error::Kind::Unreachable);
    assert_eq!(fake.stops.load(Relaxed), 1);
}

#[test]
fn strangers_are_refused_and_nothing_stops() {
    let (server, fake) = server();
    let check = |request: &str, expect: &str| {
        let line = first_line(server.address(), request);
        assert_eq!(
            line.strip_prefix("HTTP/1.1 ").map(|line| &line[..3]),
            Some(expect),
            "{request}"
        );
    };
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    check("GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\n\r\n", "200");
    // Another host, several, or none.
    check("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403");
    check("GET /api/v1/status HTTP/1.1\r\n\r\n", "403");
    check("GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n", "403");
    check(&format!("POST /api/v1/stop HTTP/1.1\r\nHost: evil.example\r\n{bearer}\r\n"), "403");
    // A page of another site, even with the token.
    for origin in ["http://evil.example", "null", "http://HOST\r\nOrigin: http://evil.example"] {
        let origin = format!("Host: HOST\r\nOrigin: {origin}\r\n{bearer}\r\n");
        check(&format!("POST /api/v1/stop HTTP/1.1\r\n{origin}"), "403");
        check(&format!("GET /api/v1/status HTTP/1.1\r\n{origin}"), "403");
    }
    // Without the token, with another, or where it does not belong.
    check("POST /api/v1/stop HTTP/1.1\r\nHost: HOST\r\n\r\n", "401");
    check("POST /api/v1/stop HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer x\r\n\r\n", "401");
    check(&format!("POST /api/v1/stop?token={TOKEN} HTTP/1.1\r\nHost: HOST\r\n\r\n"), "401");
    check(&format!("POST /api/v1/stop HTTP/1.1\r\nHost: HOST\r\nCookie: {TOKEN}\r\n\r\n"), "401");
    // Not like this, or not at all.
    check(&format!("GET /api/v1/stop HTTP/1.1\r\nHost: HOST\r\n{bearer}\r\n"), "405");
    check("DELETE /api/v1/status HTTP/1.1\r\nHost: HOST\r\n\r\n", "405");
    check("GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: HOST\r\n\r\n", "404");
    check("no request at all\r\n\r\n", "400");
    // Too much of it.
    let long = "x".repeat(9 << 10);
    check(&format!("GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nX: {long}\r\n\r\n"), "431");
    check(
        &format!(
            "POST /api/v1/stop HTTP/1.1\r\nHost: HOST\r\n{bearer}Content-Length: 65537\r\n\r\n"
        ),
        "413",
    );
    assert_eq!(fake.stops.load(Relaxed), 0);
    for reason in ["host", "origin", "token", "unknown", "body", "headers"] {
        until_counted(&fake, reason);
    }
    check(&format!("POST /api/v1/stop HTTP/1.1\r\nHost: HOST\r\n{bearer}\r\n"), "202");
    assert_eq!(fake.stops.load(Relaxed), 1);
}

#[test]
fn who_is_slow_is_hung_up_on_and_a_crowd_has_its_limit() {
    let (server, fake) = server();
    let begun = Instant::now();
    let mut slow: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(server.address()).expect("it listens")).collect();
    // Those that are one too many hear it and are hung up on; the others are waited for.
    let mut crowd = 0;
    slow.retain_mut(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("an option");
        let mut answer = [0; 12];
        let is_refused = stream.read(&mut answer).is_ok() && answer == *b"HTTP/1.1 429";
        let _ = stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nHo");
        crowd += usize::from(is_refused);
        !is_refused
    });
    assert!(0 < crowd, "all of 400 have a seat");
    // A byte a second does not help.
    slow[0].set_read_timeout(Some(Duration::from_secs(1))).expect("an option");
    let hung_up = loop {
        let _ = slow[0].write_all(b"s");
        match slow[0].read(&mut [0; 512]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break begun.elapsed(),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it listens without end");
    };
    assert!(Duration::from_secs(4) < hung_up, "{hung_up:?}");
    drop(slow);
    let again = Instant::now();
    while ask(&run(server.address())).is_err() {
        assert!(again.elapsed() < Duration::from_secs(30), "there is no room again");
        std::thread::sleep(Duration::from_millis(20));
    }
    until_counted(&fake, "headers");
    until_counted(&fake, "crowd");
}

fn until_counted(fake: &Fake, reason: &str) {
    let begun = Instant::now();
    while !fake.refused.named().contains_key(reason) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{reason} is not counted");
        std::thread::sleep(Duration::from_millis(20));
    }
}
