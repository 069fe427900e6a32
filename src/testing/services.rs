//! Servers that stay: for trying Highwater by hand, started and stopped by two commands.
//!
//! They run behind the process that started them, on ports that are given, with their state in a
//! folder, and are stopped by the pids in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::postgres::is_root;
use super::process::signal;
use super::{KafkaServer, PostgresServer, Skip, cache_dir};

/// Where the servers listen, on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Of Kafka.
    pub kafka: u16,
    /// Of PostgreSQL.
    pub postgres: u16,
}

impl Default for Ports {
    /// The ports that everybody expects.
    fn default() -> Ports {
        Ports { kafka: 9092, postgres: 5432 }
    }
}

/// How to reach the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// `KAFKA_BOOTSTRAP_SERVERS`.
    pub brokers: String,
    /// `POSTGRES_URL`.
    pub postgres_url: String,
}

/// The folder in which [`up`] keeps the servers unless it is told another. Not in the home of
/// root, where the user `postgres` may not go.
pub fn default_dir() -> PathBuf {
    if is_root() {
        PathBuf::from("/var/tmp/highwater-services")
    } else {
        cache_dir().join("services")
    }
}

/// Starts Kafka and PostgreSQL, with the data of the last time.
///
/// # Errors
///
/// One of them is not installed or does not start, or they run already; then none was started.
pub fn up(dir: &Path, ports: Ports) -> Result<Services, Skip> {
    if let Some(pid) = kafka_pid(dir) {
        let dir = dir.display();
        return Err(Skip::new(format!("the servers in {dir} run already (Kafka is {pid})")));
    }
    let (kafka_dir, postgres_dir) = (dir.join("kafka"), dir.join("postgres"));
    // At the same time: Kafka takes seconds.
    let (kafka, postgres) = thread::scope(|scope| {
        let kafka = scope.spawn(|| KafkaServer::start_on(&kafka_dir, ports.kafka));
        let postgres = PostgresServer::start_on(&postgres_dir, ports.postgres);
        (kafka.join().expect("the launcher returns errors"), postgres)
    });
    // Not detached before both are there: an error ends the other one.
    let (kafka, postgres) = (kafka?, postgres?);
    let services = Services { brokers: kafka.brokers(), postgres_url: postgres.url() };
    kafka.detach();
    postgres.detach();
    Ok(services)
}

/// Stops the servers; their data stay.
///
/// # Errors
///
/// Kafka does not end, or PostgreSQL is not installed.
pub fn down(dir: &Path) -> Result<(), Skip> {
    if let Some(pid) = kafka_pid(dir) {
        signal(pid, "TERM");
        let deadline = Instant::now() + Duration::from_secs(20);
        while kafka_pid(dir).is_some() {
            if deadline < Instant::now() {
                return Err(Skip::new(format!("Kafka, process {pid}, does not end")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = fs::remove_file(dir.join("kafka/pid"));
    }
    if dir.join("postgres/data").exists() {
        PostgresServer::stop_in(&dir.join("postgres"))?;
    }
    Ok(())
}

/// The pid of the broker in the folder, if it lives.
fn kafka_pid(dir: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(dir.join("kafka/pid")).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let folder = dir.join("kafka").canonicalize().ok()?;
    String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::process::free_port;
    use crate::testing::{Scratch, or_skip};

    #[test]
    fn servers_stay_until_they_are_stopped_and_do_not_start_twice() {
        let dir = Scratch::new("services");
        let ports = Ports { kafka: free_port().unwrap(), postgres: free_port().unwrap() };
        let Some(services) = or_skip(up(dir.path(), ports)) else { return };
        assert_eq!(services.brokers, format!("127.0.0.1:{}", ports.kafka));
        assert!(up(dir.path(), ports).unwrap_err().reason.contains("run already"));
        down(dir.path()).unwrap();
        assert_eq!(kafka_pid(dir.path()), None);
        assert!(!dir.path().join("postgres/data/postmaster.pid").exists());
    }
}
