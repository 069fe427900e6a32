//! [`Checked`]: the stream that is handed to timely, which looks at the header of every message
//! before timely does.
//!
//! timely believes what a header says: it would index its queues with a target that is not there,
//! and gather bytes of a message without end. A wrong header is an error of the stream, with which
//! the process ends as at any lost peer. Bodies are passed on where they were read, untouched.
//!
//! ```text
//! header   channel 8 · source 8 · first target 8 · end of targets 8 · length 8 · number 8
//! ```

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::ops::Range;

use timely::communication::allocator::zero_copy::stream::Stream;

use super::link::Link;

/// Length of a header.
const HEADER_BYTES: usize = 48;

/// What headers from a peer may say.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Index of the peer.
    pub(super) peer: usize,
    /// Its workers.
    pub(super) sources: Range<u64>,
    /// The workers of this process.
    pub(super) targets: Range<u64>,
    /// The longest body.
    pub(super) bytes_max: u64,
}

impl Limits {
    /// Of messages from a process to this one, each with so many threads.
    pub(super) fn new(peer: usize, own: usize, threads: usize, bytes_max: usize) -> Limits {
        let workers = |process: usize| {
            let first = (process * threads) as u64;
            first..first + threads as u64
        };
        Limits { peer, sources: workers(peer), targets: workers(own), bytes_max: bytes_max as u64 }
    }

    /// The length of the body behind a header; `None` if it is the last one.
    fn check(&self, header: &[u8; HEADER_BYTES]) -> Result<Option<u64>, String> {
        let mut fields = [0u64; 6];
        for (field, bytes) in fields.iter_mut().zip(header.chunks_exact(8)) {
            *field = u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
        }
        let [_channel, source, first, end, length, _number] = fields;
        if length == 0 {
            return match fields {
                [0, 0, 0, 0, 0, 0] => Ok(None),
                _ => Err("a message without a body".into()),
            };
        }
        if self.bytes_max < length {
            return Err(format!(
                "a message of {length} bytes, where `cluster.frame_bytes_max` is {}",
                self.bytes_max
            ));
        }
        if !self.sources.contains(&source) {
            return Err(format!("a message of worker {source}, which is not its own"));
        }
        if end <= first || first < self.targets.start || self.targets.end < end {
            return Err(format!("a message to workers {first} to {end}, who are not here"));
        }
        Ok(Some(length))
    }
}

/// Follows the messages in a stream of bytes.
#[derive(Debug)]
pub(super) struct Frames {
    limits: Limits,
    /// What is left of the body.
    body: u64,
    /// What has come of the next header.
    header: [u8; HEADER_BYTES],
    length: usize,
    /// The last header has come.
    is_over: bool,
}

