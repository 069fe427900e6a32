//! A real PostgreSQL server in a folder of its own. `services.md` has the measurements.
//!
//! The server refuses to run as root: then it runs as the user `postgres`, who must be able to
//! reach the folder. `fsync` is off, which is safe against a killed server; `synchronous_commit`
//! stays on, or a crash would lose what was acknowledged.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::process::{Guard, find_program, free_port, run, tail};
use super::{Scratch, Skip, or_skip};

/// User and database that the server is made with.
const NAME: &str = "highwater";

/// Settings behind those that `initdb` writes.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
shared_buffers = 64MB
max_connections = 200
max_prepared_transactions = 20
fsync = off
full_page_writes = off
synchronous_commit = on
";

/// A server that runs, or was stopped and can be started again. It is stopped with this value.
pub struct PostgresServer {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    guard: Mutex<Option<Guard>>,
    detached: bool,
}

impl PostgresServer {
    /// The server that the tests of this process share: each makes a database of its own.
    /// `None` if there is none, as [`or_skip`] says. It ends with the process.
    pub fn shared() -> Option<&'static PostgresServer> {
        static SHARED: OnceLock<Result<(PostgresServer, Scratch), Skip>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let dir = Scratch::new("postgres");
            Ok((PostgresServer::start_in(dir.path())?, dir))
        });
        or_skip(shared.as_ref().map(|(server, _)| server).map_err(Skip::clone))
    }

    /// Makes a cluster in `dir`, unless there is one, and starts it.
    ///
    /// # Errors
    ///
    /// PostgreSQL is not installed or does not start.
    pub fn start_in(dir: &Path) -> Result<PostgresServer, Skip> {
        let port = free_port().map_err(|error| Skip::new(format!("no free port: {error}")))?;
        PostgresServer::start_on(dir, port)
    }

    /// Starts a server on a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// As [`PostgresServer::start_in`].
    pub fn start_on(dir: &Path, port: u16) -> Result<PostgresServer, Skip> {
        let bin = find_bin()?;
        let failed = |error| Skip::new(format!("{}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        if is_root() {
            let user = user_id("-u")?;
            chown(&dir, Some(user), Some(user_id("-g")?)).map_err(failed)?;
        }
        let server = PostgresServer { bin, dir, port, guard: Mutex::default(), detached: false };
        let fresh = !server.dir.join("data/PG_VERSION").exists();
        if fresh {
            server.make_cluster()?;
        }
        server.start()?;
        if fresh {
            let port = port.to_string();
            run(server.command("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", NAME, NAME]))?;
        }
        Ok(server)
    }

    fn make_cluster(&self) -> Result<(), Skip> {
        let (data, settings) = (self.data(), self.dir.join("data/postgresql.conf"));
        let options = ["--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let mut initdb = self.command("initdb", &["-D", &data, "-U", NAME]);
        initdb.args(options);
        run(initdb)?;
        let failed = |error| Skip::new(format!("{}: {error}", settings.display()));
        let mut text = fs::read_to_string(&settings).map_err(failed)?;
        text += SETTINGS;
        text += &format!("unix_socket_directories = '{}'\n", self.dir.display());
        // Written in place, so that it keeps its owner.
        fs::write(&settings, text).map_err(failed)
    }

    /// How to reach it, as `postgresql://…`.
    pub fn url(&self) -> String {
        format!("postgresql://{NAME}@127.0.0.1:{}/{NAME}", self.port)
    }

    /// Starts it again after [`PostgresServer::stop`] or [`PostgresServer::crash`], on the same
    /// port.
    ///
    /// # Errors
    ///
    /// It does not start; with the end of its log.
    pub fn start(&self) -> Result<(), Skip> {
        let (data, log) = (self.data(), self.dir.join("server.log").display().to_string());
        let options = format!("-p {}", self.port);
        let arguments = ["-D", &data, "-w", "-t", "30", "-s", "-o", &options, "-l", &log, "start"];
        run(self.command("pg_ctl", &arguments)).map_err(|skip| {
            Skip::new(format!("{skip}\nits log ends:\n{}", tail(Path::new(&log), 2_000)))
        })?;
        self.set_guard(self.pid().map(Guard::new).transpose().map_err(Skip::new)?);
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.dir.join("data/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    fn set_guard(&self, guard: Option<Guard>) {
        *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = guard;
    }

    /// Stops it cleanly: open sessions are ended.
    pub fn stop(&self) {
        self.end("fast");
    }

    /// Stops it as a crash does; the next start recovers.
    pub fn crash(&self) {
        self.end("immediate");
    }

    fn end(&self, mode: &str) {
        let data = self.data();
        // It fails only for a server that has ended.
        let _ = run(self.command("pg_ctl", &["-D", &data, "-w", "-s", "-m", mode, "stop"]));
        self.set_guard(None);
    }

    /// The rows of a query, each cell as text; NULL is the empty text.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<String>>, Skip> {
        self.query_in(NAME, sql)
    }

    /// The rows of a query in another database.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn query_in(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>, Skip> {
        // Separators that no text of a test contains.
        let (cell, row) = ('\u{1f}', '\u{1e}');
        let (cells, rows) = (format!("--field-separator={cell}"), format!("-R{row}"));
        let mut psql = self.psql_in(database);
        psql.args(["-A", "-t", &cells, &rows, "-c", sql]);
        let text = run(psql)?;
        let lines = text.strip_suffix('\n').unwrap_or(&text).split(row);
        let split = |line: &str| line.split(cell).map(str::to_owned).collect();
        Ok(lines.filter(|line| !line.is_empty()).map(split).collect())
    }

    /// A `psql` that is connected to its database, reads no file of the user, and ends at the first
    /// mistake.
    pub fn psql(&self) -> Command {
        self.psql_in(NAME)
    }

    fn psql_in(&self, database: &str) -> Command {
        let port = self.port.to_string();
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &port, "-U", NAME, "-d", database]);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    /// Makes a database and returns its URL: tests that share a server have one each.
    ///
    /// # Errors
    ///
    /// What the server says.
    pub fn create_database(&self, name: &str) -> Result<String, Skip> {
        self.query(&format!("CREATE DATABASE \"{name}\""))?;
        Ok(format!("postgresql://{NAME}@127.0.0.1:{}/{name}", self.port))
    }

    /// Lets it run on behind this value.
    pub fn detach(mut self) {
        self.set_guard(None);
        self.detached = true;
    }

    /// Stops the server whose cluster lies in `dir`, whoever started it.
    ///
    /// # Errors
    ///
    /// PostgreSQL is not installed.
    pub fn stop_in(dir: &Path) -> Result<(), Skip> {
        // The value stops it at its end.
        let (bin, dir, guard) = (find_bin()?, dir.into(), Mutex::default());
        drop(PostgresServer { bin, dir, port: 0, guard, detached: false });
        Ok(())
    }

    fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }

    /// A program of PostgreSQL, run as a user whom the server accepts, in the server's folder.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = if is_root() {
            // Debian keeps it out of some `PATH`s.
            let runuser = find_program("runuser").unwrap_or_else(|| "/usr/sbin/runuser".into());
            let mut command = Command::new(runuser);
            command.args(["-u", "postgres", "--"]).arg(self.bin.join(program));
            command
        } else {
            Command::new(self.bin.join(program))
        };
        command.args(arguments).current_dir(&self.dir);
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if !self.detached {
            self.end("immediate");
        }
    }
}

