//! TLS and SASL: the keys that the Kafka source and the Kafka sink share.
//!
//! They stand in the binding's table beside the other keys, `security_protocol = "sasl_ssl"`, and
//! become settings of librdkafka, `security.protocol`, which every client of the binding gets. They
//! may be secret, so they are never printed.

use std::fmt;
use std::path::PathBuf;

use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::options::ClientSettings;
use crate::error::{Error, Result};

/// Keys of a Kafka binding that say how it talks to brokers.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// `"plaintext"`, `"ssl"`, `"sasl_plaintext"` or `"sasl_ssl"`. Default: `"plaintext"`.
    pub security_protocol: Option<String>,
    /// `"PLAIN"`, `"SCRAM-SHA-256"` or `"SCRAM-SHA-512"`. Default with SASL: `"PLAIN"`.
    pub sasl_mechanism: Option<String>,
    /// Who connects.
    pub sasl_username: Option<String>,
    /// The password.
    pub sasl_password: Option<String>,
    /// File whose first line is the password.
    pub sasl_password_file: Option<PathBuf>,
    /// Certificates (PEM) of those who may vouch for brokers. Default: the system's.
    pub ssl_ca_location: Option<String>,
    /// This client's certificate (PEM), where brokers ask for one.
    pub ssl_certificate_location: Option<String>,
    /// Its key (PEM).
    pub ssl_key_location: Option<String>,
    /// The password of that key.
    pub ssl_key_password: Option<String>,
    /// `"https"`: the certificate has to name the host; `"none"`. Default: `"https"`.
    pub ssl_endpoint_identification_algorithm: Option<String>,
}

