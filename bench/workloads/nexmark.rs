//! NEXMark: people who come, auctions that they open, and bids; 1 : 3 : 46.
//!
//! ```text
//! n ─► m, its place in time ─► m mod 50 ─┬─ 0       a person   {"person":{…}}
//!                                        ├─ 1..=3  an auction {"auction":{…}} ─► partition n mod 4
//!                                        └─ 4..     a bid      {"bid":{…}}
//! ```
//!
//! The rules are those of the reference suite, but for two things that make its data irrepeatable:
//! here event `n` depends on the plan and `n` alone, and there is one sequence of ids, however many
//! partitions there are. Events are `1 / rate` apart in event time, so a plan spans `events / rate`
//! seconds: at the 10 M events/s of the reference, windows of 10 s would hardly matter.

pub mod answers;
pub mod event;
pub mod query;
mod texts;

use std::fmt::Write;

use highwater::error::Result;
use serde::{Deserialize, Serialize};

use super::dice::Dice;

pub use super::PARTITIONS;

/// Where the event time of a backlog begins: 2026-01-01T00:00:00Z, in microseconds since 1970.
pub const BACKLOG_START_US: i64 = 1_767_225_600_000_000;

/// How long after the last event those come that close windows, in milliseconds.
const CLOSING_MS: i64 = 2 * 3_600_000;

/// Of so many events that follow each other, one is a person and three are auctions.
const ROUND: i64 = 50;
const AUCTIONS: i64 = 3;

/// The first id of people and of auctions.
const FIRST_ID: i64 = 1_000;

/// People who are active, auctions that are open, and how far ahead of the last one an id may be.
const ACTIVE_PEOPLE: i64 = 1_000;
const OPEN_AUCTIONS: i64 = 100;
const LEAD: i64 = 10;

/// One of so many people, or auctions, is a hot one.
const HOT: i64 = 100;

/// Events that 100 auctions take.
const EVENTS_OF_OPEN_AUCTIONS: i64 = OPEN_AUCTIONS * ROUND / AUCTIONS;

/// Mean bytes of a person, an auction and a bid, and how many of a bid count as present.
const PERSON_BYTES: usize = 200;
const AUCTION_BYTES: usize = 500;
const BID_BYTES: usize = 100;
const BID_BYTES_PRESENT: usize = 32;

/// A sequence of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Another seed, other events.
    pub seed: u64,
    /// How many.
    pub events: u64,
    /// When the first of them happens, in microseconds since 1970.
    pub start_us: i64,
    /// How many happen in a second of event time.
    pub rate: u64,
    /// How many that follow each other are shuffled; 1: they are in order.
    pub group: u64,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Somebody comes.
    Person(Person),
    /// Somebody opens an auction.
    Auction(Auction),
    /// Somebody bids.
    Bid(Bid),
}

/// A person.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of the benchmark; times are milliseconds since 1970")]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email_address: String,
    pub credit_card: String,
    pub city: &'static str,
    pub state: &'static str,
    pub date_time: i64,
    pub extra: String,
}

/// An auction.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of the benchmark; times are milliseconds since 1970")]
pub struct Auction {
    pub id: i64,
    pub item_name: String,
    pub description: String,
    pub initial_bid: i64,
    pub reserve: i64,
    pub date_time: i64,
    pub expires: i64,
    pub seller: i64,
    pub category: i64,
    pub extra: String,
}

/// A bid.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of the benchmark; times are milliseconds since 1970")]
pub struct Bid {
    pub auction: i64,
    pub bidder: i64,
    pub price: i64,
    pub channel: String,
    pub url: String,
    pub date_time: i64,
    pub extra: String,
}

impl Plan {
    /// A backlog in order, so many events in a second of event time.
    pub fn backlog(seed: u64, events: u64, rate: u64) -> Plan {
        Plan { seed, events, start_us: BACKLOG_START_US, rate, group: 1 }
    }

    /// All events.
    pub fn facts(&self) -> impl Iterator<Item = Fact> + use<> {
        let plan = *self;
        (0..plan.events).map(move |n| plan.fact(n))
    }

    /// What event `n` says.
    pub fn fact(&self, n: u64) -> Fact {
        let mut dice = Dice::of(self.seed, n);
        let place = self.place(n);
        let date_time = self.at_ms(place);
        let place = place as i64;
        match place % ROUND {
            0 => Fact::Person(person(place, date_time, &mut dice)),
            1..=AUCTIONS => Fact::Auction(self.auction(place, date_time, &mut dice)),
            _ => Fact::Bid(bid(place, date_time, &mut dice)),
        }
    }

    /// The place of event `n` in time: its own number unless a group is shuffled.
    fn place(&self, n: u64) -> u64 {
        let group = self.group.max(1);
        n / group * group + (n % group) * 953 % group
    }

    fn at_ms(&self, place: u64) -> i64 {
        self.planned_us(place).div_euclid(1_000)
    }

    fn auction(&self, place: i64, date_time: i64, dice: &mut Dice) -> Auction {
        let last_person = place / ROUND;
        let seller = match dice.chance(3, 4) {
            true => last_person / HOT * HOT,
            false => random_person(last_person, dice),
        };
        let (item_name, description) = (texts::words(dice, 20), texts::words(dice, 100));
        let initial_bid = price(dice);
        let horizon = EVENTS_OF_OPEN_AUCTIONS * 1_000 / self.rate.max(1) as i64;
        let present = 8 + item_name.len() + description.len() + 5 * 8;
        Auction {
            id: last_auction(place) + FIRST_ID,
            item_name,
            description,
            initial_bid,
            reserve: initial_bid + price(dice),
            date_time,
            expires: date_time + 1 + dice.between(0, (2 * horizon).max(1)),
            seller: seller + FIRST_ID,
            category: 10 + dice.between(0, 5),
            extra: texts::extra(dice, AUCTION_BYTES, present),
        }
    }

