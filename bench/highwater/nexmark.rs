//! Queries of NEXMark.
//!
//! ```text
//! bids ─┬─► q0, q1, q2                              rows of events
//!       ├─► by bidder, session ─► q11
//!       ├─► by shard, hopping ─► the shard's most ─► kept ─► by window: the most of all ─► q5
//!       └─► tumbling ─► the highest, the opening ─► kept ─┬─► its own rows ──────────────┬─► q7
//! people, auctions ─► by id, tumbling ─► joined ─► q8     └─► joined with the next one ──┘
//! ```
//!
//! q5 and q7 ask for something of all rows of a window. A window over windows does not exist, so
//! the second stage is a view. Little enters it: what cannot be the most of all stays behind.

use highwater::prelude::*;
use highwater_bench::workloads::nexmark::event::{Bid, Event};

use crate::start_ms;

mod tally;

use tally::{Found, Highest, Offer, Tally};

/// How long to wait for an event that is out of order.
const DELAY: Duration = seconds(4);

const SIZE: Duration = seconds(10);
const HOP: Duration = seconds(2);
const GAP: Duration = seconds(10);

/// How long rows of a window are kept for the second stage; what is late comes earlier.
const KEEP: Duration = minutes(1);

/// Auctions are counted in so many shards, so that all workers count, and each shard hands on no
/// more than its most.
const SHARDS: i64 = 64;

fn events<const EXTRA: bool>(flow: &Flow) -> Stream<Event<EXTRA>> {
    flow.source("nexmark", DELAY, Event::time)
}

fn bids(flow: &Flow) -> Stream<Bid> {
    events::<false>(flow).filter_map(|event| event.bid().cloned())
}

fn ms(at: Option<Time>) -> Option<i64> {
    at.map(|at| at.micros() / 1_000)
}

/// Bids as they are.
pub(crate) fn q0(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Passed {
        auction: Option<i64>,
        bidder: Option<i64>,
        price: Option<i64>,
        #[row(rename = "dateTime")]
        date_time: Option<i64>,
        extra: Option<Text>,
    }
    let pass = |bid: &Bid<true>| {
        let Bid { auction, bidder, price, at, ref extra } = *bid;
        Passed { auction, bidder, price, date_time: ms(at), extra: extra.clone() }
    };
    events::<true>(flow).filter_map(move |event| event.bid().map(pass)).sink("rows");
    Ok(())
}

/// Bids with their prices in another currency, to a thousandth.
pub(crate) fn q1(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Converted {
        auction: Option<i64>,
        bidder: Option<i64>,
        price: Option<Json>,
        #[row(rename = "dateTime")]
        date_time: Option<i64>,
        extra: Option<Text>,
    }
    let convert = |price: i64| {
        let thousandths = u128::from(price.unsigned_abs()) * 908;
        let sign = if price < 0 { "-" } else { "" };
        Json(format!("{sign}{}.{:03}", thousandths / 1_000, thousandths % 1_000))
    };
    let pass = move |bid: &Bid<true>| {
        let Bid { auction, bidder, price, at, ref extra } = *bid;
        let (price, date_time) = (price.map(convert), ms(at));
        Converted { auction, bidder, price, date_time, extra: extra.clone() }
    };
    events::<true>(flow).filter_map(move |event| event.bid().map(pass)).sink("rows");
    Ok(())
}

/// Bids on one auction in 123.
pub(crate) fn q2(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Found {
        auction: Option<i64>,
        price: Option<i64>,
    }
    events::<false>(flow)
        .filter_map(|event| {
            let Bid { auction, price, .. } = *event.bid()?;
            (auction? % 123 == 0).then_some(Found { auction, price })
        })
        .sink("rows");
    Ok(())
}

