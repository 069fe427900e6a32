//! Every sink in the list against what it promises: it is killed between every two calls of its
//! interface, begins again from what the last checkpoint holds, and each row has to be visible as
//! `guarantee()` says.
//!
//! ```text
//! attempt c:  resume ─► check ─► open ─► write ─► write ─► epoch ─► stage ─► publish ─► write …
//!             resume ─► check ─► courier ─► begin ─► stage ─► publish ─► deliver ─► stage …
//!                 killed before call c: nothing is dropped, as by a process that is killed
//! attempt c + 1 begins where the last published checkpoint was
//! ```

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{ManuallyDrop, forget};
use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::checkpoint::SinkReceipt;
use highwater::error::{Kind, Result};
use highwater::row::{Cell, Change, Column, Mark, Origin, Position, Rows, Schema, Type};
use highwater::sink::courier::{Courier, Delivery, Route};
use highwater::sink::{Guarantee, Shard, Sink, View, Writer};
use highwater::time::seconds;

use cases::Case;

/// Rows of an epoch: two batches of two.
const ROWS: i64 = 4;

/// How long a server may take to come to terms with a client that was killed.
const PATIENCE: Duration = seconds(60);

/// What outlives an attempt: its last checkpoint.
#[derive(Default)]
struct Kept {
    /// Whether an attempt has begun.
    begun: bool,
    generation: u64,
    epoch: Option<u64>,
    receipts: Vec<SinkReceipt>,
    /// Rows that are to be delivered, by epoch.
    outbox: BTreeMap<u64, Rows>,
}

/// The calls that are left until the attempt is killed.
struct Calls(usize);

impl Calls {
    /// `None` if the process is dead.
    fn next(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }
}

/// The view: a number and a word that follows from it.
fn view(key: &[&str]) -> View {
    let column = |name: &str, kind| Column { name: name.into(), kind, nullable: false };
    let columns = vec![column("n", Type::I64), column("word", Type::Text)];
    let key = key.iter().map(|name| (*name).to_owned()).collect();
    View { name: "numbers".into(), schema: Arc::new(Schema { columns }), key, stamp: None }
}

fn word(n: i64) -> String {
    format!("w{}", n * 7)
}

fn numbers(epoch: u64) -> std::ops::Range<i64> {
    epoch as i64 * ROWS..(epoch as i64 + 1) * ROWS
}

fn rows(numbers: std::ops::Range<i64>, change: Change) -> Rows {
    let mut rows = Rows::default();
    for n in numbers {
        let origin = Origin::Record(Position { offset: n, ..Position::default() });
        rows.push(Mark { change, origin }, [Cell::I64(n), Cell::Text(word(n).as_str().into())]);
    }
    rows
}

/// Calls again while the service is away, as the queue of a sink does.
fn patiently<T>(mut call: impl FnMut() -> Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Ok(done) => return done,
            Err(error) if error.kind() == Kind::Unreachable && Instant::now() < deadline => {}
            Err(error) => panic!("{error}"),
        }
    }
}

impl Kept {
    /// One attempt to run the job, killed before a call; it ends behind its last epoch, if it gets
    /// so far. Says what the sink promised, if it was asked.
    fn attempt(&mut self, case: &Case, calls: usize, last: Option<u64>) -> Option<Guarantee> {
        let mut sink = case.sink();
        let (mut calls, mut promised) = (Calls(calls), None);
        let ended = self.run(case, &mut *sink, &mut calls, last, &mut promised);
        if ended.is_none() {
            forget(sink);
        }
        assert_eq!(ended.is_some(), last.is_some(), "{}: the attempt was too short", case.name);
        promised
    }

