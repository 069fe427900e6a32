//! Who may ask: the checks of a request, as plain functions of its headers.
//!
//! A browser can be led to this port by a page of another site. Such a page can send a request
//! (CSRF), whose `Origin` is then not ours; or have the name of its own server point to 127.0.0.1
//! (DNS rebinding), and then `Host` is that name. Both are refused before anything is looked at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::error::{Error, Result};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It is for another host, or names none.
    Host,
    /// It comes from a page of another site.
    Origin,
    /// It asks for control without the token.
    Token,
    /// Its body is too long.
    Body,
    /// There is no such page, or it is not asked like this.
    Unknown,
    /// Too many others are connected.
    Crowd,
    /// Its headers did not come in time, are too long, or are none.
    Headers,
}

impl Refused {
    /// All reasons with their names as labels.
    pub const ALL: [(Refused, &'static str); 7] = [
        (Refused::Host, "host"),
        (Refused::Origin, "origin"),
        (Refused::Token, "token"),
        (Refused::Body, "body"),
        (Refused::Unknown, "unknown"),
        (Refused::Crowd, "crowd"),
        (Refused::Headers, "headers"),
    ];
}

/// What lets its bearer end a job; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn generate() -> Result<Token> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::unreachable(format!("the system has no random bytes: {error}"))
        })?;
        Ok(Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// As it is in a run file.
    pub fn new(text: impl Into<String>) -> Token {
        Token(text.into())
    }

    /// The text, for a run file or a header.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text is this token; takes the same time for every wrong one of its length.
    fn is(&self, text: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), text.as_bytes());
        let differs = own.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b));
        !own.is_empty() && own.len() == other.len() && std::hint::black_box(differs) == 0
    }
}

/// What a server compares requests with.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The host of `http.listen`, if one was given.
    pub name: Option<String>,
    /// Needed for control.
    pub token: Token,
}

impl Guard {
    /// Whether a request is for this server: its `Host` is the address on which it came in, with
    /// the port; the name `localhost` for loopback; or the name that the configuration gives. An
    /// `Origin` has to be the same.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn admit(
        &self,
        local: SocketAddr,
        host: Option<&str>,
        origin: Option<&str>,
    ) -> std::result::Result<(), Refused> {
        let host = host.filter(|host| self.is_ours(host, local)).ok_or(Refused::Host)?;
        match origin {
            Some(origin) if origin.strip_prefix("http://") != Some(host) => Err(Refused::Origin),
            _ => Ok(()),
        }
    }

    /// Whether a request may control the job.
    ///
    /// # Errors
    ///
    /// It has no token, or another one.
    pub fn allow(&self, authorization: Option<&str>) -> std::result::Result<(), Refused> {
        let token = authorization.and_then(|text| text.strip_prefix("Bearer "));
        token.filter(|token| self.token.is(token)).map(|_| ()).ok_or(Refused::Token)
    }

    fn is_ours(&self, host: &str, local: SocketAddr) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if port != Some(local.port()) {
            return false;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match bare.parse::<IpAddr>() {
            Ok(address) => address == local.ip().to_canonical(),
            Err(_) => {
                let is_local = local.ip().is_loopback() && name.eq_ignore_ascii_case("localhost");
                is_local || self.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard { name: Some("worker-0".into()), token: Token::new("0123456789abcdef") }
    }

    #[test]
    fn only_the_own_name_and_address_are_a_host() {
        let check = |local: &str, host: Option<&str>, expect: bool| {
            let local: SocketAddr = local.parse().expect("an address");
            let admitted = guard().admit(local, host, None);
            assert_eq!(admitted, if expect { Ok(()) } else { Err(Refused::Host) }, "{host:?}");
        };
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "worker-0:8080"] {
            check("127.0.0.1:8080", Some(host), true);
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1:8081",
            "127.0.0.1",
            "localhost",
            "localhost.evil.example:8080",
            "127.0.0.2:8080",
            "0.0.0.0:8080",
            "",
            ":8080",
            "127.0.0.1:8080@evil.example",
        ] {
            check("127.0.0.1:8080", Some(host), false);
        }
        check("127.0.0.1:8080", None, false);
        check("127.0.0.1:80", Some("localhost"), true);
        check("[::1]:8080", Some("[::1]:8080"), true);
        check("[::1]:80", Some("[::1]"), true);
        check("10.0.0.5:8080", Some("10.0.0.5:8080"), true);
        check("10.0.0.5:8080", Some("localhost:8080"), false);
        check("10.0.0.5:8080", Some("127.0.0.1:8080"), false);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let local: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        let check = |origin: &str, expect| {
            let admitted = guard().admit(local, Some("localhost:8080"), Some(origin));
            assert_eq!(admitted, expect, "{origin}");
        };
        check("http://localhost:8080", Ok(()));
        for origin in
            ["null", "http://evil.example", "https://localhost:8080", "", "http://localhost:8081"]
        {
            check(origin, Err(Refused::Origin));
        }
    }

    #[test]
    fn control_needs_the_token() {
        let check = |header: Option<&str>, expect| assert_eq!(guard().allow(header), expect);
        check(Some("Bearer 0123456789abcdef"), Ok(()));
        for header in [
            "",
            "Bearer ",
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcdef0",
            "0123456789abcdef",
        ] {
            check(Some(header), Err(Refused::Token));
        }
        check(None, Err(Refused::Token));
        let none = Guard { name: None, token: Token::new("") };
        assert_eq!(none.allow(Some("Bearer ")), Err(Refused::Token));
        let made = Token::generate().expect("random bytes");
        assert_eq!((made.expose().len(), format!("{made:?}").as_str()), (64, "Token(…)"));
    }

    #[test]
    fn reasons_are_in_the_order_of_their_names() {
        for (index, (reason, _)) in Refused::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
    }
}
