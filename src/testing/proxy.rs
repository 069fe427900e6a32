//! A TCP proxy between two processes that can make their network bad.
//!
//! ```text
//! caller ──► [ proxy ] ──► called       each way has a thread, and a fault of its own
//! ```
//!
//! A fault holds for all connections, those that come later as well, until it is another one. What
//! is held back is not lost: TCP promises that to both sides, and a cable that is plugged in again
//! keeps the promise.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What is wrong with one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Bytes come so much later.
    Delay(Duration),
    /// So many bytes a second come through.
    Rate(usize),
    /// None comes through, and nobody is told.
    Silent,
}

/// A way through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the side that calls.
    There,
    /// To the side that calls.
    Back,
}

/// A proxy; its connections end with this value.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Mutex<[Fault; 2]>,
    /// Bytes that came through a way with a fault, or waited before it.
    hindered: [AtomicU64; 2],
    passed: AtomicU64,
    ends: AtomicBool,
}

/// How long a thread waits before it looks whether anything has changed.
const TURN: Duration = Duration::from_millis(5);

impl Proxy {
    /// In front of an address, where nobody needs to listen yet.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn start(to: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            faults: Mutex::new([Fault::None; 2]),
            hindered: Default::default(),
            passed: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let own = shared.clone();
        std::thread::spawn(move || {
            while !own.ends.load(Relaxed) {
                match listener.accept() {
                    // A caller whom nobody answers is hung up on, as by a closed door.
                    Ok((caller, _)) => drop(connect(caller, to, &own)),
                    Err(_) => sleep(TURN),
                }
            }
        });
        Ok(Proxy { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is wrong with both ways.
    pub fn fault(&self, fault: Fault) {
        *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner) = [fault; 2];
    }

    /// From now on this is wrong with one way.
    pub fn fault_of(&self, way: Way, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)[way as usize] = fault;
    }

    /// Bytes that came through a way with a fault, or waited before it: the fault has happened.
    pub fn hindered(&self, way: Way) -> u64 {
        self.shared.hindered[way as usize].load(Relaxed)
    }

    /// Bytes that came through.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ends.store(true, Relaxed);
    }
}

fn connect(caller: TcpStream, to: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let called = TcpStream::connect_timeout(&to, Duration::from_secs(1))?;
    for stream in [&caller, &called] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TURN))?;
    }
    let ways =
        [(Way::There, caller.try_clone()?, called.try_clone()?), (Way::Back, called, caller)];
    for (way, from, to) in ways {
        let shared = shared.clone();
        std::thread::spawn(move || {
            // Who has said all may still listen; a side that is gone is missed by both ways. It
            // fails only for one that is.
            match pump(way, (&from, &to), &shared) {
                Ok(()) => drop(to.shutdown(Shutdown::Write)),
                Err(_) => {
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                }
            }
        });
    }
    Ok(())
}

/// Moves bytes one way, until a side hangs up.
fn pump(way: Way, (mut from, mut to): (&TcpStream, &TcpStream), shared: &Shared) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let most = match shared.of(way) {
            Fault::Rate(bytes) => (bytes / 20).max(1),
            _ => buffer.len(),
        };
        let length = match from.read(&mut buffer[..most]) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if shared.ends.load(Relaxed) {
                    return Ok(());
                }
                continue;
            }
            Err(error) => return Err(error),
        };
        shared.hinder(way, length);
        if shared.ends.load(Relaxed) {
            return Ok(());
        }
        shared.passed.fetch_add(length as u64, Relaxed);
        to.write_all(&buffer[..length])?;
    }
}

impl Shared {
    fn of(&self, way: Way) -> Fault {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)[way as usize]
    }

    /// Holds bytes back as long as the fault does. A delay is one per piece, so it also makes the
    /// way narrow.
    fn hinder(&self, way: Way, length: usize) {
        let begun = Instant::now();
        let mut is_first = true;
        while !self.ends.load(Relaxed) {
            let fault = self.of(way);
            if fault != Fault::None && std::mem::take(&mut is_first) {
                self.hindered[way as usize].fetch_add(length as u64, Relaxed);
            }
            let waits = match fault {
                Fault::None => return,
                Fault::Delay(delay) => begun.elapsed() < delay,
                Fault::Rate(bytes) => {
                    begun.elapsed().as_secs_f64() < length as f64 / bytes.max(1) as f64
                }
                Fault::Silent => true,
            };
            if !waits {
                return;
            }
            sleep(TURN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_late_slowly_or_not_and_are_never_lost() -> io::Result<()> {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = Proxy::start(server.local_addr()?)?;
        let mut caller = TcpStream::connect(proxy.address())?;
        let (mut called, _) = server.accept()?;
        let mut took = |bytes: &[u8]| -> io::Result<Duration> {
            let begun = Instant::now();
            caller.write_all(bytes)?;
            let mut read = vec![0; bytes.len()];
            called.read_exact(&mut read)?;
            assert_eq!(read, bytes);
            Ok(begun.elapsed())
        };
        took(b"hello")?;
        assert_eq!(proxy.hindered(Way::There), 0);
        proxy.fault(Fault::Delay(Duration::from_millis(200)));
        assert!(Duration::from_millis(200) <= took(b"hello")?);
        proxy.fault(Fault::Rate(1_000));
        assert!(Duration::from_millis(200) <= took(&[7; 300])?);
        proxy.fault_of(Way::There, Fault::Silent);
        let shared = proxy.shared.clone();
        std::thread::spawn(move || {
            sleep(Duration::from_millis(300));
            *shared.faults.lock().unwrap() = [Fault::None; 2];
        });
        assert!(Duration::from_millis(200) <= took(b"again")?);
        assert_eq!(proxy.hindered(Way::There), 5 + 300 + 5);
        assert_eq!((proxy.hindered(Way::Back), proxy.passed()), (0, 5 + 5 + 300 + 5));
        Ok(())
    }
}
