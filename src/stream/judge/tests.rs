//! Judging: the class of each event, what moves the watermark, what letters say.

use super::super::tests::letter;
use super::*;
use crate::lateness::Lateness;
use crate::row::Position;
use crate::time::{minutes, seconds};
use crate::window::{Session, Tumbling, Windows};

/// A source of one partition with a lateness of ten seconds.
struct Source {
    judge: Judge,
    partition: PartitionState,
    out: Outbox,
    options: SourceOptions,
    reaches: Vec<Reach>,
    strict: bool,
}

impl Source {
    fn new(reaches: Vec<Reach>) -> Source {
        let partition = PartitionState::new(3, seconds(10));
        let (judge, out, options) = Default::default();
        Source { judge, partition, out, options, reaches, strict: false }
    }

    /// Read by windows of a minute.
    fn minutes() -> Source {
        Source::new(vec![Reach::of(Tumbling::new(minutes(1)).into(), seconds(10).into())])
    }

    /// Judges a batch of (event time, record time) and returns the accepted events.
    fn judge(&mut self, times: &[(Option<Time>, Option<i64>)]) -> Vec<u32> {
        let mut batch = Batch::default();
        let first = self.partition.next_offset.unwrap_or(0);
        for (index, (_, record)) in times.iter().enumerate() {
            batch.push(first + index as i64, record.map(Time::from_seconds), None, Some(b"{}"));
        }
        let records: Vec<u32> = (0..times.len() as u32).collect();
        let elements = vec![0; times.len()];
        let (source, partition) = (1, self.partition.id);
        let (batch, records, elements) = (&batch, &records[..], &elements[..]);
        let places = Places { source, partition, batch, elements, records };
        let mut case = Case {
            name: &"s".into(),
            strict: self.strict,
            dedup: true,
            reaches: &self.reaches,
            options: &self.options,
            places,
        };
        let (mut plain, mut partition) = (Judge::default(), self.partition.clone());
        let mut out = Outbox::default();
        self.judge.begin();
        self.judge.times.extend(times.iter().map(|(time, _)| *time));
        plain.times.clone_from(&self.judge.times);
        let before = self.out.letters.len();
        self.judge.run(&case, &mut self.partition, &mut self.out);

        // The way of plain events, which a dedup does not take, comes to the same.
        case.dedup = false;
        plain.run(&case, &mut partition, &mut out);
        let all: Vec<u32> = (0..times.len() as u32).collect();
        assert_eq!(if plain.all { &all } else { &plain.kept }, &self.judge.kept);
        assert_eq!((&plain.times, &plain.behind), (&self.judge.times, &self.judge.behind));
        assert_eq!(partition.watermark, self.partition.watermark);
        assert_eq!(partition.ledger, self.partition.ledger);
        let letters = |letters: &[_]| letters.iter().map(letter).collect::<Vec<_>>();
        assert_eq!(letters(&out.letters), letters(&self.out.letters[before..]));
        self.partition.next_offset = Some(batch.next_offset);
        assert_eq!(self.judge.kept.len(), self.judge.watermarks.len());
        self.judge.kept.clone()
    }

    /// Judges events with a time in seconds and no record time.
    fn seconds(&mut self, times: &[i64]) -> Vec<u32> {
        let times: Vec<_> = times.iter().map(|s| (Some(Time::from_seconds(*s)), None)).collect();
        self.judge(&times)
    }

    fn letters(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.letters).iter().map(letter).collect()
    }
}

#[test]
fn an_event_is_judged_before_it_moves_the_watermark() {
    let mut source = Source::minutes();
    assert_eq!(source.seconds(&[100, 500, 30, 500]), [0, 1, 3]);
    assert_eq!(source.partition.watermark.get(), Millis(490_000));
    assert_eq!(source.judge.watermarks, [90, 490, 490].map(|s: i64| Millis(s * 1_000)));
    assert_eq!(
        source.letters(),
        ["2 late: the last of its windows was over at 1970-01-01T00:01:00.000000Z"]
    );
    assert_eq!(source.partition.ledger.late, 1);
}

#[test]
fn a_window_takes_an_event_behind_the_watermark_until_its_end() {
    let check = |greatest, kept: &[u32]| {
        let mut source = Source::minutes();
        assert_eq!(source.seconds(&[greatest, 30]), kept, "greatest time {greatest} s");
        let behind = Behind { watermark: Millis((greatest - 10) * 1_000), strict: false };
        let expect = if kept.len() == 2 { vec![(1, behind)] } else { vec![] };
        assert_eq!(source.judge.behind, expect);
    };
    check(69, &[0, 1]);
    check(70, &[0]);
}

#[test]
fn windows_by_a_time_of_their_own_know_the_watermark_before_each_event() {
    let minutes = Reach::of(Tumbling::new(minutes(1)).into(), seconds(10).into());
    let mut source = Source::new(vec![minutes, Reach::Own]);
    assert_eq!(source.seconds(&[100, 500, 30, 495]), [0, 1, 3]);
    let before = [Millis::MIN, Millis(90_000), Millis(490_000), Millis(490_000)];
    assert_eq!(source.judge.before, before);
    let mut source = Source::minutes();
    source.seconds(&[100, 500]);
    assert!(source.judge.before.is_empty(), "nobody asks");
}

#[test]
fn an_event_at_the_watermark_is_not_behind() {
    let mut source = Source::minutes();
    assert_eq!(source.seconds(&[100, 90]), [0, 1]);
    assert!(source.judge.behind.is_empty());
}

