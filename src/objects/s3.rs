//! Connections to a bucket of S3: what the job file says, and for the rest the variables of AWS.
//!
//! The connections of a client are tasks of its runtime: they are served while somebody calls it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::client::{
    CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm,
};
use object_store::path::Path;
use object_store::{ClientConfigKey, RetryConfig, StaticCredentialProvider};
use sha2::{Digest, Sha256};

use super::{Client, S3Options};
use crate::error::{Error, Result};

/// How long one request may take unless the binding says it: 64 MiB at 9 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection is kept for the next file. Servers close theirs after a while, too, and a
/// request that meets the end of its connection fails.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// A bucket, and what the names in it begin with.
#[derive(Clone)]
pub(crate) struct Bucket {
    builder: AmazonS3Builder,
    prefix: Path,
    /// `s3://bucket/prefix`.
    place: String,
    endpoint: Option<String>,
}

impl Bucket {
    /// Reads `bucket/prefix` and how it is reached; connects to nothing.
    pub(crate) fn new(path: &str, options: &S3Options) -> Result<Bucket> {
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(Error::config(format!("`s3://{path}` names no bucket"))
                .hint("write s3://BUCKET/FOLDER"));
        }
        let prefix = Path::parse(prefix).map_err(|error| {
            Error::config(format!("`s3://{path}` cannot be the name of objects: {error}"))
        })?;
        let place = match prefix.as_ref() {
            "" => format!("s3://{bucket}"),
            prefix => format!("s3://{bucket}/{prefix}"),
        };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        let endpoint = endpoint(&builder, options)?;
        if let Some(endpoint) = &endpoint {
            // The name for S3 alone wins over the general one, and both may come from outside.
            let own = AmazonS3ConfigKey::S3Endpoint;
            builder = builder.with_config(own, endpoint);
            if endpoint.starts_with("http://") {
                builder = builder.with_allow_http(true);
            }
        }
        if !options.region.is_empty() {
            builder = builder.with_region(&options.region);
        }
        if let Some(credential) = credential(options)? {
            let provider = StaticCredentialProvider::new(credential);
            builder = builder.with_credentials(Arc::new(provider));
        }
        let timeout = options.request_timeout.unwrap_or(REQUEST_TIMEOUT);
        for (key, time) in
            [(ClientConfigKey::Timeout, timeout), (ClientConfigKey::PoolIdleTimeout, IDLE_MAX)]
        {
            let millis = format!("{}ms", time.as_millis());
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), millis);
        }
        // Who calls tries again for as long as it may.
        let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
        builder = builder.with_retry(retry).with_crypto_provider(Arc::new(Sha2));
        Ok(Bucket { builder, prefix, place, endpoint })
    }

    /// A client. That takes 50 ms, for the certificates of the system.
    pub(crate) fn connect(&self) -> Result<Client> {
        let store = self.builder.clone().build().map_err(|error| {
            Error::config(format!("the settings of S3 cannot be used: {error}"))
                .within(self.place.as_str())
        })?;
        Client::new(Arc::new(store), self.prefix.clone(), self.place.clone())
    }

    /// What begins with one name more.
    pub(crate) fn join(&self, name: &str) -> Bucket {
        let place = format!("{}/{name}", self.place);
        Bucket { prefix: self.prefix.clone().join(name), place, ..self.clone() }
    }

    /// The place and the server that it is on.
    #[cfg(any(test, feature = "parquet"))]
    pub(crate) fn claim(&self) -> String {
        match &self.endpoint {
            None => self.place.clone(),
            Some(endpoint) => format!("{} at {endpoint}", self.place),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// The address of the binding or of the environment; AWS has its own for each region.
fn endpoint(builder: &AmazonS3Builder, options: &S3Options) -> Result<Option<String>> {
    let of = |key| builder.get_config_value(&key).filter(|text| !text.is_empty());
    let endpoint = match options.endpoint.as_str() {
        "" => of(AmazonS3ConfigKey::S3Endpoint).or_else(|| of(AmazonS3ConfigKey::Endpoint)),
        endpoint => Some(endpoint.to_owned()),
    };
    match endpoint {
        Some(endpoint) if !["http://", "https://"].iter().any(|s| endpoint.starts_with(s)) => {
            Err(Error::config(format!("the `endpoint` of S3, `{endpoint}`, is no address"))
                .hint("write http://HOST:PORT or https://HOST"))
        }
        endpoint => Ok(endpoint),
    }
}

/// The key and the password of the binding, if it has them.
fn credential(options: &S3Options) -> Result<Option<AwsCredential>> {
    let secret_key = match (&options.secret_key_file, options.secret_key.as_str()) {
        (None, secret_key) => secret_key.to_owned(),
        (Some(path), "") => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::config(format!("cannot read secret_key_file `{}`: {error}", path.display()))
            })?;
            text.lines().next().unwrap_or("").to_owned()
        }
        (Some(_), _) => {
            return Err(Error::config("`secret_key` and `secret_key_file` are both set")
                .hint("keep one of them"));
        }
    };
    match (options.access_key.is_empty(), secret_key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => {
            let key_id = options.access_key.clone();
            Ok(Some(AwsCredential { key_id, secret_key, token: None }))
        }
        (no_key, _) => {
            let (there, missing) = match no_key {
                true => ("secret_key", "access_key"),
                false => ("access_key", "secret_key"),
            };
            Err(Error::config(format!("S3 has `{there}` and no `{missing}`"))
                .hint("give both, or none and the variables of AWS"))
        }
    }
}

