//! The rules of the generator: kinds, ids, shares, times, sizes; and that events are read back.

use std::collections::BTreeMap;

use highwater::codec::{At, Decoded, Options, TypeErrors, decode};
use highwater::prelude::*;

use super::event::Event;
use super::*;

fn parse(json: &str) -> Event<true> {
    let at = At { topic: "nexmark", position: Default::default() };
    let (options, errors) = (Options::default(), TypeErrors::default());
    let mut decoded = Decoded::default();
    assert_eq!(decode(Some(json.as_bytes()), at, &options, &errors, &mut decoded), Ok(1));
    assert!(errors.counts().is_empty(), "{:?} in {json}", errors.counts());
    decoded.events.remove(0)
}

#[test]
fn of_50_events_one_is_a_person_and_three_are_auctions() {
    let (mut people, mut auctions, mut bids) = (0, 0, 0);
    for fact in Plan::backlog(1, 50_000, 1_000).facts() {
        match fact {
            Fact::Person(_) => people += 1,
            Fact::Auction(_) => auctions += 1,
            Fact::Bid(_) => bids += 1,
        }
    }
    assert_eq!((people, auctions, bids), (1_000, 3_000, 46_000));
}

#[test]
fn an_event_depends_on_the_plan_and_its_number_alone() {
    let plan = Plan::backlog(1, 1_000, 500);
    let longer = Plan { events: 2_000, ..plan };
    assert!((0..1_000).all(|n| plan.fact(n) == longer.fact(n)));
    let other = Plan { seed: 2, ..plan };
    assert!((0..1_000).all(|n| plan.fact(n) != other.fact(n)));
}

#[test]
fn ids_count_people_and_auctions_from_1000() {
    let (mut person, mut auction) = (1_000, 1_000);
    for fact in Plan::backlog(3, 5_000, 1_000).facts() {
        match fact {
            Fact::Person(Person { id, .. }) => {
                assert_eq!(id, person);
                person += 1;
            }
            Fact::Auction(Auction { id, seller, .. }) => {
                assert_eq!(id, auction);
                auction += 1;
                assert!((1_000..person + LEAD).contains(&seller), "{seller} of {person}");
            }
            Fact::Bid(Bid { auction: on, bidder, .. }) => {
                let open = auction - 1 - OPEN_AUCTIONS..auction + LEAD;
                assert!(open.contains(&on) || on % HOT == 0, "{on} of {auction}");
                assert!((2_000..person + 1_000 + LEAD).contains(&bidder), "{bidder} of {person}");
            }
        }
    }
}

#[test]
fn hot_auctions_bidders_and_sellers_have_their_share() {
    let (mut bids, mut auctions) = ([0; 3], [0; 2]);
    for (n, fact) in Plan::backlog(5, 500_000, 1_000).facts().enumerate().skip(250_000) {
        let place = n as i64;
        let (person, last) = (place / ROUND / HOT * HOT, last_auction(place) / HOT * HOT);
        match fact {
            Fact::Person(_) => {}
            Fact::Auction(auction) => {
                auctions[0] += 1;
                auctions[1] += i32::from(auction.seller == person + 1_000);
            }
            Fact::Bid(bid) => {
                bids[0] += 1;
                bids[1] += i32::from(bid.auction == last + 1_000);
                bids[2] += i32::from(bid.bidder == person + 2_001);
            }
        }
    }
    let check = |part: i32, whole: i32, expect: f64| {
        let share = f64::from(part) / f64::from(whole);
        assert!((share - expect).abs() < 0.015, "{share} of {expect}");
    };
    check(auctions[1], auctions[0], 0.75);
    check(bids[1], bids[0], 0.505);
    check(bids[2], bids[0], 0.75);
}

#[test]
fn events_span_their_number_by_the_rate() {
    let check = |rate: u64, group: u64, last_ms: i64| {
        let plan = Plan { group, ..Plan::backlog(1, 10_000, rate) };
        let start = BACKLOG_START_US / 1_000;
        let times = || plan.facts().map(|fact| fact.date_time());
        assert_eq!(times().min(), Some(start));
        assert_eq!(times().max(), Some(start + last_ms));
        assert_eq!(times().is_sorted(), group == 1, "{rate} {group}");
    };
    check(1_000, 1, 9_999);
    check(100_000, 1, 99);
    check(3, 1, 3_333_000);
    check(1_000, 50, 9_999);
}