impl Frames {
    pub(super) fn new(limits: Limits) -> Frames {
        Frames { limits, body: 0, header: [0; HEADER_BYTES], length: 0, is_over: false }
    }

    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if 0 < self.body {
                let skipped = self.body.min(bytes.len() as u64);
                self.body -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            if self.is_over {
                return Err(self.wrong("more behind its last message"));
            }
            let taken = bytes.len().min(HEADER_BYTES - self.length);
            self.header[self.length..self.length + taken].copy_from_slice(&bytes[..taken]);
            self.length += taken;
            bytes = &bytes[taken..];
            if self.length == HEADER_BYTES {
                self.length = 0;
                match self.limits.check(&self.header) {
                    Ok(Some(length)) => self.body = length,
                    Ok(None) => self.is_over = true,
                    Err(why) => return Err(self.wrong(&why)),
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> io::Error {
        let peer = self.limits.peer;
        io::Error::new(io::ErrorKind::InvalidData, format!("process {peer} has sent {what}"))
    }
}

/// A connection to a peer.
#[derive(Debug)]
pub(super) struct Checked {
    link: Link,
    frames: Frames,
}

impl Checked {
    pub(super) fn new(link: Link, limits: Limits) -> Checked {
        Checked { link, frames: Frames::new(limits) }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.link.read(buffer)?;
        self.frames.pass(&buffer[..length])?;
        Ok(length)
    }
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.link.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.link.flush()
    }
}

impl Stream for Checked {
    /// timely makes one for its thread that reads and one for its thread that writes, before
    /// either has done anything.
    fn try_clone(&self) -> io::Result<Checked> {
        Ok(Checked::new(self.link.try_clone()?, self.frames.limits.clone()))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.link.socket().set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.link.shutdown(how)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::super::tls::Tls;
    use super::*;

    fn header(fields: [u64; 6]) -> Vec<u8> {
        fields.iter().flat_map(|field| field.to_be_bytes()).collect()
    }

    fn message(length: u64) -> Vec<u8> {
        let mut bytes = header([5, 3, 0, 1, length, 9]);
        bytes.resize(HEADER_BYTES + length as usize, 0xff);
        bytes
    }

    /// From process 1 to process 0, of two threads each.
    fn limits() -> Limits {
        Limits::new(1, 0, 2, 1_000)
    }

    #[test]
    fn messages_pass_however_they_are_cut() {
        let whole: Vec<u8> = [message(1), message(1_000), message(48), header([0; 6])].concat();
        for piece in [1, 7, 47, 48, 49, 500, whole.len()] {
            let mut frames = Frames::new(limits());
            for bytes in whole.chunks(piece) {
                frames.pass(bytes).expect("sound messages");
            }
            assert!(frames.is_over && frames.body == 0 && frames.length == 0);
            assert!(frames.pass(&[0]).is_err());
        }
    }

    #[test]
    fn a_header_that_timely_must_not_see_is_an_error() {
        let check = |fields: [u64; 6], expect: &str| {
            let bytes = [message(10), header(fields)].concat();
            for piece in [1, bytes.len()] {
                let mut frames = Frames::new(limits());
                let error = bytes.chunks(piece).try_for_each(|bytes| frames.pass(bytes));
                let error = error.expect_err(expect).to_string();
                assert_eq!(error, format!("process 1 has sent {expect}"));
            }
        };
        check(
            [0, 2, 0, 1, 1_001, 0],
            "a message of 1001 bytes, where `cluster.frame_bytes_max` is 1000",
        );
        check(
            [0, 2, 0, 1, 1 << 62, 0],
            "a message of 4611686018427387904 bytes, where `cluster.frame_bytes_max` is 1000",
        );
        check([0, 1, 0, 1, 5, 0], "a message of worker 1, which is not its own");
        check([0, 4, 0, 1, 5, 0], "a message of worker 4, which is not its own");
        check([0, 2, 0, 3, 5, 0], "a message to workers 0 to 3, who are not here");
        check(
            [0, 2, 0, 1 << 40, 5, 0],
            "a message to workers 0 to 1099511627776, who are not here",
        );
        check([0, 2, 1, 1, 5, 0], "a message to workers 1 to 1, who are not here");
        check([0, 2, 1, 0, 5, 0], "a message to workers 1 to 0, who are not here");
        check([0, 2, 0, 1, 0, 0], "a message without a body");
    }

    #[test]
    fn a_socket_gives_what_was_sent_until_something_is_wrong() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut peer = TcpStream::connect(address).expect("it listens");
        let (socket, _) = listener.accept().expect("a call");
        let link = Link::called(socket, &Tls::none()).expect("a plain one");
        let mut checked = Checked::new(link, limits()).try_clone().expect("a clone");
        let sent = message(20);
        peer.write_all(&sent).expect("it is open");
        let mut read = vec![0; sent.len()];
        checked.read_exact(&mut read).expect("a message");
        assert_eq!(read, sent);
        peer.write_all(&header([7; 6])).expect("it is open");
        let error = checked.read_exact(&mut [0; HEADER_BYTES]).expect_err("a wrong header");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
