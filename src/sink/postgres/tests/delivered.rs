//! Epochs that are delivered: once, whoever tries again, and by nobody who is too old.

use super::*;
use crate::letter::Reject;
use crate::sink::Refusal;
use crate::sink::courier::{Courier, Delivered, Delivery, Route};

/// A table of epochs beside the one of a fixture, for one test.
struct Shop {
    fixture: Fixture,
    view: View,
}

fn route(generation: u64, restored: Option<u64>) -> Route {
    let (job, sink) = ("chat".into(), "counts".into());
    Route { job, sink, shard: 0, generation, life: 100, restored }
}

impl Shop {
    fn new(name: &str, view: View) -> Option<Shop> {
        let shop = Shop { fixture: Fixture::new(name)?, view };
        let made = shop.sink().create().unwrap();
        assert_eq!(made.len(), 2, "{made:?}");
        assert!(made[1].contains(&shop.epochs()), "{made:?}");
        shop.sink().check().unwrap();
        Some(shop)
    }

    fn epochs(&self) -> String {
        format!("{}_epochs", self.fixture.table)
    }

    fn sink(&self) -> Box<dyn Sink> {
        let options = options(&self.fixture.url, &self.fixture.table);
        let options = Options { epochs_table: self.epochs(), ..options };
        let mut sink = open(options, &self.view, &Common::default()).unwrap();
        sink.resume(None).unwrap();
        sink
    }

    fn courier(&self, route: Route) -> Box<dyn Courier> {
        self.sink().courier(route).unwrap().expect("it delivers")
    }

    fn words(&self) -> Vec<String> {
        let row = |row: &String| {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            format!("{} {}", row["word"].as_str().unwrap_or("NULL"), row["n"])
        };
        self.fixture.rows().iter().map(row).collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.fixture.sql(&format!("DROP TABLE IF EXISTS {}", self.epochs()));
    }
}

fn finals<const N: usize>(rows: [(&str, i32); N]) -> Rows {
    batch(rows.map(|(word, n)| (Change::Final, count(word, n))))
}

fn deliver(courier: &mut dyn Courier, epoch: u64, rows: &Rows) -> Result<Vec<Refusal>> {
    courier.deliver(&Delivery { first: epoch, last: epoch, rows, settled: None })
}

fn last(epoch: u64) -> Delivered {
    Delivered { last: Some(epoch), refused: vec![] }
}

/// Without a key nothing but the number of the epoch keeps a row from being there twice.
fn keyless() -> View {
    View { key: vec![], ..counts() }
}

#[test]
fn an_epoch_that_is_delivered_again_is_there_once() {
    let Some(test) = Shop::new("twice", keyless()) else { return };
    let mut courier = test.courier(route(200, None));
    assert_eq!(courier.begin(), Ok(Delivered::default()));
    // As after an acknowledgement that was lost.
    for _ in 0..2 {
        assert_eq!(deliver(&mut *courier, 3, &finals([("a", 1), ("b", 2)])), Ok(vec![]));
    }
    assert_eq!(deliver(&mut *courier, 4, &finals([("a", 1)])), Ok(vec![]));
    assert_eq!(test.words(), ["a 1", "a 1", "b 2"]);

    let mut next = test.courier(route(201, Some(4)));
    assert_eq!(next.begin(), Ok(last(4)));
    assert_eq!(deliver(&mut *next, 5, &finals([("c", 3)])), Ok(vec![]));
    assert_eq!(test.words(), ["a 1", "a 1", "b 2", "c 3"]);
}

#[test]
fn an_older_attempt_delivers_nothing_any_more() {
    let Some(test) = Shop::new("zombie", keyless()) else { return };
    let mut old = test.courier(route(200, None));
    // One that this attempt has and the next one has not.
    let mut shard = test.courier(Route { shard: 3, ..route(200, None) });
    old.begin().unwrap();
    shard.begin().unwrap();
    let mut new = test.courier(route(201, None));
    new.begin().unwrap();
    for courier in [&mut old, &mut shard] {
        let error = deliver(&mut **courier, 3, &finals([("a", 1)])).unwrap_err();
        assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Fenced, 75), "{error}");
        assert_eq!(courier.begin().unwrap_err().kind(), Kind::Fenced);
    }
    assert_eq!(deliver(&mut *new, 3, &finals([("b", 1)])), Ok(vec![]));
    assert_eq!(test.words(), ["b 1"]);
}

#[test]
fn a_job_that_starts_anew_does_not_mind_what_another_life_has_delivered() {
    let Some(test) = Shop::new("anew", keyless()) else { return };
    let mut courier = test.courier(route(200, None));
    courier.begin().unwrap();
    deliver(&mut *courier, 30, &finals([("a", 1)])).unwrap();
    let mut courier = test.courier(Route { life: 201, ..route(201, None) });
    assert_eq!(courier.begin(), Ok(Delivered::default()));
    deliver(&mut *courier, 3, &finals([("a", 2)])).unwrap();
    assert_eq!(test.words(), ["a 1", "a 2"]);
}