#[test]
fn a_group_is_shuffled_within_itself() {
    let plan = Plan { group: 100, ..Plan::backlog(1, 1_000, 1_000) };
    for first in (0..1_000).step_by(100) {
        let mut places: Vec<u64> = (first..first + 100).map(|n| plan.place(n)).collect();
        assert!(!places.is_sorted());
        places.sort();
        assert!(places.into_iter().eq(first..first + 100));
    }
}

#[test]
fn prices_are_spread_over_six_powers_of_ten() {
    let mut powers: BTreeMap<u32, u32> = BTreeMap::new();
    for fact in Plan::backlog(1, 10_000, 1_000).facts() {
        if let Fact::Bid(bid) = fact {
            assert!((100..=100_000_000).contains(&bid.price), "{}", bid.price);
            *powers.entry(bid.price.ilog10()).or_default() += 1;
        }
    }
    assert!((2..8).all(|power| 1_300 < powers[&power]), "{powers:?}");
}

#[test]
fn records_have_about_their_mean_size_and_are_read_as_what_was_written() {
    let plan = Plan::backlog(1, 5_000, 1_000);
    let (mut out, mut bytes) = (String::new(), [0; 3]);
    for n in 0..plan.events {
        assert_eq!(plan.write(n, &mut out), (n % 4) as u32);
        serde_json::from_str::<serde_json::Value>(&out).unwrap();
        let (fact, event) = (plan.fact(n), parse(&out));
        assert_eq!(event.time().map(|at| at.micros()), Some(fact.date_time() * 1_000));
        match fact {
            Fact::Person(person) => {
                bytes[0] += out.len();
                let read = event.person().unwrap();
                assert_eq!(read.id, Some(person.id));
                assert_eq!(read.name.as_deref(), Some(&*person.name));
            }
            Fact::Auction(auction) => {
                bytes[1] += out.len();
                let read = event.auction().unwrap();
                assert_eq!((read.id, read.seller), (Some(auction.id), Some(auction.seller)));
                let left = auction.expires - auction.date_time;
                assert!((1..=2 * 1_666).contains(&left), "{left}");
                assert!(auction.initial_bid < auction.reserve);
            }
            Fact::Bid(bid) => {
                bytes[2] += out.len();
                let read = event.bid().unwrap();
                let numbers = (read.auction, read.bidder, read.price);
                assert_eq!(numbers, (Some(bid.auction), Some(bid.bidder), Some(bid.price)));
                assert_eq!(read.extra.as_deref(), Some(&*bid.extra));
                assert!((54..=82).contains(&bid.extra.len()));
            }
        }
    }
    // With the names of the fields.
    let mean = [bytes[0] / 100, bytes[1] / 300, bytes[2] / 4_600];
    assert!((260..340).contains(&mean[0]), "{mean:?}");
    assert!((560..680).contains(&mean[1]), "{mean:?}");
    assert!((230..320).contains(&mean[2]), "{mean:?}");
}

#[test]
fn what_is_no_entity_has_no_event_time() {
    for json in ["{}", r#"{"bid":null}"#, r#"{"other":{"dateTime":1767225600000}}"#] {
        assert_eq!(parse(json).time(), None, "{json}");
    }
    let all = r#"{"person":null,"auction":null,"bid":{"dateTime":1767225600000,"price":7}}"#;
    assert_eq!(parse(all).bid().unwrap().price, Some(7));
    assert_eq!(parse(all).time(), Some(Time::from_seconds(1_767_225_600)));
}

#[test]
fn closing_events_come_after_all_windows_and_make_no_row() {
    let plan = Plan::backlog(1, 1_000, 100);
    let mut partitions = Vec::new();
    plan.closing(|partition, event| {
        partitions.push(partition);
        let event = parse(event);
        assert!(event.person().is_some());
        let after = event.time().unwrap().micros() - plan.planned_us(plan.events);
        assert_eq!(after, CLOSING_MS * 1_000);
        Ok(())
    })
    .unwrap();
    assert_eq!(partitions, [0, 1, 2, 3]);
    assert_eq!(plan.records(), 1_004);
}
