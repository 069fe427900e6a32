//! A connection that is made when it is needed, and what its failures mean.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::Options;
use crate::error::{Error, Result};

/// How to connect.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    password_file: Option<PathBuf>,
    statement_timeout: Duration,
}

impl Server {
    pub(super) fn new(options: &Options) -> Result<Server> {
        let url = without_jdbc(&options.url);
        // What the parser says may quote the address, and with it the password.
        let mut config: Config = url.parse().map_err(|_| {
            Error::config("the `url` of a postgres sink cannot be read").hint(
                "write postgresql://user@host:5432/database, special characters as %XX, \
                 sslmode as disable or prefer",
            )
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(Error::config("this build has no TLS for PostgreSQL")
                .hint("set sslmode=prefer, and reach the server through a tunnel"));
        }
        if options.password.is_some() && options.password_file.is_some() {
            return Err(Error::config("`password` and `password_file` are both set")
                .hint("keep one of them"));
        }
        if let Some(user) = &options.user {
            config.user(user);
        }
        if let Some(password) = &options.password {
            config.password(password);
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("highwater");
        }
        config.connect_timeout(options.connect_timeout);
        // A machine that is gone closes no connection: without an answer it is given up.
        config.tcp_user_timeout(options.statement_timeout);
        config.keepalives_idle(Duration::from_secs(30));
        Ok(Server {
            config,
            password_file: options.password_file.clone(),
            statement_timeout: options.statement_timeout,
        })
    }

    /// Host, port and database, for messages.
    pub(super) fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => self.config.get_hostaddrs().first().map_or("".into(), |a| a.to_string()),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("PostgreSQL at {host}:{port}/{}", self.config.get_dbname().unwrap_or(""))
    }

    fn config(&self) -> Result<Config> {
        let mut config = self.config.clone();
        if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::config(format!("cannot read password_file `{}`: {error}", path.display()))
            })?;
            config.password(text.lines().next().unwrap_or(""));
        }
        Ok(config)
    }
}

/// The address as libpq writes it. JDBC has its own names for some parameters and many others that
/// only Java's driver knows.
fn without_jdbc(url: &str) -> String {
    let Some(url) = url.strip_prefix("jdbc:") else { return url.into() };
    let Some((address, parameters)) = url.split_once('?') else { return url.into() };
    let known = parameters.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        match name {
            "user" | "password" | "sslmode" | "options" => Some(parameter.to_owned()),
            "ssl" if value == "true" => Some("sslmode=require".to_owned()),
            "ApplicationName" => Some(format!("application_name={value}")),
            _ => None,
        }
    });
    format!("{address}?{}", known.collect::<Vec<_>>().join("&"))
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server does not take this row, or one of these; its words.
    Row(String),
    /// The server is away, stopping, full or busy: the same may work later.
    Away(String),
    /// It will never work like this: password, missing table, missing column.
    Setup(String),
    /// A later attempt to run the job has taken over.
    Fenced(String),
}

/// A connection, made at first use and again after it was lost. Blocks the thread that owns it.
pub(super) struct Connection {
    runtime: Runtime,
    server: Server,
    session: Option<Session>,
}

impl Connection {
    pub(super) fn new(server: &Server) -> Result<Connection> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::unreachable(format!("no event loop: {error}")))?;
        Ok(Connection { runtime, server: server.clone(), session: None })
    }

    /// Does some work on the connection. After a failure the connection is given up, and with it
    /// a transaction that is open.
    pub(super) fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Result<T> {
        let session = match self.session.take() {
            Some(session) if !session.client.is_closed() => session,
            _ => {
                let config = self.server.config()?;
                let limit = self.server.statement_timeout;
                self.runtime
                    .block_on(Session::connect(&config, limit))
                    .map_err(|failure| self.error(failure))?
            }
        };
        match self.runtime.block_on(work(&session)) {
            Ok(done) => {
                self.session = Some(session);
                Ok(done)
            }
            Err(failure) => {
                let Session { client, farewell, .. } = session;
                drop(client);
                // The task of the connection says goodbye now, so that no lock outlives the error;
                // a server that hangs is not waited for.
                let _ = self.runtime.block_on(async { timeout(FAREWELL, farewell).await });
                Err(self.error(failure))
            }
        }
    }

    fn error(&self, failure: Failure) -> Error {
        let error = match failure {
            Failure::Away(words) => Error::unreachable(words)
                .hint("is it running, and are `url`, `user` and `password` right?"),
            Failure::Setup(words) | Failure::Row(words) => Error::config(words),
            Failure::Fenced(words) => Error::fenced(words),
        };
        error.within(self.server.place())
    }
}

