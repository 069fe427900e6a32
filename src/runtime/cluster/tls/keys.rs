//! [`Keys`]: the files of `cluster.tls`, read and checked at the start.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

use super::session::{Session, flawed};
use crate::config;
use crate::error::{Error, Result};
use crate::runtime::cluster::secret::open_private;

/// A file of certificates that is longer is something else.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// No name is sent and none is checked, but rustls wants one.
const NAME: &str = "process.highwater.invalid";

/// How to make what is missing.
const HINT: &str = "make certificates as docs/guide/cluster.md shows, in PEM";

/// What a process shows and believes.
pub(super) struct Keys {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Reads the files; the other processes would accept what is in them.
    pub(super) fn read(files: &config::Tls) -> Result<Keys> {
        let (keys, verifiers, chain) = Keys::unproven(files)?;
        verifiers.check(&chain).map_err(|error| {
            let why = match &error {
                rustls::Error::InvalidCertificate(flaw) => flawed(flaw),
                other => other.to_string(),
            };
            let place = format!("TLS certificate {}", files.cert.display());
            Error::config(format!("other processes would refuse it: {why}"))
                .hint(HINT)
                .within(place)
        })?;
        Ok(keys)
    }

    /// The same, though others may refuse them.
    pub(super) fn unproven(
        files: &config::Tls,
    ) -> Result<(Keys, Verifiers, Vec<CertificateDer<'static>>)> {
        let verifiers = Verifiers::new(&files.ca)?;
        let chain = certificates(&files.cert, "TLS certificate")?;
        let key = private_key(&files.key)?;
        let place = format!("TLS key {}", files.key.display());
        let wrong = |error: rustls::Error| {
            let why = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("it is not the key of the certificate {}", files.cert.display())
                }
                other => format!("it cannot be used: {other}"),
            };
            Error::config(why).hint(HINT).within(&place)
        };
        let versions = [&TLS13];
        let ring = verifiers.ring.clone();
        let mut server = ServerConfig::builder_with_provider(ring.clone())
            .with_protocol_versions(&versions)
            .map_err(wrong)?
            .with_client_cert_verifier(verifiers.of_clients.clone())
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(wrong)?;
        // A connection is made once, at the start.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let mut client = ClientConfig::builder_with_provider(ring)
            .with_protocol_versions(&versions)
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(verifiers.of_servers.clone())
            .with_client_auth_cert(chain.clone(), key)
            .map_err(wrong)?;
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        let keys = Keys { client: Arc::new(client), server: Arc::new(server) };
        Ok((keys, verifiers, chain))
    }

    pub(super) fn call(&self) -> std::io::Result<Session> {
        let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
        let connection = ClientConnection::new(self.client.clone(), name);
        Ok(Session::new(connection.map_err(std::io::Error::other)?.into()))
    }

    pub(super) fn answer(&self) -> std::io::Result<Session> {
        let connection = ServerConnection::new(self.server.clone());
        Ok(Session::new(connection.map_err(std::io::Error::other)?.into()))
    }
}

/// What a file says.
fn text(mut file: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = vec![];
    file.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

fn certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let place = format!("{what} {}", path.display());
    let wrong = |why: String| Error::config(why).hint(HINT).within(&place);
    let text = std::fs::File::open(path).and_then(text);
    let text = text.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| wrong(format!("is no PEM: {error}")))?;
    if found.is_empty() {
        return Err(wrong("holds no certificate".into()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let place = format!("TLS key {}", path.display());
    let text = text(open_private(path, &place, HINT)?).map_err(|error| {
        Error::config(format!("cannot be read: {error}")).hint(HINT).within(&place)
    })?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        Error::config("holds no private key in PEM, or one with a passphrase")
            .hint(HINT)
            .within(&place)
    })
}

/// Who looks at the certificates of others.
pub(super) struct Verifiers {
    pub(super) ring: Arc<CryptoProvider>,
    of_clients: Arc<dyn ClientCertVerifier>,
    pub(super) of_servers: Arc<ChainOnly>,
}

impl Verifiers {
    fn new(authority: &Path) -> Result<Verifiers> {
        let what = "TLS authority";
        let place = format!("{what} {}", authority.display());
        let wrong = |error: String| {
            Error::config(format!("is no authority: {error}")).hint(HINT).within(&place)
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(authority, what)? {
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        let (roots, ring) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let of_clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), ring.clone())
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let of_servers = Arc::new(ChainOnly { roots, ring: ring.clone() });
        Ok(Verifiers { ring, of_clients, of_servers })
    }

    /// Looks at the own certificate as the other processes would.
    fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let Some((end, between)) = chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let now = UnixTime::now();
        self.of_servers.check(end, between, now)?;
        self.of_clients.verify_client_cert(end, between, now).map(|_| ())
    }
}

/// Whether an authority has signed the certificate of who was called; its names do not matter.
#[derive(Debug)]
pub(super) struct ChainOnly {
    roots: Arc<RootCertStore>,
    ring: Arc<CryptoProvider>,
}

impl ChainOnly {
    fn check(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let certificate = ParsedCertificate::try_from(end)?;
        let algorithms = self.ring.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            between,
            now,
            algorithms,
        )
    }
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end, between, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 alone is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.ring.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.ring.signature_verification_algorithms.supported_schemes()
    }
}
