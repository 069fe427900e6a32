//! Each query on one and two workers against the rows that one thread computes.

use highwater_bench::workloads::nexmark::answers::answer;
use highwater_bench::workloads::nexmark::query::{Line, Query};
use highwater_bench::workloads::nexmark::{Bid, Fact, PARTITIONS, Plan};

use crate::tests::{PACES, run};

/// The columns that tell rows apart, as the job files say.
const KEYS: [(Query, &[&str]); 2] = [
    (Query::Q5, &["start", "auction", "window_end"]),
    (Query::Q7, &["start", "auction", "bidder", "price", "dateTime", "number", "window_end"]),
];

fn check(query: Query, facts: &[Fact]) {
    let mut partitions = vec![Vec::new(); PARTITIONS as usize];
    for (n, fact) in facts.iter().enumerate() {
        let mut out = String::new();
        fact.write(&mut out);
        partitions[n % PARTITIONS as usize].push(out);
    }
    let key = KEYS.iter().find(|(of, _)| *of == query).map_or(&[][..], |(_, key)| *key);
    let expect = answer(query, facts.iter().cloned());
    for pace in PACES {
        let ran = run(query.name(), "nexmark", &[("rows", key)], &partitions, pace);
        let read = |row: String| query.read(row.as_bytes()).unwrap();
        let mut lines: Vec<Line> = ran.rows("rows").into_iter().map(read).collect();
        lines.sort();
        let different = lines.iter().zip(&expect).find(|(found, expect)| found != expect);
        assert_eq!(different, None, "{query} {pace:?}");
        assert_eq!(lines.len(), expect.len(), "{query} {pace:?}");
    }
}

#[test]
fn all_queries_make_the_rows_that_one_thread_makes() {
    let plan = Plan::backlog(1, 20_000, 200);
    let facts: Vec<Fact> = plan.facts().collect();
    Query::ALL.into_iter().for_each(|query| check(query, &facts));
}

#[test]
fn disorder_within_the_delay_changes_no_row() {
    // 400 events are 2 s.
    let plan = Plan { group: 400, ..Plan::backlog(2, 20_000, 200) };
    let facts: Vec<Fact> = plan.facts().collect();
    [Query::Q5, Query::Q7, Query::Q8, Query::Q11]
        .into_iter()
        .for_each(|query| check(query, &facts));
}

#[test]
fn equal_bids_and_bids_at_the_end_of_a_window_are_all_there() {
    let bid = |date_time: i64, auction: i64, price: i64| {
        let (channel, url, extra) = Default::default();
        let date_time = 1_767_225_600_000 + date_time;
        Fact::Bid(Bid { auction, bidder: 7, price, channel, url, date_time, extra })
    };
    let facts = [
        bid(1, 1, 50),
        bid(2, 2, 40),
        // The same bid twice, and at the end of the window, twice.
        bid(1, 1, 50),
        bid(10_000, 3, 50),
        bid(10_000, 3, 50),
        bid(10_000, 3, 49),
        bid(10_001, 65, 51),
        bid(10_002, 1, 51),
        // A window that no other follows, and one that none precedes.
        bid(20_000, 1, 1),
        bid(60_000, 1, 1),
        bid(60_000, 2, 51),
    ];
    check(Query::Q7, &facts);
    check(Query::Q5, &facts);
    check(Query::Q11, &facts);
}
