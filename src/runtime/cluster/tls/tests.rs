//! Certificates that fit and such that do not, at processes that meet; and streams under TLS.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection};

use super::super::link::Link;
use super::super::refusals::Reason;
use super::super::tests::{
    Met, Process, each_hears_every_other, error, free, is_hung_up, knock, peers,
};
use super::keys::Keys;
use super::{Tls, UNEXPECTED};
use crate::config;
use crate::error::Kind;
use crate::runtime::Stop;
use crate::testing::{Authority, Scratch, or_skip};
use crate::time::{millis, seconds};

/// An authority, and its folder.
fn authority(name: &str) -> Option<(Authority, Scratch)> {
    let dir = Scratch::new(name);
    or_skip(Authority::new(dir.path())).map(|authority| (authority, dir))
}

fn read(files: &config::Tls) -> Tls {
    Tls::from_files(files).expect("files that fit")
}

/// Files that this process itself would not begin with.
fn unproven(files: &config::Tls) -> Tls {
    Tls(Some(Arc::new(Keys::unproven(files).expect("files").0)))
}

fn under(tls: &Tls, index: usize, addresses: &[String]) -> Process {
    Process { tls: tls.clone(), ..Process::new(index, addresses) }
}

fn start(tls: &Tls, index: usize, addresses: &[String]) -> Met {
    under(tls, index, addresses).start()
}

#[test]
fn every_process_gets_a_secured_link_to_every_other() {
    let Some((authority, _dir)) = authority("tls-mesh") else { return };
    let addresses = free(3);
    // Each has a certificate of its own, and their names are not those of the host file.
    let met = ["two", "zero", "one"].map(|name| read(&authority.sign(name).expect("one")));
    let met = [2, 0, 1].into_iter().zip(&met).map(|(index, tls)| start(tls, index, &addresses));
    let mut met: Vec<_> = met.collect::<Vec<_>>().into_iter().map(peers).collect();
    met.sort_by_key(|peers| peers.index);
    each_hears_every_other(&mut met);
    assert!(met.iter().flat_map(|peers| peers.links.iter().flatten()).all(Link::has_tls));
    assert!(met.iter().all(|peers| peers.refusals.all() == 0));
}

#[test]
fn whose_certificate_is_refused_is_told_why_and_the_others_go_on() {
    let Some((own, dir)) = authority("tls-refused") else { return };
    let other = Authority::new(&dir.path().join("other")).expect("another authority");
    let right = read(&own.sign("right").expect("a certificate"));
    let foreign = other.sign("foreign").expect("a certificate");
    let mixed = config::Tls { ca: dir.path().join("ca.pem"), ..foreign.clone() };
    let expired = own.expired("expired").expect("a certificate");
    let check = |tls: &Tls, reason: Reason, expect: &str| {
        let addresses = free(2);
        let first = start(&right, 0, &addresses);
        let wrong = Process { timeout: millis(600), ..under(tls, 1, &addresses) };
        let error = error(wrong.start());
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.message().starts_with("process 0 ("), "{error}");
        assert!(error.message().contains(expect), "{error}");
        assert!(error.has_hint());
        let second = start(&right, 1, &addresses);
        let (first, _second) = (peers(first), peers(second));
        assert!(1 <= first.refusals.of(reason), "{expect}: {}", first.refusals);
        assert_eq!(first.refusals.all(), first.refusals.of(reason), "{}", first.refusals);
    };
    let shows = "shows a certificate that is refused: no authority in `cluster.tls.ca`";
    check(&read(&foreign), Reason::Tls, shows);
    let refuses = "refuses the certificate of this process: no authority in `cluster.tls.ca`";
    check(&unproven(&mixed), Reason::Tls, refuses);
    let expect = "refuses the certificate of this process: it has expired";
    check(&unproven(&expired), Reason::Tls, expect);
    let expect = "refuses the certificate of this process: there is none";
    check(&anonymous(&foreign, &dir.path().join("ca.pem")), Reason::Tls, expect);
    check(&Tls::none(), Reason::Plaintext, "speaks TLS, and this process does not");
}

