//! Without the feature `http`: nothing listens, and nobody can be asked.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::guard::Guard;
use super::panel::Panel;
use super::runs::Run;
use crate::error::{Error, Result};
use crate::observe::status::Status;

/// A server that cannot be started.
#[derive(Debug)]
pub enum Server {}

impl Server {
    /// Refuses.
    ///
    /// # Errors
    ///
    /// Always, of kind `Config`.
    pub fn start(_: TcpListener, _: Guard, _: Arc<dyn Panel>) -> Result<Server> {
        Err(refusal())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match *self {}
    }
}

/// Refuses.
///
/// # Errors
///
/// Always, of kind `Config`.
pub fn ask(_: &Run) -> Result<Status> {
    Err(refusal())
}

/// Refuses.
///
/// # Errors
///
/// Always, of kind `Config`.
pub fn command(_: &Run) -> Result<()> {
    Err(refusal())
}

fn refusal() -> Error {
    Error::config("this binary was built without the feature `http`")
        .hint("send SIGTERM to stop a job; build it with `--features http` to ask one")
}
