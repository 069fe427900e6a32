//! The connect phase between threads of one process, and strangers at its door.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::hello::{HELLO_BYTES, Hello, VERDICT_BYTES, Verdict};
use super::secret::{Role, Said};
use super::*;
use crate::error::Kind;
use crate::time::{millis, seconds};

pub(super) type Met = JoinHandle<Result<Option<Peers>>>;

pub(super) fn free(processes: usize) -> Vec<String> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listeners: Vec<TcpListener> = (0..processes).map(listen).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    listeners.iter().map(address).collect()
}

pub(super) fn seat(index: usize, processes: usize) -> Seat {
    Seat { index, processes, threads: 1, fingerprint: 42, resumed: 7 }
}

pub(super) fn secret() -> Secret {
    Secret::new(b"a secret of sixteen bytes or more").expect("a secret")
}

/// A process that is about to connect.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) seat: Seat,
    pub(super) addresses: Vec<String>,
    pub(super) bind: Option<String>,
    pub(super) secret: Secret,
    pub(super) tls: Tls,
    pub(super) timeout: Duration,
}

impl Process {
    pub(super) fn new(index: usize, addresses: &[String]) -> Process {
        Process {
            seat: seat(index, addresses.len()),
            addresses: addresses.to_vec(),
            bind: None,
            secret: secret(),
            tls: Tls::none(),
            timeout: seconds(10),
        }
    }

    pub(super) fn start(self) -> Met {
        self.start_until(&Stop::new())
    }

    pub(super) fn start_until(self, stop: &Stop) -> Met {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let options = Connect {
                seat: self.seat,
                addresses: &self.addresses,
                bind: Bind { address: self.bind.as_deref(), any: false },
                secret: &self.secret,
                tls: &self.tls,
                generation: 0,
                timeout: self.timeout,
                report: &|_| {},
            };
            connect(&options, &stop)
        })
    }
}

pub(super) fn start(index: usize, addresses: &[String]) -> Met {
    Process::new(index, addresses).start()
}

fn start_for(timeout: Duration, index: usize, addresses: &[String]) -> Met {
    Process { timeout, ..Process::new(index, addresses) }.start()
}

pub(super) fn peers(met: Met) -> Peers {
    met.join().expect("no panic").expect("no error").expect("nobody asked for the end")
}

pub(super) fn error(met: Met) -> Error {
    met.join().expect("no panic").expect_err("an error")
}

