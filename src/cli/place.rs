//! Where a process is among several: its index, the addresses of all, and the secret they share.

use std::sync::Arc;

use super::args::{Indices, WorkerArgs};
use super::log;
use crate::config;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::runtime::cluster::{self, Bind, Connect, Peers, Seat, Secret, Tls};
use crate::runtime::{Job, Stop};

/// The variable by which `highwater cluster` gives its processes the secret that it has made.
pub(super) const SECRET: &str = "HIGHWATER_SECRET";

/// Where this process is among several.
pub(super) struct Place {
    index: usize,
    addresses: Vec<String>,
}

impl Place {
    /// `None` for a process alone.
    pub(super) fn of(workers: &WorkerArgs) -> Result<Option<Place>> {
        let processes = workers.processes;
        let index = match workers.process.as_ref().map(Indices::one) {
            Some(None) => {
                let error = "`run` is one process, and -p names several";
                return Err(Error::usage(error).hint("`highwater cluster` runs several of them"));
            }
            Some(Some(index)) if processes <= index => {
                return Err(Error::usage(format!("there is no process {index} of {processes}"))
                    .hint("indices count from 0: -p is below -n"));
            }
            None if 1 < processes => {
                return Err(Error::usage(format!(
                    "-n {processes} needs the index of this process"
                ))
                .hint(format!(
                    "`highwater cluster … -n {processes}` starts all of them here; across \
                         machines give each its -p, from 0 to {}",
                    processes - 1
                )));
            }
            index => index.flatten().unwrap_or(0),
        };
        if processes == 1 {
            return Ok(None);
        }
        let addresses = cluster::addresses(workers.hostfile.as_deref(), processes)?;
        Ok(Some(Place { index, addresses }))
    }

    /// Waits for all others, who have bound the same `jobs`; `None` if somebody asked for the end
    /// meanwhile.
    pub(super) fn connect(
        &self,
        workers: &WorkerArgs,
        config: &config::Cluster,
        jobs: &[Arc<Job>],
        stop: &Stop,
    ) -> Result<Option<Peers>> {
        let report = |line: &str| {
            if workers.report {
                log::say(line);
            }
        };
        let seat = Seat {
            index: self.index,
            processes: workers.processes,
            threads: workers.threads,
            fingerprint: cluster::fingerprint(jobs)?,
            resumed: cluster::resumed(jobs),
        };
        let kept = || jobs.iter().filter_map(|job| job.checkpoints.as_ref());
        let connect = Connect {
            seat,
            addresses: &self.addresses,
            bind: Bind { address: workers.bind.as_deref(), any: workers.bind_any },
            secret: &secret(workers, config)?,
            tls: &tls(config)?,
            generation: kept().map(|kept| kept.generation()).max().unwrap_or(0),
            timeout: workers.connect_timeout,
            report: &report,
        };
        failpoint!("cluster.before_handshake");
        let peers = cluster::connect(&connect, stop)?;
        failpoint!("cluster.after_handshake");
        if let Some(peers) = &peers {
            kept().for_each(|kept| kept.join(peers.generation.number));
        }
        Ok(peers)
    }
}

/// The secret that the processes of a job share: what the command line names, what `highwater
/// cluster` has made, what the configuration names, or none.
pub(super) fn secret(workers: &WorkerArgs, config: &config::Cluster) -> Result<Secret> {
    if let Some(file) = &workers.secret_file {
        return Secret::from_file(file);
    }
    if let Some(secret) = std::env::var_os(SECRET) {
        let secret = Secret::new(secret.as_encoded_bytes());
        return secret.map_err(|error| error.within(SECRET));
    }
    config.secret_file.as_deref().map_or(Ok(Secret::none()), Secret::from_file)
}

/// With what the processes speak TLS to each other, if they do.
pub(super) fn tls(config: &config::Cluster) -> Result<Tls> {
    config.tls.as_ref().map_or(Ok(Tls::none()), Tls::from_files)
}
