//! The secret that all processes of a job share, and what proves that one has it.
//!
//! A proof is an HMAC-SHA256 over the role of who makes it, both hellos with their nonces, and what
//! was said besides. Nothing that a stranger has heard is a proof a second time: the nonces are new
//! in every handshake, and the two sides prove different texts.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::hello::HELLO_BYTES;
use crate::error::{Error, Result};

/// Length of a proof.
pub(super) const PROOF_BYTES: usize = 32;

/// A proof.
pub(super) type Proof = [u8; PROOF_BYTES];

/// A shorter secret could be guessed by whoever has heard a handshake.
const LENGTH_MIN: usize = 16;

/// A longer file is something else.
const LENGTH_MAX: usize = 1_024;

/// What all processes of a job know and nobody else; never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "Secret(none)" } else { "Secret(…)" })
    }
}

/// Who makes a proof: no side can be told its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The process that calls.
    Caller,
    /// The process that is called.
    Called,
}

/// What two processes have said to each other.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// The hello of the process that calls.
    pub(super) caller: &'a [u8; HELLO_BYTES],
    /// The hello of the process that is called.
    pub(super) called: &'a [u8; HELLO_BYTES],
    /// What was said besides: the verdict, by the process that is called.
    pub(super) more: &'a [u8],
}

impl Secret {
    /// Processes without one know each other by their jobs alone.
    pub fn none() -> Secret {
        Secret::default()
    }

    /// A new one, as text.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn generate() -> Result<String> {
        let bytes: [u8; 32] = random()?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The secret that a text is; white space around it does not count.
    ///
    /// # Errors
    ///
    /// It is too short or too long.
    pub fn new(text: &[u8]) -> Result<Secret> {
        let text = text.trim_ascii();
        if text.len() < LENGTH_MIN || LENGTH_MAX < text.len() {
            let length = text.len();
            return Err(Error::config(format!(
                "a secret of {length} bytes: it has to have {LENGTH_MIN} to {LENGTH_MAX}"
            ))
            .hint("make one such as `head -c 32 /dev/urandom | base64`"));
        }
        Ok(Secret(text.to_vec()))
    }

    /// The secret in a file that only its owner may read.
    ///
    /// # Errors
    ///
    /// The file cannot be read, others may read it, or it is no secret.
    pub fn from_file(path: &Path) -> Result<Secret> {
        let place = format!("secret file {}", path.display());
        let hint = "make one such as `umask 077; head -c 32 /dev/urandom | base64 > FILE`";
        let file = open_private(path, &place, hint)?;
        let mut text = Vec::new();
        file.take(2 * LENGTH_MAX as u64)
            .read_to_end(&mut text)
            .map_err(|error| unreadable(&error, &place, hint))?;
        Secret::new(&text).map_err(|error| error.within(place))
    }

    /// The secret as it holds on one channel alone, of which `channel` is known to its two ends;
    /// none stays none.
    pub(super) fn bound(&self, channel: &[u8; 32]) -> Secret {
        if self.is_none() {
            return Secret::none();
        }
        let mut hmac = self.hmac();
        hmac.update(b"highwater channel");
        hmac.update(channel);
        Secret(hmac.finalize().into_bytes().to_vec())
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Proves that this process has the secret.
    pub(super) fn prove(&self, role: Role, said: Said<'_>) -> Proof {
        self.digest(role, said).finalize().into_bytes().into()
    }

    /// Whether the other side has it; takes the same time for every wrong proof.
    pub(super) fn verifies(&self, role: Role, said: Said<'_>, proof: &Proof) -> bool {
        self.digest(role, said).verify_slice(proof).is_ok()
    }

    fn digest(&self, role: Role, said: Said<'_>) -> Hmac<Sha256> {
        let mut hmac = self.hmac();
        hmac.update(match role {
            Role::Caller => b"highwater caller",
            Role::Called => b"highwater called",
        });
        [&said.caller[..], &said.called[..], said.more].iter().for_each(|part| hmac.update(part));
        hmac
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of HMAC has any length")
    }
}

/// Opens a file that only its owner may read.
///
/// # Errors
///
/// It cannot be read, or others may read it.
pub(super) fn open_private(path: &Path, place: &str, hint: &str) -> Result<File> {
    let file = File::open(path).map_err(|error| unreadable(&error, place, hint))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error, place, hint))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::config(format!("others may read it (mode {mode:04o})"))
            .hint(format!("chmod 600 {}", path.display()))
            .within(place));
    }
    Ok(file)
}