/// One that shows no certificate when it calls.
fn anonymous(files: &config::Tls, ca: &Path) -> Tls {
    let files = config::Tls { ca: ca.to_path_buf(), ..files.clone() };
    let (keys, verifiers, _) = Keys::unproven(&files).expect("files");
    let client = ClientConfig::builder_with_provider(verifiers.ring.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .dangerous()
        .with_custom_certificate_verifier(verifiers.of_servers.clone())
        .with_no_client_auth();
    Tls(Some(Arc::new(Keys { client: Arc::new(client), ..keys })))
}

#[test]
fn a_certificate_of_the_called_process_is_checked_as_well() {
    let Some((own, _dir)) = authority("tls-called") else { return };
    let (right, expired) = (own.sign("right").expect("one"), own.expired("expired").expect("one"));
    let addresses = free(2);
    let stop = Stop::new();
    let first = under(&unproven(&expired), 0, &addresses).start_until(&stop);
    let second = Process { timeout: millis(600), ..under(&read(&right), 1, &addresses) };
    let error = error(second.start());
    assert_eq!(error.kind(), Kind::Config, "{error}");
    let expect = "shows a certificate that is refused: it has expired";
    assert!(error.message().contains(expect), "{error}");
    stop.ask();
    assert!(first.join().expect("no panic").expect("no error").is_none());
}

#[test]
fn tls_at_a_plain_process_is_refused_and_the_caller_knows_why() {
    let Some((own, _dir)) = authority("tls-at-plain") else { return };
    let right = read(&own.sign("right").expect("a certificate"));
    let addresses = free(2);
    let first = start(&Tls::none(), 0, &addresses);
    let secured = Process { timeout: millis(600), ..under(&right, 1, &addresses) };
    let error = error(secured.start());
    assert_eq!(error.kind(), Kind::Config, "{error}");
    assert!(error.message().contains("speaks without TLS, and this process with"), "{error}");
    let second = start(&Tls::none(), 1, &addresses);
    let (first, _second) = (peers(first), peers(second));
    assert!(1 <= first.refusals.of(Reason::Tls), "{}", first.refusals);
    assert_eq!(first.refusals.all(), first.refusals.of(Reason::Tls), "{}", first.refusals);
}

/// The first words of a caller.
fn client_hello(files: &config::Tls) -> Vec<u8> {
    let (keys, ..) = Keys::unproven(files).expect("files");
    let name = ServerName::try_from("a.test").expect("a name");
    let mut connection = ClientConnection::new(keys.client.clone(), name).expect("one");
    let mut bytes = vec![];
    connection.write_tls(&mut bytes).expect("memory");
    bytes
}

#[test]
fn strangers_at_a_secured_door_do_not_disturb_a_pair_that_starts() {
    let Some((own, _dir)) = authority("tls-strangers") else { return };
    let files = own.sign("right").expect("a certificate");
    let (right, words) = (read(&files), client_hello(&files));
    let addresses = free(2);
    let first = start(&right, 0, &addresses);
    drop(knock(&addresses[0]));
    // Silent for ever: from the start, in the middle of its first words, and behind them.
    let silent = [&[][..], &words[..1], &words[..words.len() / 2], &words];
    let silent = silent.map(|words| {
        let mut stranger = knock(&addresses[0]);
        stranger.write_all(words).expect("it is open");
        stranger
    });
    let mut garbage = knock(&addresses[0]);
    garbage.write_all(b"GET / HTTP/1.1\r\nHost: highwater\r\n\r\n").expect("it is open");
    assert!(is_hung_up(&mut garbage));
    // A plain process hears an alert of TLS; then a record out of order, and one that is too long.
    let (unordered, endless) = (b"\x16\x03\x01\x00\x04\0\0\0\0", b"\x16\x03\x01\xff\xffhello");
    for words in [&b"hghwater"[..], unordered, endless] {
        let mut stranger = knock(&addresses[0]);
        stranger.set_read_timeout(Some(seconds(2))).expect("a time");
        stranger.write_all(words).expect("it is open");
        let mut answer = vec![];
        stranger.read_to_end(&mut answer).expect("an end");
        assert!(words != b"hghwater" || answer == UNEXPECTED, "{answer:?}");
    }
    let crowd: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stranger = knock(&addresses[0]);
            stranger.write_all(&words).expect("it is open");
            stranger
        })
        .collect();
    let second = start(&right, 1, &addresses);
    let (first, second) = (peers(first), peers(second));
    assert_eq!((first.index, second.index), (0, 1));
    let counts = [Reason::Tls, Reason::Plaintext, Reason::Stranger];
    assert_eq!(counts.map(|reason| first.refusals.of(reason)), [2, 1, 1], "{}", first.refusals);
    drop((silent, crowd));
}

