//! What stands for TLS in a build without the feature `cluster-tls`: nothing of it can be made.

use std::io;
use std::net::TcpStream;

use crate::config;
use crate::error::{Error, Result};

/// There are none.
#[derive(Debug)]
pub(super) enum Keys {}

/// There is none.
#[derive(Debug)]
pub(in super::super) enum Session {}

impl Keys {
    pub(super) fn read(_files: &config::Tls) -> Result<Keys> {
        Err(Error::config("`cluster.tls` needs TLS, which this program was built without")
            .hint("build it with the Cargo feature `cluster-tls`"))
    }

    pub(super) fn call(&self) -> io::Result<Session> {
        match *self {}
    }

    pub(super) fn answer(&self) -> io::Result<Session> {
        match *self {}
    }
}

impl Session {
    pub(in super::super) fn advance(&mut self, _socket: &TcpStream) -> io::Result<bool> {
        match *self {}
    }

    pub(in super::super) fn channel(&self) -> io::Result<[u8; 32]> {
        match *self {}
    }

    pub(in super::super) fn is_gone(&self, _socket: &TcpStream) -> bool {
        match *self {}
    }

    pub(in super::super) fn share(&self) -> Session {
        match *self {}
    }

    pub(in super::super) fn close(&self, _socket: &TcpStream) -> io::Result<()> {
        match *self {}
    }

    pub(in super::super) fn read(
        &mut self,
        _socket: &TcpStream,
        _buffer: &mut [u8],
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(in super::super) fn write(
        &mut self,
        _socket: &TcpStream,
        _bytes: &[u8],
    ) -> io::Result<usize> {
        match *self {}
    }
}
