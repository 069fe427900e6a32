//! The generator of the e-learning system: its options, and which record goes where.
//!
//! ```text
//! topics by weight ─► stories of the topic ─► event, user, course … ─► document
//! ```
//!
//! The system `campus` has the same topics, so it has the same generator with other defaults.

mod events;
mod records;

use std::sync::Arc;

use highwater::dataset::{
    Fault, Generator, GeneratorKind, GeneratorOptions, Made, OptionKind, TopicKind,
};
use highwater::error::{Error, Result};
use serde::Deserialize;

use self::events::Event;
use self::records::{Draft, Writer};
use super::mix::Mix;
use super::stories::Stories;
use super::{Names, Profile, option};
use crate::plan::{Bursts, Fill, Plan, Planned};

/// The data set `elearning`.
pub(crate) const KIND: GeneratorKind = GeneratorKind {
    name: "elearning",
    about: "What students and teachers do on an e-learning platform.",
    topics: TOPICS,
    options: OPTIONS,
    make: |options| make(options, Profile::Full, UTC),
};

/// Settings of a topic that keeps its records for so many milliseconds.
macro_rules! kept {
    ($retention:literal) => {
        [("cleanup.policy", "delete"), ("compression.type", "snappy"), ("retention.ms", $retention)]
    };
}

/// The topics, in the order of [`WEIGHTS`].
///
/// Events are kept and not compacted: `compact`, which the replaced system sets for profiles, would
/// delete the events that a replay needs.
pub(super) const TOPICS: &[TopicKind] = &[
    topic("auth_topic", "auth", 3, &kept!("63072000000")),
    topic("assessment_topic", "assessment", 5, &kept!("157680000000")),
    topic("video_topic", "video", 5, &kept!("63072000000")),
    topic("course_topic", "course", 3, &kept!("94608000000")),
    topic("profile_topic", "profile", 2, &kept!("-1")),
    topic("notification_topic", "notification", 3, &kept!("2592000000")),
];

const fn topic(
    name: &'static str,
    short: &'static str,
    partitions: u32,
    settings: &'static [(&'static str, &'static str)],
) -> TopicKind {
    TopicKind { name, short, partitions, key: "user_id", settings }
}

/// Share of each topic, in percent.
const WEIGHTS: [u64; 6] = [15, 25, 35, 18, 3, 4];

/// Records a second of all topics together.
const RATE_FULL: f64 = 100.0;
const RATE_UPSTREAM: f64 = 1.25;

/// A teacher for so many users.
const TEACHER_OF: u32 = 6;
const USERS: u32 = 60;

const UTC: &str = "UTC";

const OPTIONS: &[OptionKind] = &[
    RATE_OPTION,
    option(
        "profile",
        &[],
        "full",
        "Which events: `upstream` are the producer's, `full` also those that only the job knows.",
    ),
    DIALECT_OPTION,
    option("zone", &[], UTC, ZONE_ABOUT),
];

pub(super) const RATE_OPTION: OptionKind = option(
    "rate",
    &[],
    "",
    "Records a second; by itself 100 in profile `full` and 1.25 in `upstream`, and of these its \
     share for one topic alone.",
);
pub(super) const DIALECT_OPTION: OptionKind = option(
    "dialect",
    &[],
    "",
    "Whose field names: `producer` or `job`; by itself `job` in profile `full`, else `producer`.",
);
pub(super) const ZONE_ABOUT: &str =
    "In which zone times are written: `UTC`, `Asia/Ho_Chi_Minh`, or an offset like `+07:00`.";

/// The options of its own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    profile: Option<Profile>,
    dialect: Option<Names>,
    zone: Option<String>,
}

/// Makes a generator with the defaults of a system.
pub(super) fn make(
    options: &GeneratorOptions,
    profile: Profile,
    zone: &str,
) -> Result<Arc<dyn Generator>> {
    let own: Own = options.own()?;
    let profile = own.profile.unwrap_or(profile);
    let (rate, names) = match profile {
        Profile::Full => (RATE_FULL, Names::Job),
        Profile::Upstream => (RATE_UPSTREAM, Names::Producer),
    };
    let mix = Mix::new(&options.topics, &WEIGHTS);
    let sum: u64 = options.topics.iter().map(|topic| WEIGHTS[*topic]).sum();
    let all: u64 = WEIGHTS.iter().sum();
    let plan = Plan::new(options, rate * sum as f64 / all as f64, Bursts::default())?;
    let partitions = |topic: &TopicKind| options.partitions.unwrap_or(topic.partitions);
    let keys = options.keys.unwrap_or(USERS);
    let writer = Writer {
        for_job: own.dialect.unwrap_or(names) == Names::Job,
        profile,
        offset: offset(own.zone.as_deref().unwrap_or(zone))?,
        students: u64::from(keys - keys / TEACHER_OF),
        teachers: u64::from(keys / TEACHER_OF),
    };
    // All topics together are read as one source with the partitions of the greatest.
    let of_topics = options.topics.iter().map(|topic| partitions(&TOPICS[*topic]));
    let step = of_topics.max().unwrap_or(1);
    let content = Elearning {
        plan: plan.clone(),
        mix,
        partitions: TOPICS.iter().map(|topic| u64::from(partitions(topic))).collect(),
        stories: (0..TOPICS.len())
            .map(|topic| {
                let seed = options.seed ^ ((topic as u64 + 1) << 32);
                Stories::new(seed, |random, events| events::tell(topic, profile, random, events))
            })
            .collect(),
        writer,
    };
    Ok(Arc::new(Planned::new(plan, step, content)))
}

/// Seconds that the clocks of a zone are ahead of UTC.
fn offset(zone: &str) -> Result<i64> {
    let sign = |rest| move |seconds: i64| if rest { -seconds } else { seconds };
    let seconds = match zone {
        "UTC" | "Z" | "Etc/UTC" => Some(0),
        "Asia/Ho_Chi_Minh" => Some(7 * 3_600),
        _ => zone.strip_prefix(['+', '-']).and_then(|clock| {
            let (hours, minutes) = clock.split_once(':').unwrap_or((clock, "0"));
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            let is_clock = (0..=14).contains(&hours) && (0..60).contains(&minutes);
            is_clock.then_some(hours * 3_600 + minutes * 60).map(sign(zone.starts_with('-')))
        }),
    };
    seconds.ok_or_else(|| {
        Error::config(format!("`zone` is `{zone}`"))
            .hint("write `UTC`, `Asia/Ho_Chi_Minh`, or an offset like `+07:00`")
    })
}

struct Elearning {
    plan: Plan,
    mix: Mix,
    /// Partitions of each topic.
    partitions: Vec<u64>,
    /// Stories of each topic.
    stories: Vec<Stories<Event>>,
    writer: Writer,
}

impl Fill for Elearning {
    fn fill(&self, number: u64, fault: Option<Fault>, made: &mut Made) {
        let (topic, index) = self.mix.place(number);
        let of = self.partitions[topic];
        let partition = index % of;
        let (event, mut story) = self.stories[topic].at(index / of, (partition, of));
        made.topic = topic;
        made.partition = partition as u32;
        let draft = Draft {
            event,
            partition: (partition, of),
            time: self.plan.time(number, fault),
            fault,
            shape: self.plan.shape(number),
        };
        // Topics that are made alone have the same numbers, but not the same ids.
        let mut random = self.plan.random(number ^ ((topic as u64 + 1) << 48));
        let time = self.writer.write(&draft, &mut story, &mut random, made);
        made.time = time.filter(|_| fault != Some(Fault::BadJson));
    }
}

#[cfg(test)]
mod tests;