#[test]
fn the_source_refuses_only_what_no_view_can_take() {
    let late = "1 late: it lies behind the watermark of its partition";
    let check = |reaches: Vec<Reach>, expect: &[&str]| {
        let mut source = Source::new(reaches);
        source.seconds(&[1_000, 1]);
        assert_eq!(source.letters(), expect);
    };
    let session = Windows::from(Session::new(minutes(1)));
    let strict = Reach::of(session, Lateness::Window(seconds(10)));
    check(vec![strict], &[late]);
    check(vec![strict, Reach::Always], &[]);
    let short = Reach::of(Tumbling::new(minutes(1)).into(), seconds(10).into());
    let long = Reach::of(Tumbling::new(minutes(10)).into(), seconds(10).into());
    let text = "1 late: the last of its windows was over at 1970-01-01T00:10:00.000000Z";
    check(vec![short, long, strict], &[text]);
}

#[test]
fn an_event_without_a_time_is_used_where_rows_of_nulls_are_shown() {
    let check = |reaches: Vec<Reach>, errors, kept: &[u32]| {
        let mut source = Source::new(reaches);
        source.options.codec.errors = errors;
        let times = [Some(Time::from_seconds(100)), None, Some(Time::from_seconds(91))];
        assert_eq!(source.judge(&times.map(|time| (time, None))), kept);
        assert_eq!(source.partition.watermark.get(), Millis(90_000));
        assert_eq!(source.partition.ledger.dead, 3 - kept.len() as u64);
    };
    let minutes = Reach::of(Tumbling::new(minutes(1)).into(), seconds(10).into());
    check(vec![minutes, Reach::Always], BadDocument::NullRow, &[0, 1, 2]);
    check(vec![minutes], BadDocument::NullRow, &[0, 2]);
    check(vec![minutes, Reach::Always], BadDocument::DeadLetter, &[0, 2]);
}

#[test]
fn an_event_without_a_legal_time_is_dead_and_moves_nothing() {
    let mut source = Source::minutes();
    let beyond = Time::from_micros(Time::MAX.micros() + 1);
    let before = Time::from_micros(Time::MIN.micros() - 1);
    let times = [None, Some(beyond), Some(before), Some(Time::MIN)].map(|time| (time, None));
    assert_eq!(source.judge(&times), [3]);
    assert_eq!(
        source.letters(),
        [
            "0 no_event_time: it has no event time, or none that can be read",
            "1 no_event_time: its event time lies outside the years 1 to 9999",
            "2 no_event_time: its event time lies outside the years 1 to 9999",
        ]
    );
    assert_eq!(source.partition.watermark.greatest(), Some(Time::MIN));
    assert_eq!(source.partition.ledger.dead, 3);
}

#[test]
fn the_time_of_a_record_stands_in_only_where_the_binding_says_so() {
    let mut source = Source::minutes();
    assert_eq!(source.judge(&[(None, Some(100))]), [0; 0]);
    source.options.record_time_as_event_time = true;
    assert_eq!(source.judge(&[(None, Some(100))]), [0]);
    assert_eq!(source.judge.times.get(0), Some(Time::from_seconds(100)));
}

#[test]
fn an_event_far_ahead_of_its_own_record_is_from_the_future() {
    let mut source = Source::minutes();
    source.options.future_skew = Some(seconds(5));
    let at = |micros| Some(Time::from_micros(micros));
    let times = [(at(105_000_000), Some(100)), (at(105_000_001), Some(100)), (at(1 << 60), None)];
    assert_eq!(source.judge(&times[..2]), [0]);
    assert_eq!(
        source.letters(),
        ["1 future: its event time 1970-01-01T00:01:45.000001Z is more than 5s ahead of \
          1970-01-01T00:01:40.000000Z"]
    );
    assert_eq!(source.partition.watermark.greatest(), at(105_000_000));
    source.options.future_skew = None;
    assert_eq!(source.judge(&times[1..2]), [0]);
}

#[test]
fn dead_comes_before_late() {
    let mut source = Source::minutes();
    source.seconds(&[1_000]);
    source.options.future_skew = Some(seconds(5));
    // Behind the watermark, and ahead of its record.
    assert!(source.judge(&[(Some(Time::from_seconds(50)), Some(10))]).is_empty());
    let ledger = source.partition.ledger;
    assert_eq!((ledger.dead, ledger.late), (1, 0));
    assert_eq!(source.out.letters[0].reason, Reason::Future);
}

#[test]
fn a_letter_names_record_event_and_watermark() {
    let mut source = Source::minutes();
    source.judge(&[(Some(Time::from_seconds(500)), None), (Some(Time::from_seconds(1)), Some(7))]);
    let letter = source.out.letters.pop().unwrap();
    assert_eq!(letter.source, "s");
    let Position { source, partition, offset, element } = letter.position;
    assert_eq!((source, partition, offset, element), (1, 3, 1, 0));
    assert_eq!(letter.event_time, Some(Time::from_seconds(1)));
    assert_eq!(letter.record_time, Some(Time::from_seconds(7)));
    assert_eq!(letter.watermark, Some(Millis(490_000)));
    assert_eq!(letter.value.as_deref(), Some(&b"{}"[..]));
    assert_eq!(letter.place, None);
}

#[test]
fn offsets_that_carried_no_record_are_gaps_where_offsets_are_dense() {
    let mut partition = PartitionState::new(0, seconds(0));
    let mut batch = Batch::default();
    for offset in [5, 6, 9] {
        batch.push(offset, None, None, None);
    }
    batch.next_offset = 12;
    count_gaps(&batch, &mut partition);
    assert_eq!(partition.ledger.gaps, 4, "nothing is missing before the first record");
    partition.next_offset = Some(3);
    count_gaps(&batch, &mut partition);
    assert_eq!(partition.ledger.gaps, 4 + 6);
}
