//! The peers, which `make peers` installs: each is a job of `bench/peers/run.sh`, which has the
//! contract and the settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::error::Result;

use super::{Engine, Input, Job, RowsWanted, write};
use crate::workloads::Workload;

/// A day, in milliseconds: the grace with which Kafka Streams loses nothing of a backlog.
const DAY_MS: i64 = 86_400_000;

/// A way to run a peer.
struct Peer {
    name: &'static str,
    /// What `run.sh` calls it.
    engine: &'static str,
    variant: Variant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Usual,
    /// Spark's Real-Time Mode.
    RealTime,
    /// Kafka Streams with the grace that the query says, also where it then loses rows.
    ShortGrace,
}

/// All of them.
pub(super) fn engines() -> Vec<Box<dyn Engine>> {
    let peer =
        |name, engine, variant| -> Box<dyn Engine> { Box::new(Peer { name, engine, variant }) };
    vec![
        peer("spark", "spark", Variant::Usual),
        peer("spark_rtm", "spark", Variant::RealTime),
        peer("flink", "flink", Variant::Usual),
        peer("kafka_streams", "kafka_streams", Variant::Usual),
        peer("kafka_streams_grace", "kafka_streams", Variant::ShortGrace),
    ]
}

impl Engine for Peer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> Result<String, String> {
        let output = Command::new(script()).arg(self.engine).arg("--version").output();
        let output = output.map_err(|error| format!("{}: {error}", script().display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    fn refuses(&self, job: &Job) -> Option<String> {
        let answers = match job.query {
            Workload::Plays(_) => true,
            Workload::Nexmark(_) => self.engine == "flink",
            Workload::Elearning => self.engine == "spark",
            Workload::Ysb | Workload::Transfers | Workload::Windows(_) => false,
        };
        if !answers {
            return Some(format!("{} was not taught the query {}", self.name, job.query));
        }
        match (self.variant, job.input_is, job.rows) {
            (Variant::RealTime, _, RowsWanted::Final) => {
                Some("Real-Time Mode of Spark has no final rows".into())
            }
            (Variant::RealTime, Input::Backlog, _) => {
                Some("Real-Time Mode of Spark does not end with its input".into())
            }
            (Variant::ShortGrace, Input::Live, _) => {
                Some("a short grace differs from the usual one in a backlog only".into())
            }
            _ => None,
        }
    }

    fn command(&self, job: &Job) -> Result<Command> {
        let settings = write(&job.work, "job.properties", &self.properties(job))?;
        let mut command = Command::new(script());
        command.arg(self.engine).arg(settings);
        Ok(command)
    }

    fn is_approximate(&self) -> bool {
        self.engine != "flink"
    }

    fn is_jvm(&self) -> bool {
        true
    }
}

impl Peer {
    fn properties(&self, job: &Job) -> String {
        let live = job.input_is == Input::Live;
        // A backlog of Kafka Streams is read with updates: with a grace of a day no window closes.
        let streams_backlog = self.engine == "kafka_streams" && !live;
        let rows = match job.rows {
            RowsWanted::Final if !streams_backlog => "final",
            _ => "update",
        };
        let trigger = match (self.variant, live) {
            (Variant::RealTime, _) => "realtime 30 seconds",
            (_, true) => "0 seconds",
            (_, false) => "available_now",
        };
        let grace_ms = match (self.variant, live) {
            (Variant::ShortGrace, _) | (_, true) => job.delay_ms,
            (_, false) => DAY_MS,
        };
        // Live, all that keep states durable do so every half minute.
        let checkpoint_ms = if live { 30_000 } else { 0 };
        let query = job.query.query();
        let Job { input, output, workers, delay_ms, linger_ms, work, .. } = job;
        format!(
            "brokers={}\ninput={}\noutput={}\nquery={query}\nrows={rows}\nmode={}\n\
             start=earliest\nparallelism={workers}\ndelay_ms={delay_ms}\ngrace_ms={grace_ms}\n\
             linger_ms={linger_ms}\ntrigger={trigger}\nwork={}\ncheckpoint_ms={checkpoint_ms}\n",
            input.brokers,
            input.topic,
            output.topic,
            if live { "live" } else { "backlog" },
            work.join("state").display(),
        )
    }
}

/// `bench/peers/run.sh`, beside which the harness is used.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/run.sh")
}
