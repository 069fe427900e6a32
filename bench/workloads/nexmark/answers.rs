//! The rows that each query must make, computed from the events by one thread, with sorted maps and
//! nothing of the engine.

use std::collections::{BTreeMap, BTreeSet};

use super::query::{Line, Query, Value};
use super::{Auction, Bid, Fact, Person};

/// Length of windows, how far apart hopping ones begin, and the silence that ends a session.
const SIZE_MS: i64 = 10_000;
const HOP_MS: i64 = 2_000;
const GAP_MS: i64 = 10_000;

/// All rows of a query, sorted; equal rows stand as often as they occur.
pub fn answer(query: Query, facts: impl IntoIterator<Item = Fact>) -> Vec<Line> {
    let facts = facts.into_iter();
    let mut lines = match query {
        Query::Q0 => bids(facts).map(|bid| bid_line(&bid, bid.price)).collect(),
        Query::Q1 => bids(facts).map(|bid| bid_line(&bid, bid.price * 908)).collect(),
        Query::Q2 => bids(facts)
            .filter(|bid| bid.auction % 123 == 0)
            .map(|bid| numbers([bid.auction, bid.price]))
            .collect(),
        Query::Q5 => hot_items(bids(facts)),
        Query::Q7 => highest_bids(&bids(facts).collect::<Vec<_>>()),
        Query::Q8 => new_sellers(facts),
        Query::Q11 => sessions(bids(facts)),
    };
    lines.sort();
    lines
}

fn bids(facts: impl Iterator<Item = Fact>) -> impl Iterator<Item = Bid> {
    facts.filter_map(|fact| match fact {
        Fact::Bid(bid) => Some(bid),
        _ => None,
    })
}

fn numbers<const N: usize>(values: [i64; N]) -> Line {
    values.map(Value::Int).into()
}

fn bid_line(bid: &Bid, price: i64) -> Line {
    let mut line = numbers([bid.auction, bid.bidder, price, bid.date_time]);
    line.push(bid.extra.clone().into());
    line
}

/// Where the window of a time begins.
fn start(at_ms: i64, slide_ms: i64) -> i64 {
    at_ms.div_euclid(slide_ms) * slide_ms
}

fn hot_items(bids: impl Iterator<Item = Bid>) -> Vec<Line> {
    let mut windows: BTreeMap<i64, BTreeMap<i64, i64>> = BTreeMap::new();
    for bid in bids {
        for back in 0..SIZE_MS / HOP_MS {
            let start = start(bid.date_time, HOP_MS) - back * HOP_MS;
            *windows.entry(start).or_default().entry(bid.auction).or_default() += 1;
        }
    }
    let mut lines = Vec::new();
    for (start, auctions) in windows {
        let most = auctions.values().copied().max().unwrap_or(0);
        let hottest = auctions.into_iter().filter(|(_, bids)| *bids == most);
        lines.extend(hottest.map(|(auction, bids)| numbers([start, auction, bids])));
    }
    lines
}

fn highest_bids(bids: &[Bid]) -> Vec<Line> {
    let mut highest: BTreeMap<i64, i64> = BTreeMap::new();
    for bid in bids {
        let price = highest.entry(start(bid.date_time, SIZE_MS)).or_insert(bid.price);
        *price = bid.price.max(*price);
    }
    let mut lines = Vec::new();
    for bid in bids {
        let own = start(bid.date_time, SIZE_MS);
        // Its own window, and the one before if the bid stands exactly at the end of it.
        let before = (own == bid.date_time).then_some(own - SIZE_MS);
        for start in [Some(own), before].into_iter().flatten() {
            if highest.get(&start) == Some(&bid.price) {
                lines.push(numbers([start, bid.auction, bid.bidder, bid.price, bid.date_time]));
            }
        }
    }
    lines
}

fn new_sellers(facts: impl Iterator<Item = Fact>) -> Vec<Line> {
    let (mut people, mut sellers) = (BTreeSet::new(), BTreeSet::new());
    for fact in facts {
        match fact {
            Fact::Person(Person { id, name, date_time, .. }) => {
                people.insert((start(date_time, SIZE_MS), id, name));
            }
            Fact::Auction(Auction { seller, date_time, .. }) => {
                sellers.insert((start(date_time, SIZE_MS), seller));
            }
            Fact::Bid(_) => {}
        }
    }
    let both = people.into_iter().filter(|(start, id, _)| sellers.contains(&(*start, *id)));
    both.map(|(start, id, name)| vec![id.into(), name.into(), start.into()]).collect()
}

fn sessions(bids: impl Iterator<Item = Bid>) -> Vec<Line> {
    let mut bidders: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for bid in bids {
        bidders.entry(bid.bidder).or_default().push(bid.date_time);
    }
    let mut lines = Vec::new();
    for (bidder, mut times) in bidders {
        times.sort();
        for session in times.chunk_by(|one, next| next - one <= GAP_MS) {
            lines.push(numbers([bidder, session.len() as i64, session[0]]));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::nexmark::Plan;

    fn bid(date_time: i64, auction: i64, price: i64) -> Fact {
        let (channel, url, extra) = Default::default();
        Fact::Bid(Bid { auction, bidder: 7, price, channel, url, date_time, extra })
    }

    fn check<const N: usize>(query: Query, facts: Vec<Fact>, expect: &[[i64; N]]) {
        let expect: Vec<Line> = expect.iter().map(|line| numbers(*line)).collect();
        assert_eq!(answer(query, facts), expect, "{query}");
    }

    #[test]
    fn a_bid_at_the_end_of_a_window_counts_in_both() {
        let facts = vec![bid(1, 1, 50), bid(2, 2, 40), bid(10_000, 3, 50), bid(10_001, 4, 50)];
        let expect = [
            [0, 1, 7, 50, 1],
            [0, 3, 7, 50, 10_000],
            [10_000, 3, 7, 50, 10_000],
            [10_000, 4, 7, 50, 10_001],
        ];
        check(Query::Q7, facts, &expect);
    }

    #[test]
    fn all_auctions_with_the_most_bids_are_hot() {
        let facts = vec![bid(9_000, 1, 0), bid(9_999, 2, 0), bid(10_000, 2, 0)];
        let expect = [
            [0, 1, 1],
            [0, 2, 1],
            [2_000, 2, 2],
            [4_000, 2, 2],
            [6_000, 2, 2],
            [8_000, 2, 2],
            [10_000, 2, 1],
        ];
        check(Query::Q5, facts, &expect);
    }

    #[test]
    fn a_silence_of_exactly_the_gap_ends_no_session() {
        let facts = vec![bid(10_000, 1, 0), bid(0, 1, 0), bid(20_001, 1, 0)];
        check(Query::Q11, facts, &[[7, 1, 20_001], [7, 2, 0]]);
    }

    #[test]
    fn each_query_has_rows() {
        let plan = Plan::backlog(1, 5_000, 200);
        for query in Query::ALL {
            let lines = answer(query, plan.facts());
            assert!(2 < lines.len(), "{query}: {lines:?}");
            let columns = query.columns().len();
            assert!(lines.iter().all(|line| line.len() == columns), "{query}");
        }
        assert_eq!(answer(Query::Q0, plan.facts()).len(), 4_600);
    }
}