/// Knocks until somebody listens.
pub(super) fn knock(address: &str) -> TcpStream {
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
pub(super) fn is_hung_up(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(seconds(1))).expect("a time");
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// A handshake by hand, as far as both hellos.
struct Greeted {
    stream: TcpStream,
    caller: [u8; HELLO_BYTES],
    called: [u8; HELLO_BYTES],
}

fn greet(address: &str, hello: Hello) -> Greeted {
    let (mut stream, caller) = (knock(address), hello.to_bytes());
    stream.set_read_timeout(Some(seconds(5))).expect("a time");
    stream.write_all(&caller).expect("it is open");
    let mut called = [0; HELLO_BYTES];
    stream.read_exact(&mut called).expect("a hello");
    Greeted { stream, caller, called }
}

impl Greeted {
    /// Proves that it knows a secret; what is made of it.
    fn prove(&mut self, secret: &Secret) -> Option<Verdict> {
        let said = Said { caller: &self.caller, called: &self.called, more: &[] };
        self.stream.write_all(&secret.prove(Role::Caller, said)).expect("it is open");
        self.verdict()
    }

    fn verdict(&mut self) -> Option<Verdict> {
        let mut verdict = [0; VERDICT_BYTES];
        self.stream.read_exact(&mut verdict).ok()?;
        Verdict::read(&verdict, &secret(), &self.caller, &self.called)
    }
}

fn hello(seat: Seat, generation: Option<Generation>) -> Hello {
    Hello::new(seat, generation, [9; 32])
}

pub(super) fn each_hears_every_other(met: &mut [Peers]) {
    for from in met.iter_mut() {
        for (to, link) in from.links.iter_mut().enumerate() {
            assert_eq!(link.is_none(), to == from.index);
            if let Some(link) = link {
                link.write_all(&[from.index as u8]).expect("it is open");
            }
        }
    }
    for to in met.iter_mut() {
        for (from, link) in to.links.iter_mut().enumerate() {
            let Some(link) = link else { continue };
            let mut byte = [9];
            link.read_exact(&mut byte).expect("a byte");
            let nodelay = link.socket().nodelay().ok();
            assert_eq!((usize::from(byte[0]), nodelay), (from, Some(true)));
        }
    }
}

#[test]
fn every_process_gets_a_socket_to_every_other() {
    let addresses = free(3);
    let met = [2, 0, 1].map(|index| start(index, &addresses));
    let mut met = met.map(peers);
    met.sort_by_key(|peers| peers.index);
    assert!(met.iter().all(|peers| peers.generation == met[0].generation));
    each_hears_every_other(&mut met);
}

#[test]
fn a_missing_process_is_named_when_the_time_is_over() {
    let addresses = free(3);
    let met = [0, 1].map(|index| start_for(millis(400), index, &addresses));
    for error in met.map(error) {
        assert_eq!(error.kind(), Kind::Unreachable);
        // Process 0 may leave first, and is missed then as well.
        assert!(error.message().contains(&format!("process 2 ({})", addresses[2])), "{error}");
    }
    let alone = error(start_for(millis(100), 2, &addresses));
    assert!(alone.message().starts_with("after 0.1 s process 0 ("), "{alone}");
    assert!(alone.message().ends_with(") are not connected"), "{alone}");
}

#[test]
fn who_was_started_otherwise_is_told_so_and_the_others_go_on() {
    let addresses = free(2);
    let first = start(0, &addresses);
    let check = |other: Seat, expect: &str| {
        let error = error(Process { seat: other, ..Process::new(1, &addresses) }.start());
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.message().contains(expect), "{error}");
    };
    check(Seat { threads: 3, ..seat(1, 2) }, "started with -w 1, this one with -w 3");
    check(Seat { fingerprint: 7, ..seat(1, 2) }, "(fingerprint 000000000000002a) than");
    let second = start(1, &addresses);
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn a_taken_index_ends_the_second_who_has_it() {
    let addresses = free(3);
    let met = [0, 1].map(|index| start(index, &addresses));
    sleep(millis(200));
    let elsewhere = free(1).remove(0);
    let twice = Process { bind: Some(elsewhere), ..Process::new(1, &addresses) };
    let twice = error(twice.start());
    assert_eq!(twice.message(), "process 0 has a process 1 already");
    assert_eq!(twice.kind(), Kind::Config);
    let third = start(2, &addresses);
    let _held = met.map(peers);
    peers(third);
}

#[test]
fn an_address_of_another_process_is_told_apart() {
    let addresses = free(3);
    let mut wrong = addresses.clone();
    wrong.swap(0, 1);
    let met = [0, 1].map(|index| start(index, &addresses));
    let mixed = error(start(2, &wrong));
    assert!(mixed.message().contains("and not process"), "{mixed}");
    assert_eq!(mixed.kind(), Kind::Config);
    let third = start(2, &addresses);
    let _held = met.map(peers);
    peers(third);
}

#[test]
fn a_process_that_left_before_the_start_may_come_again() {
    let addresses = free(2);
    let first = start(0, &addresses);
    let mut gone = greet(&addresses[0], hello(seat(1, 2), None));
    assert_eq!(gone.prove(&secret()), Some(Verdict::Welcome));
    drop(gone);
    // Half closed is gone as well, though its other half still listens.
    let mut half = greet(&addresses[0], hello(seat(1, 2), None));
    assert_eq!(half.prove(&secret()), Some(Verdict::Welcome));
    half.stream.shutdown(Shutdown::Write).expect("it is open");
    let second = start(1, &addresses);
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn strangers_do_not_disturb_a_pair_that_starts() {
    let addresses = free(2);
    let first = start(0, &addresses);
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
        let mut stranger = greet(&addresses[0], hello(seat(index, 2), None));
        assert_eq!(stranger.prove(&secret()), Some(Verdict::Differs), "{index}");
    }
    // Half a hello, and then the end of it.
    let mut half = knock(&addresses[0]);
    half.write_all(&hello(seat(1, 2), None).to_bytes()[..20]).expect("it is open");
    half.shutdown(Shutdown::Write).expect("it is open");
    assert!(is_hung_up(&mut half));
    let second = start(1, &addresses);
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn whoever_answers_at_an_address_but_is_no_process_is_called_again() {
    let addresses = free(2);
    let other = TcpListener::bind(&addresses[0]).expect("it is free");
    let second = start(1, &addresses);
    let (mut stream, _) = other.accept().expect("a call");
    stream.write_all(&[b'x'; HELLO_BYTES]).expect("it is open");
    drop((stream, other));
    // The port may take a moment to be free again.
    let deadline = Instant::now() + seconds(5);
    let mut first = start(0, &addresses);
    while first.is_finished() && Instant::now() < deadline {
        first = start(0, &addresses);
        sleep(millis(50));
    }
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn a_stop_ends_the_waiting() {
    let addresses = free(2);
    let stop = Stop::new();
    stop.ask();
    let met = Process::new(0, &addresses).start_until(&stop);
    assert!(met.join().expect("no panic").expect("no error").is_none());
}

#[test]
fn who_does_not_know_the_secret_is_no_process() {
    let addresses = free(2);
    let first = start(0, &addresses);
    for other in [Secret::none(), Secret::new(b"another secret of a test").expect("a secret")] {
        let mut stranger = greet(&addresses[0], hello(seat(1, 2), None));
        assert_eq!(stranger.prove(&other), Some(Verdict::Secret));
        assert!(is_hung_up(&mut stranger.stream));
        // A process waits, should the other one be started again with the right one.
        let alone = Process { secret: other, timeout: millis(300), ..Process::new(1, &addresses) };
        let error = error(alone.start());
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.message().ends_with("do not share a secret"), "{error}");
        assert!(error.has_hint());
    }
    let (first, second) = (first, start(1, &addresses));
    let (first, _second) = (peers(first), peers(second));
    assert!(4 <= first.refusals.of(Reason::Secret), "{}", first.refusals);
}

#[test]
fn a_handshake_that_was_recorded_is_of_no_use() {
    let addresses = free(2);
    let first = start(0, &addresses);
    let mut real = greet(&addresses[0], hello(seat(1, 2), None));
    let said = Said { caller: &real.caller, called: &real.called, more: &[] };
    let proof = secret().prove(Role::Caller, said);
    real.stream.write_all(&proof).expect("it is open");
    assert_eq!(real.verdict(), Some(Verdict::Welcome));
    drop(real.stream);
    let mut replayed = greet(&addresses[0], hello(seat(1, 2), None));
    assert_eq!(replayed.caller, real.caller);
    replayed.stream.write_all(&proof).expect("it is open");
    assert_eq!(replayed.verdict(), Some(Verdict::Secret));
    // Nor are the words of the other side.
    let mut echoed = greet(&addresses[0], hello(seat(1, 2), None));
    let said = Said { caller: &echoed.caller, called: &echoed.called, more: &[0; 4] };
    let proof = secret().prove(Role::Called, said);
    echoed.stream.write_all(&proof).expect("it is open");
    assert_eq!(echoed.verdict(), Some(Verdict::Secret));
    let second = start(1, &addresses);
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn who_belongs_to_another_generation_has_to_come_again() {
    let addresses = free(3);
    let met = [0, 1].map(|index| start(index, &addresses));
    let first = greet(&addresses[0], hello(seat(2, 3), None));
    let now = Hello::read(&first.called).and_then(|hello| hello.generation).expect("one");
    drop(first);
    // Process 1 answers once it has heard of its generation from process 0.
    let older = Generation { number: now.number - 1, ..now };
    for address in &addresses[..2] {
        let old = || greet(address, hello(seat(2, 3), Some(older))).prove(&secret());
        let deadline = Instant::now() + seconds(5);
        while old() != Some(Verdict::Generation) {
            assert!(Instant::now() < deadline, "{address}");
        }
    }
    // A process 2 that has not heard of one has no business with process 1.
    let mut early = greet(&addresses[1], hello(seat(2, 3), None));
    assert_eq!(early.prove(&secret()), Some(Verdict::Later));
    let third = start(2, &addresses);
    for peers in met.map(peers).into_iter().chain([peers(third)]) {
        assert_eq!(peers.generation, now);
    }
}

#[test]
fn a_newer_generation_is_joined_when_process_0_is_started_again() {
    let addresses = free(3);
    let stop = Stop::new();
    let doomed = Process::new(0, &addresses).start_until(&stop);
    let second = start(1, &addresses);
    let old = greet(&addresses[0], hello(seat(2, 3), None));
    let old = Hello::read(&old.called).and_then(|hello| hello.generation).expect("one");
    // Process 1 has joined it.
    let joined = || {
        let mut early = greet(&addresses[1], hello(seat(2, 3), Some(old)));
        early.prove(&secret()) == Some(Verdict::Welcome)
    };
    let deadline = Instant::now() + seconds(5);
    while !joined() {
        assert!(Instant::now() < deadline);
    }
    stop.ask();
    assert!(doomed.join().expect("no panic").expect("no error").is_none());
    let (first, third) = (start(0, &addresses), start(2, &addresses));
    let met = [first, second, third].map(peers);
    assert!(met.iter().all(|peers| peers.generation == met[0].generation));
    assert!(old < met[0].generation);
}

#[test]
fn who_goes_on_from_another_checkpoint_than_process_0_is_to_start_again() {
    let addresses = free(2);
    let first = start(0, &addresses);
    let stale = Process { seat: Seat { resumed: 6, ..seat(1, 2) }, ..Process::new(1, &addresses) };
    let error = error(stale.start());
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(error.message().contains("another checkpoint"), "{error}");
    let second = start(1, &addresses);
    assert_eq!((peers(first).index, peers(second).index), (0, 1));
}

#[test]
fn a_thousand_connections_at_once_and_slow_ones_keep_nobody_out() {
    let addresses = free(2);
    let first = start(0, &addresses);
    let mut slow = knock(&addresses[0]);
    slow.write_all(&hello(seat(1, 2), None).to_bytes()[..1]).expect("it is open");
    let crowd: Vec<TcpStream> = (0..1_000).map(|_| knock(&addresses[0])).collect();
    assert!(is_hung_up(&mut slow), "the oldest stays though there is no room");
    let second = start(1, &addresses);
    let (first, second) = (peers(first), peers(second));
    assert_eq!(second.index, 1);
    // Those who still wait for a hearing when the door closes are not counted.
    assert!(500 < first.refusals.of(Reason::Crowd), "{}", first.refusals);
    drop(crowd);
}

#[test]
fn a_byte_a_second_is_too_slow() {
    let addresses = free(2);
    let stop = Stop::new();
    let first = Process::new(0, &addresses).start_until(&stop);
    let mut slow = knock(&addresses[0]);
    let (begun, words) = (Instant::now(), hello(seat(1, 2), None).to_bytes());
    for byte in words {
        if slow.write_all(&[byte]).is_err() || is_hung_up(&mut slow) {
            break;
        }
    }
    let took = begun.elapsed();
    assert!(seconds(4) < took && took < seconds(8), "{took:?}");
    stop.ask();
    assert!(first.join().expect("no panic").expect("no error").is_none());
}
