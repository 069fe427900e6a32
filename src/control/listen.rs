//! The socket on which a process answers.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

use crate::config::Listen;
use crate::error::{Error, Result};

/// The ports that are tried first: several jobs on one machine are next to each other.
const PORTS: RangeInclusive<u16> = 8_080..=8_089;

/// Listens where the configuration says; `None` if nowhere.
///
/// # Errors
///
/// Kind `Config`: the address that was given is taken, or not one of this machine.
pub fn listen(listen: &Listen) -> Result<Option<TcpListener>> {
    let address = match listen {
        Listen::Off => return Ok(None),
        Listen::Auto => {
            let any = |error: io::Error| {
                Error::unreachable(format!("no port of 127.0.0.1 can be had: {error}"))
                    .hint("`http.listen = \"off\"` does without")
            };
            return first_free().map(Some).map_err(any);
        }
        Listen::At(address) => address,
    };
    let listener = TcpListener::bind(address.as_str()).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "is taken".into(),
            _ => format!("cannot be listened on: {error}"),
        };
        Error::config(format!("{address} {why}"))
            .hint("another job may have it: give each its own, or `auto`")
            .within("http.listen")
    })?;
    if listener.local_addr().is_ok_and(|address| !address.ip().is_loopback()) {
        tracing::warn!("{address}: whoever reaches it may read the status of the job");
    }
    Ok(Some(listener))
}

fn first_free() -> io::Result<TcpListener> {
    let free = PORTS.clone().find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    free.map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
}