fn unreadable(error: &io::Error, place: &str, hint: &str) -> Error {
    Error::config(format!("cannot be read: {error}")).hint(hint).within(place)
}

/// Bytes that nobody can foresee.
///
/// # Errors
///
/// The system has none.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::unreachable(format!("the system has no random bytes: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;
    use crate::error::Kind;
    use crate::testing::Scratch;

    #[test]
    fn a_proof_holds_for_one_secret_role_and_conversation() {
        let (secret, other) = (Secret(vec![1; 32]), Secret(vec![2; 32]));
        let (a, b) = ([3; HELLO_BYTES], [4; HELLO_BYTES]);
        let said = Said { caller: &a, called: &b, more: &[] };
        let proof = secret.prove(Role::Caller, said);
        assert!(secret.verifies(Role::Caller, said, &proof));
        assert!(!other.verifies(Role::Caller, said, &proof));
        assert!(!Secret::none().verifies(Role::Caller, said, &proof));
        assert!(!secret.verifies(Role::Called, said, &proof));
        assert!(!secret.verifies(Role::Caller, Said { more: &[0], ..said }, &proof));
        let turned = Said { caller: &b, called: &a, more: &[] };
        assert!(!secret.verifies(Role::Caller, turned, &proof));
        let (here, there) = (secret.bound(&[5; 32]), secret.bound(&[6; 32]));
        assert!(!here.verifies(Role::Caller, said, &proof));
        assert!(!here.verifies(Role::Caller, said, &there.prove(Role::Caller, said)));
        assert!(Secret::none().bound(&[5; 32]).is_none());
        let mut flipped = proof;
        flipped[31] ^= 1;
        assert!(!secret.verifies(Role::Caller, said, &flipped));
    }

    #[test]
    fn a_secret_is_a_file_of_its_owner() {
        let dir = Scratch::new("secret");
        let path = dir.path().join("secret");
        let check = |text: &str, mode: u32, expect: Result<&str, &str>| {
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
            match (Secret::from_file(&path), expect) {
                (Ok(secret), Ok(expect)) => assert_eq!(secret.0, expect.as_bytes()),
                (Err(error), Err(expect)) => {
                    assert_eq!(error.kind(), Kind::Config);
                    assert!(error.to_string().contains(expect), "{error}");
                    assert!(error.has_hint());
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        };
        check("0123456789abcdef\n", 0o600, Ok("0123456789abcdef"));
        check("0123456789abcdef", 0o400, Ok("0123456789abcdef"));
        check("0123456789abcdef", 0o640, Err("others may read it (mode 0640)"));
        check("0123456789abcdef", 0o604, Err("others may read it (mode 0604)"));
        check("0123456789abcde\n\n", 0o600, Err("a secret of 15 bytes"));
        check("", 0o600, Err("a secret of 0 bytes"));
        check(&"x".repeat(1_025), 0o600, Err("it has to have 16 to 1024"));
        let gone = Secret::from_file(Path::new("/nowhere/secret")).expect_err("no file");
        assert!(gone.to_string().contains("/nowhere/secret"), "{gone}");
        let made = Secret::generate().expect("random bytes");
        assert_ne!(made, Secret::generate().expect("random bytes"));
        assert_eq!(format!("{:?}", Secret::new(made.as_bytes())), "Ok(Secret(…))");
    }
}