#[test]
fn a_job_that_goes_further_back_delivers_again_with_a_key_and_refuses_without() {
    let check = |name: &str, view: View| {
        let test = Shop::new(name, view)?;
        let mut courier = test.courier(route(200, None));
        courier.begin().unwrap();
        deliver(&mut *courier, 7, &finals([("a", 1)])).unwrap();
        let mut courier = test.courier(route(201, Some(5)));
        Some((courier.begin(), courier, test))
    };
    let Some((begun, mut courier, test)) = check("back_keyed", counts()) else { return };
    assert_eq!(begun, Ok(last(5)));
    deliver(&mut *courier, 6, &finals([("a", 1), ("b", 1)])).unwrap();
    assert_eq!(test.words(), ["a 1", "b 1"]);

    let Some((begun, ..)) = check("back_keyless", keyless()) else { return };
    let error = begun.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("epoch 7, the checkpoint is that of 5"), "{error}");
    assert!(error.has_hint());
}

#[test]
fn rows_that_were_refused_are_told_again_until_a_checkpoint_has_their_letters() {
    let Some(test) = Shop::new("refused", keyless()) else { return };
    test.fixture.sql(&format!("ALTER TABLE {} ADD CHECK (n < 10)", test.fixture.table)).unwrap();
    let mut courier = test.courier(route(200, None));
    courier.begin().unwrap();
    let rows = |refusals: Result<Vec<Refusal>>| {
        let refusals = refusals.unwrap();
        refusals.iter().map(|refusal| refusal.row).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let refused = deliver(&mut *courier, 3, &finals([("a", 1), ("b", 10), ("c", 2)]));
        assert_eq!(rows(refused), [1]);
    }
    assert_eq!(rows(deliver(&mut *courier, 4, &finals([("d", 11)]))), [0]);
    let refused = |begun: Result<Delivered>| {
        let refused = begun.unwrap().refused;
        refused.iter().map(|(first, refusal)| (*first, refusal.row)).collect::<Vec<_>>()
    };
    let mut next = test.courier(route(201, Some(4)));
    assert_eq!(refused(next.begin()), [(3, 1), (4, 0)]);
    let delivery = Delivery { first: 5, last: 6, rows: &finals([("e", 12)]), settled: Some(3) };
    assert_eq!(rows(next.deliver(&delivery)), [0]);
    let mut next = test.courier(route(202, Some(6)));
    assert_eq!(refused(next.begin()), [(4, 0), (5, 0)]);
    assert_eq!(test.words(), ["a 1", "c 2"]);
}

#[test]
fn a_row_without_a_key_is_refused_and_the_others_are_delivered() {
    let Some(test) = Shop::new("null_key", counts()) else { return };
    let mut courier = test.courier(route(200, None));
    courier.begin().unwrap();
    let rows = batch([(Change::Final, [Cell::Null, Cell::I32(1)]), (Change::Final, count("a", 1))]);
    let reject = |refusals: Vec<Refusal>| refusals[0].reject.clone();
    let Reject { reason, .. } = reject(deliver(&mut *courier, 1, &rows).unwrap());
    assert_eq!(reason, Reason::NullKey);
    assert_eq!(test.words(), ["a 1"]);
}

#[test]
fn updates_that_never_go_again_are_written_at_once() {
    let options = options("postgresql://u@127.0.0.1:1/x", "t");
    let check = |view: &View, updates: bool, takes_back: bool, expect: Guarantee| {
        let common = Common { updates, takes_back, ..Common::default() };
        let mut sink = open(options.clone(), view, &common).unwrap();
        sink.resume(None).unwrap();
        assert_eq!(sink.guarantee(), expect);
        let delivers = sink.courier(route(1, None)).unwrap().is_some();
        assert_eq!(delivers, expect == Guarantee::ExactlyOnce);
    };
    check(&counts(), false, false, Guarantee::ExactlyOnce);
    check(&counts(), true, true, Guarantee::ExactlyOnce);
    check(&counts(), true, false, Guarantee::Idempotent);
    check(&keyless(), false, false, Guarantee::ExactlyOnce);
    let sink = open(options.clone(), &keyless(), &Common::default()).unwrap();
    assert_eq!(sink.guarantee(), Guarantee::AtLeastOnce, "without checkpoints");
}

#[test]
fn a_table_of_epochs_that_is_missing_is_said_at_the_start() {
    let Some(fixture) = Fixture::new("no_epochs") else { return };
    drop(fixture.writer(&counts()));
    let options = options(&fixture.url, &fixture.table);
    let options = Options { epochs_table: format!("{}_epochs", fixture.table), ..options };
    let mut sink = open(options, &counts(), &Common::default()).unwrap();
    sink.check().unwrap();
    sink.resume(None).unwrap();
    let error = sink.check().unwrap_err();
    assert!(error.message().contains("_epochs`, which tells of epochs"), "{error}");
    assert!(error.to_string().contains("check --create"), "{error}");
}
