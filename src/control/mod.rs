//! How one asks a running job: what it says of itself, and that it should end.
//!
//! ```text
//! job ──writes──► run file: pid, address, token      (`runs.rs`, a folder of this user)
//!  │                   │
//!  │                   ▼ read
//!  └◄─────HTTP──── highwater inspect, stop            (`client.rs`)
//!    (`server.rs`: GET /api/v1/status, POST /api/v1/stop)
//! ```
//!
//! The server is one thread. It reads what workers publish once an epoch anyway, so a job does not
//! notice that somebody asks. Reading is free for whoever reaches the port, which is on loopback
//! unless the configuration says otherwise; control needs the token of the run file. A page of
//! another site can do neither (`guard.rs`).

#[cfg(feature = "http")]
mod client;
mod guard;
mod listen;
mod panel;
mod runs;
#[cfg(feature = "http")]
mod server;
#[cfg(all(test, feature = "http"))]
mod tests;
#[cfg(not(feature = "http"))]
mod without;

#[cfg(feature = "http")]
pub use client::{ask, command};
pub use guard::{Guard, Refused, Token};
pub use listen::listen;
pub use panel::{JobPanel, Panel, RequestCounts, Seat};
pub use runs::{Outcome, Run, RunFile, Runs};
#[cfg(feature = "http")]
pub use server::Server;
#[cfg(not(feature = "http"))]
pub use without::{Server, ask, command};

/// Where the status of a process is.
pub const STATUS: &str = "/api/v1/status";

/// Where one asks for its end.
pub const STOP: &str = "/api/v1/stop";
