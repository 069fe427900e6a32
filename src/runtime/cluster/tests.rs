//! The connect phase between threads of one process, and strangers at its door.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::hello::{ANSWER_BYTES, Hello, Verdict};
use super::*;
use crate::error::Kind;
use crate::time::{millis, seconds};

type Met = JoinHandle<Result<Option<Peers>>>;

fn free(processes: usize) -> Vec<String> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listeners: Vec<TcpListener> = (0..processes).map(listen).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    listeners.iter().map(address).collect()
}

fn seat(index: usize, processes: usize) -> Seat {
    Seat { index, processes, threads: 1, fingerprint: 42 }
}

fn start(seat: Seat, addresses: &[String], timeout: Duration) -> Met {
    start_at(seat, addresses, None, timeout)
}

fn start_at(seat: Seat, addresses: &[String], bind: Option<&str>, timeout: Duration) -> Met {
    let (addresses, bind) = (addresses.to_vec(), bind.map(String::from));
    std::thread::spawn(move || {
        let bind = bind.as_deref();
        let options = Connect { seat, addresses: &addresses, bind, timeout, report: &|_| {} };
        connect(&options, &Stop::new())
    })
}

fn peers(met: Met) -> Peers {
    met.join().expect("no panic").expect("no error").expect("nobody asked for the end")
}

fn error(met: Met) -> Error {
    met.join().expect("no panic").expect_err("an error")
}

/// Knocks until somebody listens.
fn knock(address: &str) -> TcpStream {
    let deadline = Instant::now() + seconds(5);
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) if deadline < Instant::now() => panic!("{address}: {error}"),
            Err(_) => sleep(millis(5)),
        }
    }
}

/// Whether the other side hangs up within a second, without a word.
fn is_hung_up(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(seconds(1))).expect("a time");
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn every_process_gets_a_socket_to_every_other() {
    let addresses = free(3);
    let met = [2, 0, 1].map(|index| start(seat(index, 3), &addresses, seconds(10)));
    let mut met = met.map(peers);
    met.sort_by_key(|peers| peers.index);
    for from in &met {
        for (to, socket) in from.sockets.iter().enumerate() {
            assert_eq!(socket.is_none(), to == from.index);
            if let Some(mut socket) = socket.as_ref() {
                socket.write_all(&[from.index as u8]).expect("it is open");
            }
        }
    }
    for to in &met {
        for (from, socket) in to.sockets.iter().enumerate() {
            let Some(mut socket) = socket.as_ref() else { continue };
            let mut byte = [9];
            socket.read_exact(&mut byte).expect("a byte");
            assert_eq!((usize::from(byte[0]), socket.nodelay().ok()), (from, Some(true)));
        }
    }
}

#[test]
fn a_missing_process_is_named_when_the_time_is_over() {
    let addresses = free(3);
    let met = [0, 1].map(|index| start(seat(index, 3), &addresses, millis(400)));
    for error in met.map(error) {
        assert_eq!(error.kind(), Kind::Unreachable);
        // Process 0 may leave first, and is missed then as well.
        assert!(error.message().contains(&format!("process 2 ({})", addresses[2])), "{error}");
    }
    let alone = error(start(seat(2, 3), &addresses, millis(100)));
    assert!(alone.message().starts_with("after 0.1 s process 0 ("), "{alone}");
    assert!(alone.message().ends_with(") are not connected"), "{alone}");
}

#[test]
fn who_was_started_otherwise_is_told_so_and_the_others_go_on() {
    let addresses = free(2);
    let first = start(seat(0, 2), &addresses, seconds(10));
    let check = |other: Seat, expect: &str| {
        let error = error(start(other, &addresses, seconds(10)));
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.message().contains(expect), "{error}");
    };
    check(Seat { threads: 3, ..seat(1, 2) }, "started with -w 1, this one with -w 3");
    check(Seat { fingerprint: 7, ..seat(1, 2) }, "(fingerprint 000000000000002a) than");
    let second = start(seat(1, 2), &addresses, seconds(10));
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn a_taken_index_ends_the_second_who_has_it() {
    let addresses = free(3);
    let met = [0, 1].map(|index| start(seat(index, 3), &addresses, seconds(10)));
    sleep(millis(200));
    let elsewhere = free(1).remove(0);
    let twice = error(start_at(seat(1, 3), &addresses, Some(&elsewhere), seconds(10)));
    assert_eq!(twice.message(), "process 0 has a process 1 already");
    assert_eq!(twice.kind(), Kind::Config);
    let third = start(seat(2, 3), &addresses, seconds(10));
    let _held = met.map(peers);
    peers(third);
}