#[test]
fn who_falls_silent_within_the_handshake_of_tls_is_hung_up_on() {
    let Some((own, _dir)) = authority("tls-silent") else { return };
    let files = own.sign("right").expect("a certificate");
    let (right, words) = (read(&files), client_hello(&files));
    let addresses = free(2);
    // Somebody who answers in the place of process 0 and then says nothing.
    let other = TcpListener::bind(&addresses[0]).expect("it is free");
    let second = Process { timeout: seconds(20), ..under(&right, 1, &addresses) }.start();
    let (mut silent, _) = other.accept().expect("a call");
    silent.read_exact(&mut [0; 5]).expect("the head of a record");
    drop(other);
    let begun = Instant::now();
    let stop = Stop::new();
    let first = Process { timeout: seconds(20), ..under(&right, 0, &addresses) };
    let first = first.start_until(&stop);
    // And somebody who calls, and says nothing more behind its first words.
    let mut slow = knock(&addresses[0]);
    slow.write_all(&words).expect("it is open");
    slow.set_read_timeout(Some(seconds(9))).expect("a time");
    let mut answer = vec![];
    // The called process answers, hears nothing, and closes.
    let _ = slow.read_to_end(&mut answer);
    assert!(500 < answer.len(), "{}", answer.len());
    let took = begun.elapsed();
    assert!(seconds(3) < took && took < seconds(8), "{took:?}");
    let (first, second) = (peers(first), peers(second));
    assert_eq!((first.index, second.index), (0, 1));
    drop(silent);
}

#[test]
fn files_that_do_not_fit_are_named_with_a_hint() {
    let Some((own, dir)) = authority("tls-files") else { return };
    let other = Authority::new(&dir.path().join("other")).expect("another authority");
    let right = own.sign("right").expect("a certificate");
    let foreign = other.sign("foreign").expect("a certificate");
    let expired = own.expired("expired").expect("a certificate");
    let server = "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth";
    let server = own.sign_with("server", server, 2).expect("a certificate");
    let empty = dir.path().join("empty");
    fs::write(&empty, "").expect("a file");
    fs::set_permissions(&empty, Permissions::from_mode(0o600)).expect("its mode");
    let gone = dir.path().join("gone");
    let check = |files: config::Tls, expect: [&str; 2]| {
        let error = Tls::from_files(&files).expect_err(expect[1]);
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.has_hint(), "{error}");
        assert!(expect.iter().all(|words| error.to_string().contains(words)), "{error}");
    };
    let with = |cert: &Path, key: &Path, ca: &Path| config::Tls {
        cert: cert.to_path_buf(),
        key: key.to_path_buf(),
        ca: ca.to_path_buf(),
    };
    let config::Tls { cert, key, ca } = &right;
    check(with(&gone, key, ca), ["TLS certificate ", "gone: cannot be read"]);
    check(with(cert, &gone, ca), ["TLS key ", "gone: cannot be read"]);
    check(with(cert, key, &gone), ["TLS authority ", "gone: cannot be read"]);
    check(with(&empty, key, ca), ["empty", "holds no certificate"]);
    check(with(cert, key, &empty), ["empty", "holds no certificate"]);
    check(with(cert, &empty, ca), ["empty", "holds no private key"]);
    check(with(cert, &foreign.key, ca), ["foreign.key", "is not the key of the certificate"]);
    check(with(&foreign.cert, &foreign.key, ca), ["foreign.pem", "no authority"]);
    check(expired, ["expired.pem", "it has expired"]);
    check(server, ["server.pem", "extendedKeyUsage"]);
    fs::set_permissions(key, Permissions::from_mode(0o640)).expect("its mode");
    check(right.clone(), ["right.key", "others may read it (mode 0640)"]);
}

