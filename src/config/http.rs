//! `[http]`: where a running job answers.

use super::fields::Fields;
use crate::error::Result;

/// `[http]`: what `highwater inspect` and `highwater stop` ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// `listen`: an address such as `"127.0.0.1:8080"`, `"auto"` or `"off"`. Default: `"auto"`. Of
    /// the processes that a `highwater cluster` has on a machine the first one listens on the
    /// address.
    pub listen: Listen,
}

/// Where a job listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// On the first of 127.0.0.1:8080 to 8089 that is free; else on any port of 127.0.0.1.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// On this `host:port`; if it is taken the job does not start.
    At(String),
}

impl Http {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Http> {
        let listen = fields.parsed("listen", "127.0.0.1:8080", |text| match text {
            "auto" => Ok(Listen::Auto),
            "off" => Ok(Listen::Off),
            address => {
                let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
                port.map(|_| Listen::At(address.into())).ok_or_else(|| {
                    "must be \"auto\", \"off\" or an address such as \"127.0.0.1:8080\"".into()
                })
            }
        })?;
        fields.finish()?;
        Ok(Http { listen: listen.unwrap_or_default() })
    }
}