/// The hashes that requests are signed with.
#[derive(Debug)]
struct Sha2;

struct Hash<S> {
    state: S,
    done: Vec<u8>,
}

impl CryptoProvider for Sha2 {
    fn digest(&self, _: DigestAlgorithm) -> object_store::Result<Box<dyn DigestContext>> {
        Ok(Box::new(Hash { state: Sha256::new(), done: vec![] }))
    }

    fn hmac(
        &self,
        _: DigestAlgorithm,
        secret: &[u8],
    ) -> object_store::Result<Box<dyn HmacContext>> {
        let state = Hmac::<Sha256>::new_from_slice(secret)
            .map_err(|error| unsupported(error.to_string()))?;
        Ok(Box::new(Hash { state, done: vec![] }))
    }

    fn sign(&self, _: SigningAlgorithm, _: &[u8]) -> object_store::Result<Box<dyn Signer>> {
        Err(unsupported("S3 signs with hashes"))
    }
}

fn unsupported(why: impl fmt::Display) -> object_store::Error {
    object_store::Error::NotSupported { source: why.to_string().into() }
}

impl DigestContext for Hash<Sha256> {
    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.state, data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.done = self.state.finalize_reset().to_vec();
        Ok(&self.done)
    }
}

impl HmacContext for Hash<Hmac<Sha256>> {
    fn update(&mut self, data: &[u8]) {
        Mac::update(&mut self.state, data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.done = self.state.clone().finalize().into_bytes().to_vec();
        Ok(&self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, options: &str, expect: &str) {
        let options: S3Options = toml::from_str(options).unwrap();
        let message = match Bucket::new(path, &options) {
            Ok(bucket) => bucket.claim(),
            Err(error) => error.message().to_owned(),
        };
        assert_eq!(message, expect, "{path}");
    }

    #[test]
    fn a_bucket_is_read_from_its_path_and_settings() {
        let minio = "endpoint = 'http://minio:9000'\naccess_key = 'a'\nsecret_key = 'b'\n";
        check("bucket-0/views/v", minio, "s3://bucket-0/views/v at http://minio:9000");
        check("bucket-0/topic=a/", minio, "s3://bucket-0/topic=a at http://minio:9000");
        check("bucket-0", minio, "s3://bucket-0 at http://minio:9000");
        check("", minio, "`s3://` names no bucket");
        let bare = "endpoint = 'minio:9000'";
        check("b", bare, "the `endpoint` of S3, `minio:9000`, is no address");
        check("b", "access_key = 'a'", "S3 has `access_key` and no `secret_key`");
        check("b", "secret_key = 'a'", "S3 has `secret_key` and no `access_key`");
        let both = "secret_key = 'a'\nsecret_key_file = 'f'";
        check("b", both, "`secret_key` and `secret_key_file` are both set");
        for wrong in ["acces_key = 'a'", "request_timeout = 5"] {
            assert!(toml::from_str::<S3Options>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let mut digest = Sha2.digest(DigestAlgorithm::Sha256).unwrap();
        digest.update(b"a");
        digest.update(b"bc");
        let expect = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(digest.finish().unwrap()), expect);
        let mut hmac = Sha2.hmac(DigestAlgorithm::Sha256, b"Jefe").unwrap();
        hmac.update(b"what do ya want for nothing?");
        let expect = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(hmac.finish().unwrap()), expect);
    }
}
