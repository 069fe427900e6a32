//! Where processes are: the host file, and the socket that this one listens on.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

use crate::error::{Error, Result};

/// Port of process 0 without a host file; process 1 has the next one.
const FIRST_PORT: u16 = 2101;

/// The addresses of so many processes: one `host:port` a line of the host file, in the order of
/// the processes; empty lines and those that begin with `#` are none. Without a file they are
/// localhost:2101 and the ports behind it.
///
/// # Errors
///
/// The file cannot be read, a line is no address, two processes share one, there are too few.
pub fn addresses(hostfile: Option<&Path>, processes: usize) -> Result<Vec<String>> {
    let Some(path) = hostfile else {
        let ports = (usize::from(FIRST_PORT)..=usize::from(u16::MAX)).take(processes);
        return Ok(ports.map(|port| format!("localhost:{port}")).collect());
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::config(format!("host file {}: {error}", path.display())))?;
    let mut addresses: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || addresses.len() == processes {
            continue;
        }
        let place = format!("{}:{}", path.display(), number + 1);
        if !is_address(line) {
            return Err(Error::config(format!("`{line}` is no address"))
                .hint("write one host:port a line, such as worker-0.example:2101")
                .within(place));
        }
        if let Some(other) = addresses.iter().position(|other| other == line) {
            let both = format!("process {other} and process {} are both {line}", addresses.len());
            return Err(Error::config(both).within(place));
        }
        addresses.push(line.into());
    }
    if addresses.len() < processes {
        let (lines, path) = (addresses.len(), path.display());
        return Err(Error::config(format!(
            "host file {path} has {lines} addresses for {processes} processes"
        ))
        .hint("write one host:port a line, one line a process"));
    }
    Ok(addresses)
}

fn is_address(line: &str) -> bool {
    let Some((host, port)) = line.rsplit_once(':') else { return false };
    let host_is_one = !host.is_empty() && !host.contains(char::is_whitespace);
    host_is_one && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Finds a host.
///
/// # Errors
///
/// No name service knows it.
pub(super) fn resolve(address: &str) -> Result<Vec<SocketAddr>> {
    let found = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Error::unreachable(format!("`{address}` has no address"))),
        Err(error) => Err(Error::unreachable(format!("`{address}` cannot be found: {error}"))),
    }
}

/// Where a process listens, if not on its own line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bind<'a> {
    /// `--bind`: `address` or `address:port`.
    pub address: Option<&'a str>,
    /// `--bind-any`: on every network, at the port of the own line.
    pub any: bool,
}

/// Listens on the own line of the host file, or on what the command line names.
///
/// # Errors
///
/// The address is taken, not of this machine, or the wildcard without `--bind-any` and a secret.
pub(super) fn listen(own: &str, bind: Bind<'_>, has_secret: bool) -> Result<TcpListener> {
    let port = own.rsplit_once(':').map_or("", |(_, port)| port);
    let address = match bind.address {
        None if bind.any => format!("0.0.0.0:{port}"),
        None => own.to_string(),
        Some(bind) => match bind.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Ok(address) => format!("{address}:{port}"),
            Err(_) if bind.contains(':') => bind.to_string(),
            Err(_) => format!("{bind}:{port}"),
        },
    };
    let found = resolve(&address).map_err(|error| Error::config(error.message()))?;
    let is_any = found.iter().any(|address| address.ip().is_unspecified());
    if is_any && !(bind.any && has_secret) {
        return Err(Error::config(format!("{address} is every network that this machine is in"))
            .hint(
                "bind to one address of a trusted network, or to all of them by --bind-any with \
                 a secret (--secret-file)",
            ));
    }
    let mut last = None;
    for socket in found {
        match TcpListener::bind(socket) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                return Err(Error::config(format!("the address {address} is taken")).hint(
                    "another process runs there: give each an index of its own with -p, or name \
                     free ports in a host file (-h)",
                ));
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or(String::new(), |error| format!(": {error}"));
    Err(Error::config(format!("cannot listen on {address}{why}"))
        .hint("the line of this process in the host file, or --bind, has to be of this machine"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(text: &str, processes: usize) -> Result<Vec<String>> {
        let name = format!("highwater-hosts-{}-{}", std::process::id(), crate::hash::of(text));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("a temporary file");
        let read = addresses(Some(&path), processes);
        std::fs::remove_file(path).expect("its end");
        read
    }

    #[test]
    fn a_host_file_has_one_address_a_line() {
        let text = "# two machines\n\na:1\n  b.example:2101  \n[::1]:7\n";
        assert_eq!(
            read(text, 3),
            Ok(vec!["a:1".into(), "b.example:2101".into(), "[::1]:7".into()])
        );
        assert_eq!(read(text, 1), Ok(vec!["a:1".into()]));
        assert_eq!(addresses(None, 2), Ok(vec!["localhost:2101".into(), "localhost:2102".into()]));
    }

    #[test]
    fn what_is_wrong_with_a_host_file_is_said() {
        let check = |text: &str, expect: &str| {
            let error = read(text, 3).expect_err(text);
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.to_string().contains(expect), "{error}");
        };
        check("a:1\n# b:2\n", "has 1 addresses for 3 processes");
        check("a:1\nb\n", ":2: `b` is no address");
        check("a:1\nb:x\n", "`b:x` is no address");
        check("a:1 b:2\n", "`a:1 b:2` is no address");
        check("a:1\nb:2\na:1\n", ":3: process 0 and process 2 are both a:1");
        let gone = addresses(Some(Path::new("/nowhere/hosts")), 2).expect_err("no file");
        assert!(gone.to_string().contains("/nowhere/hosts"), "{gone}");
    }

    #[test]
    fn the_wildcard_and_a_taken_port_are_refused() {
        let at = |address| Bind { address, any: false };
        let listener = listen("127.0.0.1:0", at(None), false).expect("a free port");
        let taken = listener.local_addr().expect("an address").to_string();
        let error = listen(&taken, at(None), false).expect_err("taken");
        assert!(error.to_string().starts_with(&format!("the address {taken} is taken")));
        for bind in ["0.0.0.0", "::", "0.0.0.0:0"] {
            let error = listen("localhost:0", at(Some(bind)), true).expect_err(bind);
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.to_string().contains("every network"), "{error}");
        }
        let any = Bind { address: None, any: true };
        let error = listen("localhost:0", any, false).expect_err("no secret");
        assert!(error.to_string().contains("--secret-file"), "{error}");
        let listener = listen("localhost:0", any, true).expect("every network");
        assert!(listener.local_addr().expect("an address").ip().is_unspecified());
        assert!(listen("elsewhere.example:0", at(Some("127.0.0.1")), false).is_ok());
    }
}