#[test]
fn an_address_of_another_process_is_told_apart() {
    let addresses = free(3);
    let mut wrong = addresses.clone();
    wrong.swap(0, 1);
    let met = [0, 1].map(|index| start(seat(index, 3), &addresses, seconds(10)));
    let mixed = error(start(seat(2, 3), &wrong, seconds(10)));
    assert!(mixed.message().contains("and not process"), "{mixed}");
    assert_eq!(mixed.kind(), Kind::Config);
    let third = start(seat(2, 3), &addresses, seconds(10));
    let _held = met.map(peers);
    peers(third);
}

#[test]
fn a_process_that_left_before_the_start_may_come_again() {
    let addresses = free(2);
    let first = start(seat(0, 2), &addresses, seconds(10));
    let mut gone = knock(&addresses[0]);
    gone.write_all(&Hello::new(seat(1, 2)).to_bytes()).expect("it is open");
    let mut answer = [0; ANSWER_BYTES];
    gone.read_exact(&mut answer).expect("an answer");
    assert_eq!(Verdict::read(&answer), Some((Hello::new(seat(0, 2)), Verdict::Welcome)));
    drop(gone);
    let second = start(seat(1, 2), &addresses, seconds(10));
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn strangers_do_not_disturb_a_pair_that_starts() {
    let addresses = free(2);
    let first = start(seat(0, 2), &addresses, seconds(10));
    // A port scan.
    drop(knock(&addresses[0]));
    // Silent for ever.
    let _silent: Vec<TcpStream> = (0..20).map(|_| knock(&addresses[0])).collect();
    // What timely itself would send: an index of eight bytes.
    for index in [77u64, 0, 1] {
        let mut stranger = knock(&addresses[0]);
        stranger.write_all(&index.to_be_bytes()).expect("it is open");
        assert!(is_hung_up(&mut stranger), "{index}");
    }
    let mut garbage = knock(&addresses[0]);
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: highwater\r\n\r\n").expect("it is open");
    assert!(is_hung_up(&mut garbage));
    // The right words, and an index that is not there or not expected.
    for index in [77, 0, 2] {
        let mut stranger = knock(&addresses[0]);
        stranger.write_all(&Hello::new(seat(index, 2)).to_bytes()).expect("it is open");
        let mut answer = [0; ANSWER_BYTES];
        stranger.read_exact(&mut answer).expect("an answer");
        let verdict = Verdict::read(&answer).map(|(_, verdict)| verdict);
        assert_eq!(verdict, Some(Verdict::Differs), "{index}");
    }
    // Half a hello, and then the end of it.
    let mut half = knock(&addresses[0]);
    half.write_all(&Hello::new(seat(1, 2)).to_bytes()[..20]).expect("it is open");
    half.shutdown(Shutdown::Write).expect("it is open");
    assert!(is_hung_up(&mut half));
    let second = start(seat(1, 2), &addresses, seconds(10));
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn whoever_answers_at_an_address_but_is_no_process_is_called_again() {
    let addresses = free(2);
    let other = TcpListener::bind(&addresses[0]).expect("it is free");
    let second = start(seat(1, 2), &addresses, seconds(10));
    let (mut stream, _) = other.accept().expect("a call");
    stream.write_all(&[b'x'; ANSWER_BYTES]).expect("it is open");
    drop((stream, other));
    // The port may take a moment to be free again.
    let deadline = Instant::now() + seconds(5);
    let mut first = start(seat(0, 2), &addresses, seconds(10));
    while first.is_finished() && Instant::now() < deadline {
        first = start(seat(0, 2), &addresses, seconds(10));
        sleep(millis(50));
    }
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn a_stop_ends_the_waiting() {
    let addresses = free(2);
    let (stop, seat) = (Stop::new(), seat(0, 2));
    let (timeout, report) = (seconds(60), &|_: &str| {});
    let options = Connect { seat, addresses: &addresses, bind: None, timeout, report };
    stop.ask();
    assert!(connect(&options, &stop).expect("no error").is_none());
}