/// A live connection.
pub(super) struct Session {
    client: Client,
    /// The task of the connection, which ends with its client.
    farewell: JoinHandle<()>,
    /// How long to wait for an answer: a server that hangs does not keep its own time.
    limit: Duration,
    prepared: RefCell<BTreeMap<String, Statement>>,
}

impl Session {
    async fn connect(config: &Config, limit: Duration) -> Result<Session, Failure> {
        let wait = limit.max(config.get_connect_timeout().copied().unwrap_or(limit));
        let connected = within(wait, config.connect(NoTls)).await?;
        let (client, connection) = connected;
        // It ends with the connection; what went wrong comes out of the client's own calls.
        let farewell = tokio::spawn(async move { drop(connection.await) });
        let session =
            Session { client, farewell, limit: limit + GRACE, prepared: RefCell::default() };
        let millis = limit.as_millis();
        session.batch(&format!("SET TIME ZONE 'UTC'; SET statement_timeout = {millis}")).await?;
        Ok(session)
    }

    /// Runs statements that take no parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        within(self.limit, self.client.batch_execute(sql)).await
    }

    /// Runs a statement, which is prepared once per connection.
    pub(super) async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(), Failure> {
        let prepared = self.prepared.borrow().get(sql).cloned();
        let statement = match prepared {
            Some(statement) => statement,
            None => {
                let statement = within(self.limit, self.client.prepare(sql)).await?;
                self.prepared.borrow_mut().insert(sql.into(), statement.clone());
                statement
            }
        };
        within(self.limit, self.client.execute(&statement, parameters)).await.map(drop)
    }

    /// Asks for rows.
    pub(super) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        within(self.limit, self.client.query(sql, parameters)).await
    }
}

/// How long a connection that is given up may take to close.
const FAREWELL: Duration = Duration::from_secs(1);

/// The server's own limit comes first, so that it says what took so long.
const GRACE: Duration = Duration::from_secs(5);

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| meaning(&error)),
        Err(_) => Err(Failure::Away(format!("no answer within {limit:?}"))),
    }
}

/// What an error means, by the class of its SQLSTATE.
fn meaning(error: &tokio_postgres::Error) -> Failure {
    let Some(refusal) = error.as_db_error() else {
        let words = words(error);
        // The client has no other way to tell these from a broken connection.
        let setup = ["invalid configuration", "authentication error", "error serializing"];
        return match setup.iter().any(|prefix| words.starts_with(prefix)) {
            true => Failure::Setup(words),
            false => Failure::Away(words),
        };
    };
    let mut words = refusal.message().to_owned();
    if let Some(detail) = refusal.detail() {
        words = format!("{words} ({detail})");
    }
    let code = refusal.code().code();
    match &code[..2] {
        // A sequence at its end is in class 22, but no row can help it: each upsert takes a number.
        _ if code == "2200H" => Failure::Setup(words),
        // Data exceptions, broken constraints, a view's check, what triggers raise, index entries
        // that are too large; 21: one statement meets a row twice, which halving cures.
        "21" | "22" | "23" | "44" | "54" | "P0" => Failure::Row(words),
        // Features, authorisation, names of databases and schemas, syntax and missing objects.
        "0A" | "28" | "3D" | "3F" | "42" => Failure::Setup(words),
        // Connections, conflicts, resources, a server that stops or is a standby, its own errors.
        _ => Failure::Away(words),
    }
}

/// The text of an error and of its causes, as far as it does not repeat itself.
fn words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
