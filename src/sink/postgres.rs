//! The PostgreSQL sink: the rows of a view in a table.
//!
//! ```text
//! write(rows) ─► last row per key ─► INSERT … SELECT FROM unnest($1, …) ON CONFLICT DO UPDATE
//!                                    DELETE … USING unnest($1, …)
//!                one transaction     │
//!                                    └ a row was refused: all is rolled back, then once more with
//!                                      savepoints, halving until the refused rows stand alone
//! ```
//!
//! In a job with checkpoints rows are delivered by epoch (`courier.rs`), together with its number
//! and in the same transaction: exactly once, with a key or without. Only updates whose rows never
//! go again are written at once, as without checkpoints.
//!
//! With a key a write has the same effect however often it is repeated: a crash between any two
//! calls, or a lost acknowledgement, leaves rows that the next start writes again. Without a key
//! rows are appended, and such a crash may leave them twice. Times are UTC in `TIMESTAMP` columns.
//! A lost connection is an error of kind `Unreachable`; the next call connects again.

mod connection;
mod courier;
mod epochs;
mod read;
mod statements;
mod table;
#[cfg(feature = "testing")]
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::courier::{Courier, Route};
use super::{Accepts, Common, Guarantee, Shard, Sink, View, Writer};
use crate::checkpoint::SinkReceipt;
use crate::error::{Error, Result};
use connection::{Connection, Server};
use courier::PostgresCourier;
use epochs::Epochs;
pub(crate) use read::read;
use table::Table;
use writer::PostgresWriter;

/// Options of the PostgreSQL sink. They hold a password, so they cannot be printed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where the database is: `postgresql://user@host:5432/database`, also with the prefix `jdbc:`;
    /// of the parameters of a JDBC address those that only tune Java's driver have no effect.
    pub url: String,
    /// Who connects, if the address does not say it.
    pub user: Option<String>,
    /// The password, if the address does not hold it.
    pub password: Option<String>,
    /// File whose first line is the password; read again at each connection.
    pub password_file: Option<PathBuf>,
    /// The table, `name` or `schema.name`, in small letters, digits and underscores.
    pub table: String,
    /// The table of a job with checkpoints that says which epochs are in the others.
    #[serde(default = "epochs_table")]
    pub epochs_table: String,
    /// How long making a connection may take.
    #[serde(default = "connect_timeout", deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long one statement may take; the write is then tried again.
    #[serde(default = "statement_timeout", deserialize_with = "duration")]
    pub statement_timeout: Duration,
}

fn epochs_table() -> String {
    "highwater_epochs".into()
}

fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn statement_timeout() -> Duration {
    Duration::from_secs(30)
}

fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(input)?;
    crate::time::parse_duration(&text).map_err(serde::de::Error::custom)
}

/// Binds a table to a view; connects to nothing yet.
///
/// # Errors
///
/// An address that cannot be read, a name that is no identifier, a key that is no column.
pub fn open(options: Options, view: &View, common: &Common) -> Result<Box<dyn Sink>> {
    let table = Table::new(&options.table, view)?;
    let epochs = Epochs::new(&options.epochs_table)?;
    let server = Server::new(&options)?;
    Ok(Box::new(Postgres { server, table, epochs, common: *common, keeps: false }))
}

struct Postgres {
    server: Server,
    table: Table,
    epochs: Epochs,
    common: Common,
    /// Whether its job keeps checkpoints.
    keeps: bool,
}

impl Postgres {
    /// Whether rows wait for their checkpoint. Rows that replace each other by their key, and never
    /// go again, may be written at once: another attempt writes the same ones in the end.
    fn delivers(&self) -> bool {
        let at_once = self.table.has_key() && self.common.updates && !self.common.takes_back;
        self.keeps && !at_once
    }
}

impl Sink for Postgres {
    fn accepts(&self) -> Accepts {
        if self.table.has_key() { Accepts::Updates } else { Accepts::Final }
    }

    fn guarantee(&self) -> Guarantee {
        match self.table.has_key() {
            _ if self.delivers() => Guarantee::ExactlyOnce,
            true => Guarantee::Idempotent,
            false => Guarantee::AtLeastOnce,
        }
    }

    fn resume(&mut self, _receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.keeps = true;
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        if self.common.updates && !self.table.has_key() {
            let why = format!("table `{}` gets updates, and its view has no key", self.table.name);
            return Err(Error::config(why).hint(
                "name the columns of the key in `key` of the view, or set `rows = \"final\"`",
            ));
        }
        let mut connection = Connection::new(&self.server)?;
        let found = connection.run(async |session| self.table.read(session).await)?;
        let mut compared = self.table.compare(&found);
        if self.delivers() && compared.is_ok() {
            let there = connection.run(async |session| self.epochs.is_there(session).await)?;
            compared = self.epochs.compare(there);
        }
        compared.map_err(|error| error.within(self.server.place()))
    }

    fn create(&mut self) -> Result<Vec<String>> {
        let mut connection = Connection::new(&self.server)?;
        let made = connection.run(async |session| self.table.create(session).await)?;
        let mut names = if made { vec![&self.table.name] } else { vec![] };
        if self.delivers() && connection.run(async |session| self.epochs.create(session).await)? {
            names.push(&self.epochs.name);
        }
        let place = self.server.place();
        Ok(names.iter().map(|name| format!("table `{name}` in {place}")).collect())
    }

    fn courier(&mut self, route: Route) -> Result<Option<Box<dyn Courier>>> {
        if !self.delivers() {
            return Ok(None);
        }
        let connection = Connection::new(&self.server)?;
        let (table, epochs) = (self.table.clone(), self.epochs.clone());
        Ok(Some(Box::new(PostgresCourier::new(connection, table, epochs, route))))
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        let connection = Connection::new(&self.server)?;
        Ok(Box::new(PostgresWriter::new(connection, self.table.clone())))
    }
}