    /// When event `n` happens, in microseconds since 1970: that of a live plan is sent then.
    pub fn planned_us(&self, n: u64) -> i64 {
        super::due_us(self.start_us, self.rate, n)
    }

    /// Writes event `n`; returns its partition.
    pub fn write(&self, n: u64, out: &mut String) -> u32 {
        self.fact(n).write(out);
        (n % u64::from(PARTITIONS)) as u32
    }

    /// Events that follow a backlog, a person in each partition, two hours later: they close all
    /// windows before them in every engine. No query makes a row of them.
    ///
    /// # Errors
    ///
    /// Those of `send`.
    pub fn closing(&self, mut send: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        let date_time = self.at_ms(self.events) + CLOSING_MS;
        let (last, mut out) = (self.events as i64 + LEAD * ROUND, String::new());
        for partition in 0..PARTITIONS {
            let mut dice = Dice::of(self.seed, u64::MAX - u64::from(partition));
            Fact::Person(person(last, date_time, &mut dice)).write(&mut out);
            send(partition, &out)?;
        }
        Ok(())
    }

    /// How many events a topic holds that was filled by the plan, with those that close windows.
    pub fn records(&self) -> u64 {
        self.events + u64::from(PARTITIONS)
    }
}

fn person(place: i64, date_time: i64, dice: &mut Dice) -> Person {
    let (city, state) = (texts::city(dice), texts::state(dice));
    let (name, email_address) = (texts::name(dice), texts::email(dice));
    let credit_card = texts::credit_card(dice);
    let texts = [&*name, &*email_address, &*credit_card, city, state];
    let present = 8 + texts.into_iter().map(str::len).sum::<usize>();
    let id = place / ROUND + FIRST_ID;
    let extra = texts::extra(dice, PERSON_BYTES, present);
    Person { id, name, email_address, credit_card, city, state, date_time, extra }
}

fn bid(place: i64, date_time: i64, dice: &mut Dice) -> Bid {
    let (last_person, last_auction) = (place / ROUND, last_auction(place));
    let auction = match dice.chance(1, 2) {
        true => last_auction / HOT * HOT,
        false => dice.between((last_auction - OPEN_AUCTIONS).max(0), last_auction + LEAD + 1),
    };
    let bidder = match dice.chance(3, 4) {
        true => last_person / HOT * HOT + 1,
        false => random_person(last_person, dice),
    };
    let (channel, url) = texts::channel(dice);
    Bid {
        auction: auction + FIRST_ID,
        // The reference adds the first id twice, and its answers are compared with ours.
        bidder: bidder + 2 * FIRST_ID,
        price: price(dice),
        channel,
        url,
        date_time,
        extra: texts::extra(dice, BID_BYTES, BID_BYTES_PRESENT),
    }
}

/// The newest auction at a place, from 0: the own one of an auction. Before the first, -1.
fn last_auction(place: i64) -> i64 {
    let round = place / ROUND;
    match place % ROUND {
        0 => AUCTIONS * round - 1,
        own @ 1..=AUCTIONS => AUCTIONS * round + own - 1,
        _ => AUCTIONS * round + AUCTIONS - 1,
    }
}

/// Somebody who is active, or will come soon.
fn random_person(last: i64, dice: &mut Dice) -> i64 {
    let active = (last + 1).min(ACTIVE_PEOPLE);
    dice.between(last + 1 - active, last + 1 + LEAD)
}

/// 100 to 100,000,000, each power of ten equally often.
fn price(dice: &mut Dice) -> i64 {
    (10f64.powf(6.0 * dice.unit()) * 100.0).round() as i64
}

impl Fact {
    /// When it happens, in milliseconds since 1970.
    pub fn date_time(&self) -> i64 {
        match self {
            Fact::Person(person) => person.date_time,
            Fact::Auction(auction) => auction.date_time,
            Fact::Bid(bid) => bid.date_time,
        }
    }

    /// Writes it as JSON. No text has a character that must be escaped.
    pub fn write(&self, out: &mut String) {
        out.clear();
        let written = match self {
            Fact::Person(p) => write!(
                out,
                "{{\"person\":{{\"id\":{},\"name\":\"{}\",\"emailAddress\":\"{}\",\
                 \"creditCard\":\"{}\",\"city\":\"{}\",\"state\":\"{}\",\"dateTime\":{},\
                 \"extra\":\"{}\"}}}}",
                p.id, p.name, p.email_address, p.credit_card, p.city, p.state, p.date_time, p.extra,
            ),
            Fact::Auction(a) => write!(
                out,
                "{{\"auction\":{{\"id\":{},\"itemName\":\"{}\",\"description\":\"{}\",\
                 \"initialBid\":{},\"reserve\":{},\"dateTime\":{},\"expires\":{},\"seller\":{},\
                 \"category\":{},\"extra\":\"{}\"}}}}",
                a.id,
                a.item_name,
                a.description,
                a.initial_bid,
                a.reserve,
                a.date_time,
                a.expires,
                a.seller,
                a.category,
                a.extra,
            ),
            Fact::Bid(b) => write!(
                out,
                "{{\"bid\":{{\"auction\":{},\"bidder\":{},\"price\":{},\"channel\":\"{}\",\
                 \"url\":\"{}\",\"dateTime\":{},\"extra\":\"{}\"}}}}",
                b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra,
            ),
        };
        written.expect("a string takes all that is written to it");
    }
}

#[cfg(test)]
mod tests;