/// The auctions with the most bids of each window; all of them, if they are equal.
pub(crate) fn q5(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Serialize, Deserialize, Row)]
    struct Hot {
        start: i64,
        auction: Option<i64>,
        bids: i64,
        window_end: Time,
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Most {
        window: Window,
        bids: i64,
        auctions: Vec<Option<i64>>,
    }
    bids(flow)
        .key_by(|bid| bid.auction.map_or(0, |auction| auction.rem_euclid(SHARDS)))
        .window(Sliding::new(SIZE, HOP))
        .accumulate(|bid| Tally::of(bid.auction))
        .rows(|_, window, tally| {
            let (bids, auctions) = tally.most();
            Most { window, bids, auctions }
        })
        .keep(KEEP)
        .arrange_by(|shard| shard.window)
        .reduce(|_, shards| {
            let bids = shards.iter().map(|shard| shard.bids).max()?;
            let hottest = shards.into_iter().filter(|shard| shard.bids == bids);
            Some(hottest.collect::<Vec<Most>>())
        })
        .flat_map(|hottest| {
            hottest.into_iter().flat_map(|Most { window, bids, auctions }| {
                auctions.into_iter().map(move |auction| Hot {
                    start: start_ms(window),
                    auction,
                    bids,
                    window_end: window.end,
                })
            })
        })
        .sink("rows");
    Ok(())
}

/// A highest bid; several may be equal in all else, so each has a number.
#[derive(Clone, Serialize, Deserialize, Row)]
struct HighestBid {
    start: i64,
    auction: Option<i64>,
    bidder: Option<i64>,
    price: i64,
    #[row(rename = "dateTime")]
    date_time: i64,
    number: i64,
    window_end: Time,
}

/// What was found in a window.
#[derive(Clone, Serialize, Deserialize)]
struct Peak {
    window: Window,
    found: Found,
}

/// The bids with the highest price of each window, all of them; one that stands exactly at the end
/// of a window counts too.
pub(crate) fn q7(flow: &Flow, _: &mut Parameters) -> Result<()> {
    let peaks = bids(flow)
        .window(Tumbling::new(SIZE))
        .accumulate_with(|bid, stamp| Highest::of(bid, stamp.time, SIZE))
        .filter_map(Highest::found)
        .rows(|(), window, found| Peak { window, found })
        .keep(KEEP);
    let own = peaks.flat_map(|peak| peak.rows(&peak.found.highest));
    let (ends, starts) =
        (peaks.arrange_by(|peak| peak.window.end), peaks.arrange_by(|peak| peak.window.start));
    let at_end = ends.join(&starts, |peak, next| {
        let opening = next.found.opening.into_iter();
        let equal = opening.filter(|(price, _)| *price == peak.found.price);
        peak.rows(&equal.map(|(_, offer)| offer).collect::<Vec<_>>())
    });
    own.concat(&at_end.flat_map(|rows| rows)).sink("rows");
    Ok(())
}

impl Peak {
    fn rows(&self, offers: &[Offer]) -> Vec<HighestBid> {
        let row = |(number, offer): (i64, &Offer)| HighestBid {
            start: start_ms(self.window),
            auction: offer.auction,
            bidder: offer.bidder,
            price: self.found.price,
            date_time: offer.at_ms,
            number,
            window_end: self.window.end,
        };
        (0..).zip(offers).map(row).collect()
    }
}

/// Who came and opened an auction in the same window.
pub(crate) fn q8(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Seller {
        id: Option<i64>,
        name: Max<Text>,
        start: i64,
    }
    let events = events::<false>(flow);
    let people = events
        .filter_map(|event| event.person().cloned())
        .key_by(|person| person.id)
        .window(Tumbling::new(SIZE))
        // An id has one name.
        .accumulate(|person| Max::of(person.name.clone()));
    let sellers = events
        .filter_map(|event| event.auction().cloned())
        .key_by(|auction| auction.seller)
        .window(Tumbling::new(SIZE))
        .accumulate(|_| Count::one());
    people
        .join(sellers, |id, window, name, _| Seller { id, name, start: start_ms(window) })
        .sink("rows");
    Ok(())
}

/// Bids of each bidder without a silence longer than the gap.
pub(crate) fn q11(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Active {
        bidder: Option<i64>,
        bids: Count,
        start: i64,
    }
    bids(flow)
        .key_by(|bid| bid.bidder)
        .window(Session::new(GAP))
        .accumulate(|_| Count::one())
        .rows(|bidder, window, bids| Active { bidder, bids, start: start_ms(window) })
        .sink("rows");
    Ok(())
}

#[cfg(test)]
mod tests;