    fn run(
        &mut self,
        case: &Case,
        sink: &mut dyn Sink,
        calls: &mut Calls,
        last: Option<u64>,
        promised: &mut Option<Guarantee>,
    ) -> Option<()> {
        calls.next()?;
        let receipts = self.begun.then_some(&self.receipts[..]);
        sink.resume(receipts).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        *promised = Some(sink.guarantee());
        calls.next()?;
        patiently(|| sink.check());
        self.begun = true;
        self.generation += 1;
        calls.next()?;
        let route = Route {
            job: case.job.clone(),
            sink: "numbers".into(),
            shard: 0,
            generation: self.generation,
            life: 1,
            restored: self.epoch,
        };
        // Nothing of what a killed process holds is dropped, so nothing of it says goodbye.
        match patiently(|| sink.courier(route.clone())) {
            Some(courier) => {
                let mut courier = ManuallyDrop::new(courier);
                self.deliver(&mut **courier, calls, last)?;
                drop(ManuallyDrop::into_inner(courier));
            }
            None => {
                let writer = patiently(|| sink.open(Shard { index: 0, count: 1 }));
                let mut writer = ManuallyDrop::new(writer);
                self.write(case, &mut **writer, calls, last)?;
                drop(ManuallyDrop::into_inner(writer));
            }
        }
        Some(())
    }

    fn next_epoch(&self) -> u64 {
        self.epoch.map_or(0, |epoch| epoch + 1)
    }

    /// As the queue calls a writer, in a job with checkpoints.
    fn write(
        &mut self,
        case: &Case,
        writer: &mut dyn Writer,
        calls: &mut Calls,
        last: Option<u64>,
    ) -> Option<()> {
        for epoch in self.next_epoch().. {
            let all = numbers(epoch);
            let half = all.start + ROWS / 2;
            let mut on_the_way = 0;
            for some in [all.start..half, half..all.end] {
                calls.next()?;
                let refused = patiently(|| writer.write(&rows(some.clone(), case.change)));
                assert_eq!(refused, []);
                on_the_way += usize::from(writer.answers_later().is_some());
            }
            calls.next()?;
            patiently(|| writer.epoch(epoch));
            while 0 < on_the_way {
                calls.next()?;
                let until = Instant::now() + seconds(1);
                if let Some(refused) = patiently(|| writer.answer(until)) {
                    assert_eq!(refused, []);
                    on_the_way -= 1;
                }
            }
            if writer.held_until().is_some() {
                calls.next()?;
                patiently(|| writer.flush());
            }
            calls.next()?;
            let receipt = patiently(|| writer.stage(epoch));
            calls.next()?;
            self.receipts = vec![SinkReceipt { shard: 0, receipt }];
            self.epoch = Some(epoch);
            if last == Some(epoch) {
                break;
            }
        }
        calls.next()?;
        patiently(|| writer.finish());
        Some(())
    }

    /// As the queue calls a courier. Of every second delivery the acknowledgement is lost: it is
    /// made once more.
    fn deliver(
        &mut self,
        courier: &mut dyn Courier,
        calls: &mut Calls,
        last: Option<u64>,
    ) -> Option<()> {
        let deliver = |courier: &mut dyn Courier, (first, last): (u64, u64), rows: &Rows| {
            let delivery = Delivery { first, last, rows, settled: None };
            assert_eq!(patiently(|| courier.deliver(&delivery)), []);
        };
        calls.next()?;
        let delivered = patiently(|| courier.begin()).last;
        assert!(delivered <= self.epoch, "{delivered:?} was delivered before its checkpoint");
        let open: Vec<_> = self.outbox.iter().filter(|(at, _)| delivered < Some(**at)).collect();
        if let (Some((first, _)), Some((last, _))) = (open.first(), open.last()) {
            calls.next()?;
            let mut all = Rows::default();
            open.iter().for_each(|(_, rows)| all.append((*rows).clone()));
            deliver(courier, (**first, **last), &all);
        }
        for epoch in self.next_epoch().. {
            calls.next()?;
            let rows = rows(numbers(epoch), Change::Final);
            self.outbox.insert(epoch, rows.clone());
            self.epoch = Some(epoch);
            for _ in 0..=epoch % 2 {
                calls.next()?;
                deliver(courier, (epoch, epoch), &rows);
            }
            if last == Some(epoch) {
                break;
            }
        }
        Some(())
    }
}