/// Whether this process is root: it owns its own entry in `/proc`.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The id of the user `postgres` (`-u`) or of its group (`-g`).
fn user_id(which: &str) -> Result<u32, Skip> {
    let mut id = Command::new("id");
    id.args([which, "postgres"]);
    let text = run(id)?;
    text.trim().parse().map_err(|_| Skip::new(format!("`id {which} postgres` says {text}")))
}

/// The folder with `initdb`: Debian keeps it out of `PATH`.
fn find_bin() -> Result<PathBuf, Skip> {
    let has_all = |dir: &PathBuf| {
        ["initdb", "pg_ctl", "createdb", "psql"].iter().all(|name| dir.join(name).is_file())
    };
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    let told = || {
        let text = run(Command::new(find_program("pg_config")?)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("BINDIR = "))?;
        Some(PathBuf::from(line.trim()))
    };
    let in_path = || Some(find_program("initdb")?.canonicalize().ok()?.parent()?.to_path_buf());
    debian.into_iter().rev().chain(told()).chain(in_path()).find(has_all).ok_or_else(|| {
        Skip::new("PostgreSQL is not installed: apt-get install postgresql postgresql-client")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Scratch, or_skip};

    #[test]
    fn a_server_keeps_what_it_acknowledged_over_a_crash() {
        let dir = Scratch::new("postgres");
        let Some(server) = or_skip(PostgresServer::start_in(dir.path())) else { return };
        server.query("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)").unwrap();
        server.query("INSERT INTO t VALUES (1, 'x|y'), (2, NULL), (3, E'two\\nlines')").unwrap();
        server.crash();
        server.query("SELECT 1").unwrap_err();
        server.start().unwrap();
        let rows = server.query("SELECT a, b FROM t ORDER BY a").unwrap();
        assert_eq!(rows, [["1", "x|y"], ["2", ""], ["3", "two\nlines"]]);
        let url = server.create_database("other").unwrap();
        assert!(url.ends_with("/other"));
        assert!(server.query_in("other", "SELECT * FROM t").is_err());
        server.stop();
        server.start().unwrap();
    }
}
