//! `highwater letters replay`: letters in, their records out, some of them to a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::thread::sleep;

use super::{Found, Replay};
use crate::cli::Registry;
use crate::cli::log;
use crate::cli::progress::grouped;
use crate::config::{Config, Connect, options};
use crate::error::{Error, Kind, Result};
use crate::letter::Reason;
use crate::letters::parcel::{Kept, Parcel, Rules};
use crate::runtime::Dataflow;
use crate::sink::kafka::replay::{Cluster, Journal, Replay as Sender, Sent};
use crate::source::kafka::Options;
use crate::stream::{Flow, Settings};
use crate::text::Text;

/// How many letters one transaction has, and about how many bytes of them.
const LETTERS_MAX: usize = 500;
const BYTES_MAX: usize = 8 << 20;

/// Sends what is to be sent, and says what became of it.
pub(super) fn replay(args: &Replay, registry: Registry) -> Result<String> {
    let found = Found::new(&args.which, registry)?;
    let system = found.choice.system.to_string();
    let journal = args.journal.clone().unwrap_or(format!("highwater.replayed.{system}"));
    let sources = sources(&found.dataflows)?;
    let topics = sources.iter().map(|(source, bound)| {
        (source.clone(), bound.as_ref().map(|options| options.topic.clone()))
    });
    let rules = Rules {
        topics: topics.collect(),
        to: args.to.clone(),
        late: args.which.reasons.contains(&Reason::Late),
        used: args.used,
    };
    let connect = found.dataflows.first().map(|(_, config)| config.connect.clone());
    let connect = connect.ok_or_else(|| Error::usage("there is no job to ask about"))?;
    let mut posts = Posts { journal, attempt: args.attempt, connect, all: vec![] };
    let mut report = Report::default();
    found.each(&mut |letter| {
        let parcel = match rules.judge(&letter) {
            Ok(parcel) => parcel,
            Err(kept) => {
                *report.kept.entry(kept).or_default() += 1;
                return Ok(());
            }
        };
        report.again += u64::from(letter.reason == Reason::Late && rules.to.is_none());
        let Some(Some(bound)) = sources.get(&letter.source) else {
            return Err(Error::bug("a letter is sent to no topic"));
        };
        let post = posts.of(bound, args.dry_run)?;
        post.add(parcel, &mut report)
    })?;
    for post in &mut posts.all {
        post.flush(&mut report)?;
    }
    Ok(report.text(args))
}

/// The sources of dataflows, and the topics that some are bound to.
fn sources(dataflows: &[(&'static Dataflow, Config)]) -> Result<BTreeMap<Text, Option<Options>>> {
    let mut sources = BTreeMap::new();
    for (dataflow, config) in dataflows {
        let flow = Flow::new(Settings::default());
        (dataflow.entry)(&flow, &mut config.parameters())?;
        for name in flow.take().source_names() {
            let binding = config.source(name)?;
            let bound = match &*binding.kind {
                "kafka" => Some(options(&binding.options, &binding.place)?),
                _ => None,
            };
            sources.insert(Text::from(name), bound);
        }
    }
    Ok(sources)
}

/// The ways to clusters: sources of one system may lie in several.
struct Posts {
    journal: String,
    attempt: u32,
    connect: Connect,
    all: Vec<Post>,
}

impl Posts {
    /// The way to the cluster of a source; begun if it is the first letter for there.
    fn of(&mut self, bound: &Options, dry_run: bool) -> Result<&mut Post> {
        let (brokers, client) = (bound.brokers.clone(), bound.client.clone());
        let cluster = Cluster { brokers, client, journal: self.journal.clone() };
        if let Some(known) = self.all.iter().position(|post| post.cluster == cluster) {
            return Ok(&mut self.all[known]);
        }
        let way = match dry_run {
            true => Way::Look(patiently(&self.connect, || Journal::read(&cluster))?),
            false => {
                Way::Send(Box::new(patiently(&self.connect, || Sender::begin(cluster.clone()))?))
            }
        };
        let (attempt, connect) = (self.attempt, self.connect.clone());
        let batch = Batch::default();
        self.all.push(Post { cluster, way, attempt, connect, batch });
        let last = self.all.len() - 1;
        Ok(&mut self.all[last])
    }
}

/// The way to one cluster, and letters that wait for a transaction.
struct Post {
    cluster: Cluster,
    way: Way,
    attempt: u32,
    connect: Connect,
    batch: Batch,
}

#[derive(Default)]
struct Batch {
    parcels: Vec<Parcel>,
    bytes: usize,
    /// In a dry run: what would have been sent.
    seen: BTreeSet<String>,
}

enum Way {
    Look(Journal),
    Send(Box<Sender>),
}

impl Post {
    fn add(&mut self, parcel: Parcel, report: &mut Report) -> Result<()> {
        self.batch.bytes += parcel.bytes();
        self.batch.parcels.push(parcel);
        if LETTERS_MAX <= self.batch.parcels.len() || BYTES_MAX <= self.batch.bytes {
            return self.flush(report);
        }
        Ok(())
    }

    fn flush(&mut self, report: &mut Report) -> Result<()> {
        let parcels = std::mem::take(&mut self.batch.parcels);
        self.batch.bytes = 0;
        let attempt = self.attempt;
        let sent = match &mut self.way {
            Way::Look(journal) => {
                let mut names: Vec<String> = parcels.iter().map(Parcel::identity).collect();
                names.retain(|name| journal.attempts(name) < attempt);
                names.retain(|name| self.batch.seen.insert(name.clone()));
                Sent { sent: names.len(), refused: vec![] }
            }
            Way::Send(sender) => patiently(&self.connect, || sender.send(&parcels, attempt))?,
        };
        report.sent += sent.sent as u64;
        report.before += (parcels.len() - sent.sent - sent.refused.len()) as u64;
        for (index, reject) in sent.refused {
            let Parcel { source, at: (partition, offset, _), .. } = &parcels[index];
            report.refused += 1;
            log::say(&format!(
                "{source} partition {partition} offset {offset} is not sent: {}",
                reject.detail
            ));
        }
        Ok(())
    }
}

/// Tries again while nobody answers.
fn patiently<T>(connect: &Connect, mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        match call() {
            Err(error) if error.kind() == Kind::Unreachable && attempt < connect.attempts => {
                log::say(&format!("{}; trying again", error.message()));
                attempt += 1;
                sleep(connect.every);
            }
            outcome => return outcome,
        }
    }
}

/// What became of letters.
#[derive(Default)]
struct Report {
    sent: u64,
    before: u64,
    refused: u64,
    kept: BTreeMap<Kept, u64>,
    /// Late ones that go to their own source.
    again: u64,
}

impl Report {
    fn text(&self, args: &Replay) -> String {
        let mut text = String::new();
        let mut line = |count: u64, words: &str| {
            if count != 0 {
                let _ = writeln!(text, "{:>10} {words}", grouped(count));
            }
        };
        let next = args.attempt + 1;
        line(self.sent, if args.dry_run { "would be sent" } else { "sent" });
        line(self.before, &format!("sent before: --attempt {next} sends them again"));
        line(self.refused, "refused by the brokers");
        line(self.again, "of them late, and late again unless the job has another lateness now");
        for (kept, count) in &self.kept {
            line(*count, &format!("not sent: {kept}"));
        }
        if self.sent == 0 {
            text += if args.dry_run { "nothing would be sent\n" } else { "nothing was sent\n" };
        }
        text
    }
}
