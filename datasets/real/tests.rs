//! That the real logs are as late, by line and by partition, as their cards say.

use std::time::Duration;

use super::*;
use highwater::lateness::{Reach, Watermark};
use highwater::time::{Millis, minutes, seconds};

/// How far ahead of its arrival a line may be.
const SKEW: u64 = 5;

/// Counts the lines that are late under the strict rule, of all that have a time and are not from
/// the future; the greatest distance behind the watermark is the second value.
fn late<'l>(lines: impl Iterator<Item = Line<'l>>, watermark: &mut Watermark) -> (u32, i64) {
    let (mut late, mut most) = (0, 0);
    for line in lines {
        let Some(time) = line.time.filter(|_| !is_future(&line)) else { continue };
        if !Reach::Strict.takes(time, watermark.get()) {
            late += 1;
            most = most.max(watermark.get().0 - time.floor_ms().0);
        }
        watermark.observe(time);
    }
    (late, most)
}

/// Counts the lines that are further behind the greatest time before them than a delay, in
/// microseconds.
fn behind(log: &Log, delay: Duration) -> usize {
    let mut greatest = Time::MIN;
    let times = log.iter().filter(|line| !is_future(line)).filter_map(|line| line.time);
    times
        .filter(|time| {
            let behind = *time < greatest.minus(delay);
            greatest = greatest.max(*time);
            behind
        })
        .count()
}

fn is_future(line: &Line) -> bool {
    match (line.time, line.arrival) {
        (Some(time), Some(arrival)) => arrival.plus(minutes(SKEW)) < time,
        _ => false,
    }
}

#[test]
fn the_zeek_logs_are_as_late_as_their_card_says() {
    let log = zeek(&folder()).unwrap();
    assert_eq!(log.iter().count(), 158_439);
    assert_eq!(log.iter().filter(|line| line.time.is_some()).count(), 157_927);
    assert_eq!(log.iter().filter(|line| line.time.is_none()).count(), 512);
    let future: Vec<Time> = log.iter().filter(is_future).filter_map(|line| line.time).collect();
    assert_eq!(
        future.iter().map(Time::to_string).collect::<Vec<_>>(),
        ["2024-04-12T19:29:12.827586Z"]
    );
    assert!(log.iter().map(|line| line.arrival).is_sorted());
    // The card judges by microseconds; a watermark is whole milliseconds, so that lines less than
    // one millisecond behind are on time.
    let check = |delay, by_micros: usize, percent: &str, late_lines: u32| {
        let behind = behind(&log, seconds(delay));
        let share = behind as f64 / 157_926.0 * 100.0;
        let digits = percent.split('.').next_back().map_or(0, str::len);
        assert_eq!((behind, format!("{share:.digits$}")), (by_micros, percent.into()), "{delay} s");
        let (late, _) = late(log.iter(), &mut Watermark::new(seconds(delay)));
        assert_eq!(late, late_lines, "{delay} s");
    };
    check(0, 63_075, "39.94", 60_713);
    check(1, 51_749, "32.8", 51_749);
    check(10, 8_394, "5.32", 8_392);
    check(30, 4_358, "2.76", 4_358);
    check(60, 3_033, "1.92", 3_033);
    check(120, 1_635, "1.04", 1_635);
    check(300, 35, "0.022", 33);
    check(600, 2, "0.001", 2);
}

#[test]
fn the_broker_logs_are_hardly_late_as_partitions() {
    let logs = kafka_brokers(&folder()).unwrap();
    assert_eq!(logs.len(), 62);
    assert_eq!(logs.iter().map(|log| log.iter().count()).sum::<usize>(), 77_025);
    let timed = |broker: &str| {
        let logs = logs.iter().filter(|log| log.name.starts_with(broker));
        logs.flat_map(Log::iter).filter(|line| line.time.is_some()).count()
    };
    assert_eq!(["kafka0", "kafka1", "kafka2"].map(timed), [13_183, 4_622, 4_359]);
    let counts: Vec<(u32, i64)> =
        logs.iter().map(|log| late(log.iter(), &mut Watermark::new(seconds(0)))).collect();
    assert_eq!(counts.iter().map(|(late, _)| late).sum::<u32>(), 37);
    assert_eq!(counts.iter().map(|(_, most)| most).max(), Some(&60));
}

#[test]
fn under_one_watermark_most_lines_of_the_broker_logs_are_late() {
    let mut logs = kafka_brokers(&folder()).unwrap();
    // The hour is in the name of a file; those without one were current at the end.
    logs.sort_by_cached_key(|log| {
        let hour = log.name.split_once(".log.").map_or("~", |(_, hour)| hour);
        (hour.to_string(), log.name.clone())
    });
    let mut watermark = Watermark::new(seconds(0));
    let (late, most) = late(logs.iter().flat_map(Log::iter), &mut watermark);
    assert_eq!(format!("{:.1}", f64::from(late) / 22_164.0 * 100.0), "87.3");
    assert_eq!((most / 360_000, watermark.get()), (61, Millis(1_482_192_678_570)));
}

#[test]
fn a_line_that_is_none_of_zeek_is_named() {
    let folder = std::env::temp_dir().join(format!("highwater-real-{}", std::process::id()));
    let logs = folder.join("zeek-wrccdc");
    fs::create_dir_all(&logs).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, b"{\"_path\":\"dns\",\"ts\":1}\n").unwrap();
    fs::write(logs.join("dns.json.gz"), gzip.finish().unwrap()).unwrap();
    let error = zeek(&folder).unwrap_err().to_string();
    fs::remove_dir_all(&folder).unwrap();
    assert!(error.ends_with("dns.json.gz: line 1 is not as expected"), "{error}");
}