impl Security {
    /// Adds what the keys say to the settings of a client.
    ///
    /// # Errors
    ///
    /// A setting that is there already, two passwords, a file that cannot be read.
    pub fn add_to(self, settings: &mut ClientSettings) -> Result<(), String> {
        let is_sasl = self.security_protocol.as_ref().is_some_and(|protocol| {
            protocol.len() > 4 && protocol[..4].eq_ignore_ascii_case("sasl")
        });
        let mechanism = self.sasl_mechanism.or(is_sasl.then(|| "PLAIN".into()));
        let password = match (self.sasl_password, self.sasl_password_file) {
            (Some(_), Some(_)) => {
                return Err("`sasl_password` and `sasl_password_file` are both set".into());
            }
            (password, None) => password,
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    format!("cannot read sasl_password_file `{}`: {error}", path.display())
                })?;
                Some(text.lines().next().unwrap_or("").to_owned())
            }
        };
        for (name, value) in [
            ("security.protocol", self.security_protocol),
            ("sasl.mechanism", mechanism),
            ("sasl.username", self.sasl_username),
            ("sasl.password", password),
            ("ssl.ca.location", self.ssl_ca_location),
            ("ssl.certificate.location", self.ssl_certificate_location),
            ("ssl.key.location", self.ssl_key_location),
            ("ssl.key.password", self.ssl_key_password),
            ("ssl.endpoint.identification.algorithm", self.ssl_endpoint_identification_algorithm),
        ] {
            let Some(value) = value else { continue };
            if settings.0.insert(name.into(), value).is_some() {
                return Err(format!("`{name}` is set twice: by its key, and in `client`"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security").finish_non_exhaustive()
    }
}

/// Refuses settings that need what this build does not have.
pub(super) fn check(settings: &ClientSettings) -> Result<()> {
    let value = |name: &str| settings.0.get(name).map_or("", String::as_str);
    let mechanisms = [value("sasl.mechanism"), value("sasl.mechanisms")];
    let needs_tls = value("security.protocol").to_ascii_lowercase().ends_with("ssl")
        || mechanisms.iter().any(|mechanism| {
            let mechanism = mechanism.to_ascii_uppercase();
            mechanism.starts_with("SCRAM") || mechanism == "OAUTHBEARER"
        });
    if needs_tls && !cfg!(feature = "kafka-tls") {
        return Err(Error::config("kafka: TLS and SCRAM are asked for, and this build has none")
            .hint("build it with the Cargo feature `kafka-tls`"));
    }
    if mechanisms.iter().any(|mechanism| mechanism.eq_ignore_ascii_case("GSSAPI")) {
        return Err(Error::config("kafka: this build has no Kerberos")
            .hint("use the mechanism PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"));
    }
    Ok(())
}

/// Reads a table: the keys of [`Security`] by themselves, the others by `read`. serde's `flatten`
/// cannot be used for it, as it takes unknown keys.
pub(crate) fn apart<'de, D: Deserializer<'de>, T>(
    input: D,
    read: impl FnOnce(Rest<'_, D>) -> Result<T, D::Error>,
) -> Result<(Security, T), D::Error> {
    let mut taken = toml::Table::new();
    let rest = read(Rest { input, taken: &mut taken })?;
    let security = Security::deserialize(toml::Value::Table(taken));
    Ok((security.map_err(D::Error::custom)?, rest))
}

fn is_taken(key: &str) -> bool {
    ["security_", "sasl_", "ssl_"].iter().any(|prefix| key.starts_with(prefix))
}

/// A table without the keys of [`Security`].
pub(crate) struct Rest<'a, D> {
    input: D,
    taken: &'a mut toml::Table,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Rest<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Rest { input, taken } = self;
        input.deserialize_map(Around { inner: visitor, taken })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// A visitor, or an access to a map, that takes the keys of [`Security`] on its way.
struct Around<'a, T> {
    inner: T,
    taken: &'a mut toml::Table,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Around<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Around { inner: map, taken: self.taken })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Around<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.inner.next_key::<String>()? {
            if !is_taken(&key) {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            let value = self.inner.next_value()?;
            self.taken.insert(key, value);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::options::client_config;
    use super::*;

    fn settings(more: &str) -> Result<ClientSettings, String> {
        let text = format!("topic = \"t\"\nbrokers = \"b:1\"\n{more}");
        let table: toml::Table = text.parse().unwrap();
        let options: Result<Options> = crate::config::options(&table, "job.toml");
        options.map(|options| options.client).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_become_settings_of_the_client() {
        let found = settings(
            "security_protocol = \"SASL_SSL\"\nsasl_username = \"u\"\nsasl_password = \"p\"\n\
             ssl_ca_location = \"ca.pem\"\nclient = { \"debug\" = \"security\" }",
        );
        let expect = [
            ("debug", "security"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.password", "p"),
            ("sasl.username", "u"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "ca.pem"),
        ];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found.unwrap().0, expect.into());
        assert_eq!(settings("").unwrap(), ClientSettings::default());
    }

    #[test]
    fn mistakes_are_named() {
        let check = |more: &str, expect: &str| {
            let error = settings(more).expect_err(more);
            assert!(error.contains(expect), "{error}");
        };
        check("sasl_user = \"u\"", "sasl_user");
        check("topics = \"u\"", "unknown key `topics`\n  hint: did you mean `topic`?");
        check("sasl_password = \"a\"\nsasl_password_file = \"b\"", "both set");
        check("sasl_password_file = \"not/there\"", "cannot read sasl_password_file");
        check(
            "security_protocol = \"ssl\"\nclient = { \"security.protocol\" = \"ssl\" }",
            "`security.protocol` is set twice",
        );
    }

    #[test]
    fn a_build_without_tls_says_which_feature_is_missing() {
        let check = |more: &str, expect: Option<&str>| {
            let error = client_config("b:1", &settings(more).unwrap()).err();
            assert_eq!(error.as_ref().map(Error::message), expect, "{more}");
        };
        let missing = "kafka: TLS and SCRAM are asked for, and this build has none";
        let missing = (!cfg!(feature = "kafka-tls")).then_some(missing);
        check("security_protocol = \"ssl\"", missing);
        check("security_protocol = \"sasl_ssl\"", missing);
        check("sasl_mechanism = \"SCRAM-SHA-256\"", missing);
        check("security_protocol = \"sasl_plaintext\"", None);
        check("sasl_mechanism = \"GSSAPI\"", Some("kafka: this build has no Kerberos"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let security = Security { sasl_password: Some("hunter2".into()), ..Security::default() };
        assert_eq!(format!("{security:?}"), "Security { .. }");
    }
}
