//! `[connect]`, `[flow]`, `[checkpoint]`, `[cluster]`: what holds for the whole job.

use std::path::PathBuf;
use std::time::Duration;

use super::fields::Fields;
use super::options::options;
use crate::error::{Error, Result};
use crate::objects::S3Options;
use crate::time::{millis, minutes, seconds};

/// `[connect]`: waiting for sources and sinks at the start, then exit code 75. Once running, they
/// are waited for without end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// `attempts`: how often. Default: 60.
    pub attempts: usize,
    /// `every`: after which time again. Default: `"2s"`.
    pub every: Duration,
}

/// `[flow]`: the pace of the dataflow, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// `tick`: step of the outer timestamp while there is work. Default: `"5ms"`.
    pub tick: Duration,
    /// `tick_max`: longest step at low rates. Default: `"80ms"`.
    pub tick_max: Duration,
    /// `ticks_in_flight_max`: ticks that may be under way; then sources stop reading. Default: 32.
    pub ticks_in_flight_max: usize,
}

/// `[checkpoint]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// `every`: length of an epoch. Default: `"1s"`.
    pub every: Duration,
    /// `path`: the folder of the checkpoints, with one below it for each job, or
    /// `s3://BUCKET/FOLDER`. Default: there are none, and each start begins where the sources say.
    pub path: Option<String>,
    /// `s3`: how S3 is reached, with the keys that a Parquet sink has. Default: as the variables of
    /// AWS say.
    pub s3: S3Options,
    /// `keep`: how many are kept. Default: 3.
    pub keep: usize,
    /// `age_max`: how long the folder may fail, or S3 be away, before the job ends (74, 75).
    /// Default: `"10m"`.
    pub age_max: Duration,
}

/// `[cluster]`: how the processes of a job deal with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `secret_file`: the file with the secret that all processes share, unless `--secret-file`
    /// names it. Default: there is none; `highwater cluster` makes one for its own processes.
    pub secret_file: Option<PathBuf>,
    /// `tls`: the files with which processes speak TLS to each other; needs the Cargo feature
    /// `cluster-tls`. Default: there are none, and what is sent is not encrypted.
    pub tls: Option<Tls>,
    /// `frame_bytes_max`: the longest message between two workers; a longer one ends the process
    /// (75). Default: `"64MiB"`.
    pub frame_bytes_max: usize,
    /// `silence_max`: how long a worker of another process may say nothing before the process ends
    /// (75). Default: `"15s"`.
    pub silence_max: Duration,
    /// `restarts_max`: so often within ten minutes `highwater cluster` starts a job again for the
    /// same cause. Default: 10.
    pub restarts_max: usize,
}

/// `[cluster.tls]`: files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `cert`: the certificate of this process, and behind it those between it and the authority.
    pub cert: PathBuf,
    /// `key`: its private key; only its owner may read it.
    pub key: PathBuf,
    /// `ca`: the authority that has signed the certificates of all processes, or several.
    pub ca: PathBuf,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            secret_file: None,
            tls: None,
            frame_bytes_max: 64 << 20,
            silence_max: seconds(15),
            restarts_max: 10,
        }
    }
}

impl Cluster {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Cluster> {
        let defaults = Cluster::default();
        let frame_bytes_max = fields.size("frame_bytes_max", "64MiB")?;
        let silence_max = fields.interval("silence_max", "15s")?;
        let cluster = Cluster {
            secret_file: fields.text("secret_file", "/etc/highwater/secret")?.map(PathBuf::from),
            tls: Tls::read(&mut fields)?,
            frame_bytes_max: frame_bytes_max.unwrap_or(defaults.frame_bytes_max),
            silence_max: silence_max.unwrap_or(defaults.silence_max),
            restarts_max: fields.count("restarts_max", 10)?.unwrap_or(defaults.restarts_max),
        };
        if cluster.silence_max < SILENCE_LEAST {
            let message = "`silence_max` must be 3s or longer: workers are heard once a second";
            return Err(Error::config(message).within(fields.place()));
        }
        if cluster.frame_bytes_max < FRAME_LEAST {
            let message = "`frame_bytes_max` must be 1MiB or more";
            return Err(Error::config(message).within(fields.place()));
        }
        fields.finish()?;
        Ok(cluster)
    }
}

impl Tls {
    fn read(fields: &mut Fields<'_>) -> Result<Option<Tls>> {
        if !fields.has("tls") {
            return Ok(None);
        }
        let mut fields = fields.table("tls")?;
        if !cfg!(feature = "cluster-tls") {
            return Err(Error::config("this program was built without TLS between processes")
                .hint("build it with the Cargo feature `cluster-tls`")
                .within(fields.place()));
        }
        let mut file = |key: &'static str| match fields.text(key, "/etc/highwater/FILE.pem")? {
            Some(file) => Ok(PathBuf::from(file)),
            None => Err(Error::config(format!("`{key}` is missing"))
                .hint("name all three files: `cert`, `key` and `ca`")
                .within(fields.place())),
        };
        let tls = Tls { cert: file("cert")?, key: file("key")?, ca: file("ca")? };
        fields.finish()?;
        Ok(Some(tls))
    }
}

/// Two beats may be late, and that is no silence yet.
const SILENCE_LEAST: Duration = seconds(3);

/// timely gathers messages of this size by itself.
const FRAME_LEAST: usize = 1 << 20;

impl Connect {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Connect> {
        let connect = Connect {
            attempts: fields.count("attempts", 60)?.unwrap_or(60),
            every: fields.interval("every", "2s")?.unwrap_or(seconds(2)),
        };
        fields.finish()?;
        Ok(connect)
    }
}

impl Flow {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Flow> {
        let flow = Flow {
            tick: fields.interval("tick", "5ms")?.unwrap_or(millis(5)),
            tick_max: fields.interval("tick_max", "80ms")?.unwrap_or(millis(80)),
            ticks_in_flight_max: fields.count("ticks_in_flight_max", 32)?.unwrap_or(32),
        };
        fields.not_built(
            "state_bytes_max",
            "a limit on bytes of state, beside `keys_max` of a view, is",
        )?;
        fields.not_built("key_groups", "another number of key groups than 256 is")?;
        if flow.tick_max < flow.tick {
            let message = "`tick` must not be longer than `tick_max`";
            return Err(Error::config(message).within(fields.place()));
        }
        fields.finish()?;
        Ok(flow)
    }
}

impl Checkpoint {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Checkpoint> {
        let s3 = match fields.node("s3") {
            None => S3Options::default(),
            Some(node) => options(&fields.free("s3", &node)?, &fields.place_of("s3", &node))?,
        };
        let checkpoint = Checkpoint {
            every: fields.interval("every", "1s")?.unwrap_or(seconds(1)),
            path: fields.text("path", "/var/lib/highwater")?,
            s3,
            keep: fields.count("keep", 3)?.unwrap_or(3),
            age_max: fields.interval("age_max", "10m")?.unwrap_or(minutes(10)),
        };
        fields.finish()?;
        Ok(checkpoint)
    }
}
