//! The peers, which `make peers` installs: each is a job of `bench/peers/run.sh`, which has the
//! contract and the settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use highwater::error::Result;

use super::{Engine, Input, Job, RowsWanted, write};
use crate::workloads::system::{System, Topic};
use crate::workloads::{Workload, ysb};

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
            Workload::Nexmark(_) | Workload::Ysb => self.engine == "flink",
            Workload::System(_) => self.engine == "spark",
            Workload::Transfers | Workload::Windows(_) => false,
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
        let mut text = self.properties(job);
        match job.query {
            Workload::System(of) => text.push_str(&system(of)?),
            Workload::Ysb => text.push_str(&campaigns(&job.work)?),
            _ => {}
        }
        let settings = write(&job.work, "job.properties", &text)?;
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

/// Which topic is which, and which views are wanted.
fn system(of: System) -> Result<String> {
    let views = of.views()?.into_iter().filter(|view| view.unlike.is_none());
    let views: Vec<String> = views.map(|view| view.name).collect();
    let mut text = format!("views={}\n", views.join(","));
    for Topic { source, suffix, .. } in of.topics()? {
        text.push_str(&format!("topic.{source}={suffix}\n"));
    }
    Ok(text)
}

/// Where the campaign of each advertisement is written.
fn campaigns(work: &Path) -> Result<String> {
    let mut lines: Vec<String> =
        ysb::campaigns().into_iter().map(|(ad, campaign)| format!("{ad},{campaign}\n")).collect();
    lines.sort();
    let path = write(work, "campaigns.csv", &lines.concat())?;
    Ok(format!("campaigns={}\n", path.display()))
}

/// `bench/peers/run.sh`, beside which the harness is used.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/run.sh")
}

#[cfg(test)]
mod tests {
    use highwater::testing::Scratch;

    use super::*;
    use crate::load::Target;

    fn job(query: Workload, work: &Path) -> Job {
        let target = |topic: &str| Target { brokers: "localhost:9092".into(), topic: topic.into() };
        Job {
            query,
            rows: RowsWanted::Final,
            input_is: Input::Backlog,
            input: target("in-"),
            output: target("out"),
            events: 1,
            workers: 1,
            delay_ms: 10_000,
            linger_ms: 5,
            work: work.to_owned(),
        }
    }

    /// Who answers a query, and the properties that the first of them is told.
    fn told(query: Workload, expect: &[&str]) -> String {
        let scratch = Scratch::new("peer");
        let job = job(query, scratch.path());
        let (who, _): (Vec<_>, Vec<_>) =
            engines().into_iter().partition(|engine| engine.refuses(&job).is_none());
        let names: Vec<&str> = who.iter().map(|engine| engine.name()).collect();
        assert_eq!(names, expect, "{query}");
        who[0].command(&job).unwrap();
        std::fs::read_to_string(scratch.path().join("job.properties")).unwrap()
    }

    #[test]
    fn spark_is_told_the_topics_of_a_system_and_the_views_that_it_has() {
        let text = told(Workload::System(System::Chat), &["spark"]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"views=chat_summary_minute"), "{text}");
        assert!(lines.contains(&"topic.viewers=telemetra.events.viewer"), "{text}");
    }

    #[test]
    fn flink_is_told_the_campaign_of_each_advertisement() {
        let scratch = Scratch::new("campaigns");
        let property = campaigns(scratch.path()).unwrap();
        let path = property.trim_end().strip_prefix("campaigns=").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1_000);
        assert!(told(Workload::Ysb, &["flink"]).contains("\ncampaigns=/"));
    }
}