/// Both ends of a connection whose handshake is done, on sockets that block.
fn pair(tls: &Tls) -> (Link, Link) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let caller = TcpStream::connect(listener.local_addr().expect("an address"));
    let (called, _) = listener.accept().expect("a call");
    let sockets = [caller.expect("it listens"), called];
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).expect("a socket"));
    let [caller, called] = sockets;
    let mut caller = Link::caller(caller, tls).expect("a session");
    let mut called = Link::called(called, tls).expect("a session");
    while !(caller.is_secured().expect("no fault") & called.is_secured().expect("no fault")) {
        sleep(millis(1));
    }
    for link in [&caller, &called] {
        assert!(!link.is_gone());
        link.socket().set_nonblocking(false).expect("a socket");
    }
    (caller, called)
}

#[test]
fn both_directions_carry_much_at_once_and_each_ends_by_itself() {
    let Some((own, _dir)) = authority("tls-stream") else { return };
    let (one, other) = pair(&read(&own.sign("right").expect("a certificate")));
    let data: Vec<u8> = (0..8u32 << 20).map(|at| ((at * 7) >> 3) as u8).collect();
    std::thread::scope(|scope| {
        for link in [&one, &other] {
            let (mut reads, mut writes) =
                (link.try_clone().expect("a handle"), link.try_clone().expect("a handle"));
            let data = &data;
            scope.spawn(move || {
                data.chunks(70_001).for_each(|part| writes.write_all(part).expect("it is open"));
                writes.shutdown(Shutdown::Write).expect("it is open");
            });
            scope.spawn(move || {
                let mut found = vec![];
                reads.read_to_end(&mut found).expect("an end that was announced");
                assert!(found == *data);
            });
        }
    });
}

#[test]
fn an_end_without_notice_is_an_error_and_what_was_changed_as_well() {
    let Some((own, _dir)) = authority("tls-ends") else { return };
    let tls = read(&own.sign("right").expect("a certificate"));
    let (mut one, other) = pair(&tls);
    other.socket().shutdown(Shutdown::Both).expect("it is open");
    let error = one.read(&mut [0; 9]).expect_err("no notice");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let (mut one, other) = pair(&tls);
    other.socket().write_all(b"\x17\x03\x03\x00\x14twenty bytes of it..").expect("it is open");
    let error = one.read(&mut [0; 9]).expect_err("no record of this connection");
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    // What comes behind the last word is not read, and hangs nobody.
    let (mut one, other) = pair(&tls);
    other.try_clone().expect("a handle").write_all(b"last").expect("it is open");
    other.shutdown(Shutdown::Read).expect("it is open");
    let mut last = [0; 4];
    one.read_exact(&mut last).expect("words");
    assert_eq!(&last, b"last");
}

#[test]
fn who_has_hung_up_is_gone_with_or_without_notice() {
    let Some((own, _dir)) = authority("tls-gone") else { return };
    let tls = read(&own.sign("right").expect("a certificate"));
    for is_announced in [true, false] {
        let (one, other) = pair(&tls);
        one.socket().set_nonblocking(true).expect("a socket");
        assert!(!one.is_gone());
        if is_announced {
            other.shutdown(Shutdown::Write).expect("it is open");
        }
        drop(other);
        let deadline = Instant::now() + seconds(2);
        while !one.is_gone() {
            assert!(Instant::now() < deadline);
        }
    }
    // Who has said something that was not read is there.
    let (mut one, mut other) = pair(&tls);
    other.write_all(b"r").expect("it is open");
    one.socket().set_nonblocking(true).expect("a socket");
    sleep(millis(50));
    assert!(!one.is_gone() && !one.is_gone());
    let mut byte = [0];
    assert_eq!((one.read(&mut byte).ok(), byte), (Some(1), *b"r"));
    assert!(one.read(&mut byte).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
}