/// Kills the sink of a case before its first call, its second, …, and lets it end. Returns the
/// numbers that have to be visible, and what was promised.
fn kill_between_calls(case: &Case) -> (Vec<i64>, Guarantee) {
    let (mut kept, mut promised) = (Kept::default(), None);
    case.create();
    for calls in 0..=case.calls {
        let said = kept.attempt(case, calls, None);
        // A sink promises as much at a restart as at a first start.
        assert!(promised.is_none() || said == promised || said.is_none(), "{promised:?} {said:?}");
        promised = promised.or(said);
        if promised == Some(Guarantee::ExactlyOnce)
            && let Some(seen) = case.seen_early()
        {
            let published = kept.epoch.map_or(0, |epoch| numbers(epoch).end);
            let early: Vec<_> = seen.iter().filter(|n| published <= **n).collect();
            assert!(early.is_empty(), "{}: {early:?} before their checkpoint", case.name);
        }
    }
    let reached = kept.epoch.expect("some attempts were long enough for an epoch");
    assert!(3 <= reached, "{}: the attempts came as far as epoch {reached}", case.name);
    let said = kept.attempt(case, usize::MAX, Some(reached + 2));
    let all = (0..numbers(reached + 2).end).collect();
    (all, said.expect("it was asked"))
}

/// Whether the rows are visible as a sink promises.
fn check(case: &Case, expected: &[i64], promised: Guarantee, seen: Vec<(i64, String)>) {
    let name = case.name;
    let wrong: Vec<_> = seen.iter().filter(|(n, text)| *text != word(*n)).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?}");
    let mut numbers: Vec<i64> = seen.into_iter().map(|(n, _)| n).collect();
    numbers.sort_unstable();
    eprintln!("{name}: {promised}; {} rows, {} to be seen", numbers.len(), expected.len());
    let once: BTreeSet<i64> = numbers.iter().copied().collect();
    let once: Vec<i64> = once.into_iter().collect();
    assert_eq!(once, expected, "{name}: a row is missing, or should not be there");
    if promised == Guarantee::ExactlyOnce || case.keeps_one_by_key {
        assert_eq!(numbers, expected, "{name}: a row is there twice");
    }
}

#[test]
fn every_sink_keeps_its_promise_when_it_is_killed_between_any_two_calls() {
    // A case waits for its server most of the time.
    std::thread::scope(|scope| {
        for make in cases::ALL {
            scope.spawn(move || make().iter().for_each(keeps_its_promise));
        }
    });
}

fn keeps_its_promise(case: &Case) {
    let begun = Instant::now();
    let (expected, promised) = kill_between_calls(case);
    assert_eq!(promised, case.promises, "{}", case.name);
    if let Some(seen) = case.seen() {
        check(case, &expected, promised, seen);
    }
    eprintln!("{}: {:.1} s", case.name, begun.elapsed().as_secs_f64());
}

#[test]
fn every_connector_has_a_case_a_page_and_an_example() {
    use highwater::sink::kinds::SINKS;
    use highwater::source::kinds::SOURCES;

    let text = |path: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    let page = text("docs/guide/connectors.md");
    for sink in SINKS {
        assert!(cases::KINDS.contains(&sink.name), "sink `{}` has no case", sink.name);
        assert!(page.contains(&format!("| `{}` | sink |", sink.name)), "{}", sink.name);
        assert!(page.contains(&format!("\n{} = {{", sink.name)), "no example of `{}`", sink.name);
    }
    for source in SOURCES {
        assert!(page.contains(&format!("| `{}` | source |", source.name)), "{}", source.name);
        assert!(page.contains(&format!("\n{} = {{", source.name)), "{}", source.name);
    }
}
