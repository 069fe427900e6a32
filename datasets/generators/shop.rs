//! The generator of the shop: its options, who does something, and which type of event it is.
//!
//! With `sessions = "real"` a session lasts until 30 min of silence. Users are in eight cohorts;
//! a cohort is active for 30 min and silent for as long, and every 7.5 min another one begins:
//!
//! ```text
//! cohort 0  ████░░░░████░░░░          a cell is 7.5 min of event time
//! cohort 1  ░████░░░░████░░░
//! cohort 2  ░░████░░░░████░░          session = user and the cell in which the cohort began
//! ```

mod records;

use std::sync::Arc;

use highwater::dataset::{
    Fault, Generator, GeneratorKind, GeneratorOptions, Made, OptionKind, TopicKind,
};
use highwater::error::{Error, Result};
use serde::Deserialize;

use self::records::{Draft, TYPES, Visit, write};
use super::{Profile, option};
use crate::plan::{Bursts, Fill, Plan, Planned};
use crate::random::{Random, Weighted, hash, share_of, shared};

/// The data set `shop`.
pub(crate) const KIND: GeneratorKind = GeneratorKind {
    name: "shop",
    about: "What the visitors of a web shop do.",
    topics: TOPICS,
    options: OPTIONS,
    make,
};

const TOPICS: &[TopicKind] = &[TopicKind {
    name: "streaming-events",
    short: "events",
    partitions: 3,
    key: "user_id",
    settings: &[("compression.type", "gzip"), ("retention.ms", "86400000")],
}];

const RATE: f64 = 14.0;
const USERS: u32 = 1_000;
/// Weight of reviews in the profile `full`.
const REVIEWS: f64 = 0.05;

/// How many cohorts there are, and how many of them are active at a time.
const COHORTS: u64 = 8;
const ACTIVE: u64 = 4;
/// Microseconds from one cohort's begin to the next one's.
const CELL: i64 = 450_000_000;

const OPTIONS: &[OptionKind] = &[
    option("rate", &["EVENTS_PER_SECOND"], "14.0", "Records a second."),
    option(
        "profile",
        &[],
        "upstream",
        "Which events: `upstream` are the producer's, `full` also product reviews.",
    ),
    option(
        "sessions",
        &[],
        "upstream",
        "`upstream` is a new session for each event, `real` one until 30 min of silence.",
    ),
    option(
        "types",
        &[],
        "",
        "Weights of types of events, such as `product_review=.05`, with commas between.",
    ),
];

/// The options of its own; [`OPTIONS`] says what they are.
#[derive(Deserialize)]
#[serde(default)]
struct Own {
    profile: Profile,
    sessions: Sessions,
    types: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sessions {
    Upstream,
    Real,
}

impl Default for Own {
    fn default() -> Own {
        Own { profile: Profile::Upstream, sessions: Sessions::Upstream, types: String::new() }
    }
}

impl Own {
    /// The weight of each type.
    fn weights(&self) -> Result<Vec<f64>> {
        let mut weights: Vec<f64> = TYPES.iter().map(|(_, weight)| *weight).collect();
        if self.profile == Profile::Full {
            weights[TYPES.len() - 1] = REVIEWS;
        }
        for pair in self.types.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, weight) = pair.split_once('=').unwrap_or((pair, ""));
            let found = TYPES.iter().position(|(known, _)| *known == name.trim());
            let weight = weight.trim().parse().ok().filter(|w: &f64| w.is_finite() && 0.0 <= *w);
            match (found, weight) {
                (Some(index), Some(weight)) => weights[index] = weight,
                _ => {
                    let names: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
                    let hint = format!("write TYPE=WEIGHT with one of {}", names.join(", "));
                    return Err(Error::config(format!("`types` has `{pair}`")).hint(hint));
                }
            }
        }
        if weights.iter().sum::<f64>() == 0.0 {
            return Err(Error::config("`types` leaves no type of event with a weight"));
        }
        Ok(weights)
    }
}

fn make(options: &GeneratorOptions) -> Result<Arc<dyn Generator>> {
    let own: Own = options.own()?;
    let plan = Plan::new(options, RATE, Bursts::default())?;
    let partitions = options.partitions.unwrap_or(TOPICS[0].partitions);
    let shop = Shop {
        plan: plan.clone(),
        types: Weighted::new(own.weights()?),
        partitions: u64::from(partitions),
        users: u64::from(options.keys.unwrap_or(USERS)),
        sessions: own.sessions,
        seed: options.seed,
    };
    Ok(Arc::new(Planned::new(plan, partitions, shop)))
}

struct Shop {
    plan: Plan,
    types: Weighted,
    partitions: u64,
    users: u64,
    sessions: Sessions,
    seed: u64,
}

impl Fill for Shop {
    fn fill(&self, number: u64, fault: Option<Fault>, made: &mut Made) {
        let mut random = self.plan.random(number);
        made.topic = 0;
        made.partition = (number % self.partitions) as u32;
        let draft = Draft {
            kind: self.types.draw(&mut random),
            visit: self.visit(number, &mut random),
            time: self.plan.time(number, fault),
            fault,
            shape: self.plan.shape(number),
        };
        let time = write(&draft, &mut random, made);
        made.time = time.filter(|_| fault != Some(Fault::BadJson));
    }
}

impl Shop {
    /// Who acts, and in which session.
    fn visit(&self, number: u64, random: &mut Random) -> Visit {
        let part = (number % self.partitions, self.partitions);
        match self.sessions {
            Sessions::Upstream => {
                let user = shared(self.users, part, random);
                Visit { user, session: random.below(9_000), device: random.bits() }
            }
            Sessions::Real => {
                let (user, began) = self.active(number, part, random);
                // Sessions that follow one another have different numbers.
                let first = hash(self.seed, user) % 9_000;
                let session = (first + began as u64 / COHORTS * 7_919) % 9_000;
                Visit { user, session, device: hash(self.seed ^ user, began as u64) }
            }
        }
    }

    /// A user of the partition who is active, and the cell in which that began.
    fn active(&self, number: u64, (partition, of): (u64, u64), random: &mut Random) -> (u64, i64) {
        let part = (partition, of);
        if self.users <= of || share_of(self.users, part) < COHORTS {
            // Too few for cohorts: they are never silent.
            return (shared(self.users, part, random), 0);
        }
        let cell = self.plan.planned(number).micros().div_euclid(CELL);
        let began = cell - random.below(ACTIVE) as i64;
        let cohort = began.rem_euclid(COHORTS as i64) as u64;
        let within = shared(share_of(self.users, part), (cohort, COHORTS), random);
        (partition + of * within, began)
    }
}

#[cfg(test)]
mod tests;
